"""What sinter_plan() promises is what a process takes: resident bytes, what the runtime asks the system for, and nothing at
all once a session is there. The 1B shape takes minutes, so it runs only where SINTER_TEST_LARGE is set.
"""

import json
import os
import shutil
import tempfile
import unittest

import harness

SHARE = 0.02


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.probe = os.path.join(folder.name, "probe")
        harness.run(shutil.which("clang-22") or "cc", "-O1", "-I", harness.ROOT / "runtime",
                    harness.ROOT / "test" / "e2e" / "memory_probe.c", harness.BUILD / "lib" / "libsinter_runtime.a", "-o",
                    cls.probe)

    def compare(self, package, contexts, most_threads=2):
        for context in contexts:
            for threads in (1, most_threads):
                with self.subTest(package=package.name, context=context, threads=threads):
                    told = json.loads(harness.run(self.probe, package, context, threads).stdout)
                    planned = harness.sinter_json("inspect", package, "--memory", "--context", context, "--threads", threads)
                    self.assertEqual(planned["memory"]["total"], told["planned"])
                    print(f"{package.name}, context {context}, {threads} threads: planned {told['planned']:,}, resident "
                          f"{told['resident']:,} ({100 * (told['resident'] / told['planned'] - 1):+.2f} %), asked for "
                          f"{told['asked']:,} of {told['block'] + told['model']:,}")
                    self.assertAlmostEqual(told["resident"] / told["planned"], 1, delta=SHARE)
                    # Whole pages: one for the model, the block rounded up.
                    self.assertAlmostEqual(told["asked"] / (told["block"] + told["model"]), 1, delta=SHARE)
                    self.assertEqual((told["maps_after_init"], told["mallocs_after_init"]), (0, 0))

    def test_tales(self):
        self.compare(harness.package(harness.model("tales"), "--quantize", "q8"), (64, 256))

    def test_stories15M(self):
        self.compare(harness.package(harness.model("stories15M"), "--quantize", "q8"), (100, 256))

    @unittest.skipUnless(os.environ.get("SINTER_TEST_LARGE"), "set SINTER_TEST_LARGE=1 to compile a model of 2.5 GB")
    def test_llama_1b(self):
        self.compare(harness.package(harness.random_model("llama-1b", "bf16"), "--quantize", "q4"), (512, 4096))

    def test_inspect(self):
        package = harness.package(harness.model("tales"), "--quantize", "q8")
        told = harness.sinter_json("inspect", package, "--memory", "--context", 100, "--threads", 3)
        self.assertEqual((told["memory_context"], told["memory_threads"]), (100, 3))
        memory = told["memory"]
        self.assertEqual(memory["total"], sum(memory.values()) - memory["total"])
        self.assertEqual(set(memory), {"total", "weights", "code", "manifest", "tokenizer", "model", "cache", "arena", "scratch",
                                       "stacks", "session", "padding"})
        self.assertEqual(told["scratch_per_thread"] * 3, memory["scratch"])
        self.assertEqual(told["stack_per_thread"], memory["stacks"] // 2)
        for name in harness.TARGETS:  # also of code that this machine does not run
            self.assertEqual(harness.sinter_json("inspect", package, "--memory", "--isa", name)["isa"], name)
        self.assertNotIn("schedule", harness.sinter("inspect", package, "--memory").stdout)


if __name__ == "__main__":
    harness.main()
