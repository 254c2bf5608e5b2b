"""What a user sees of sinterc, on the shipped model: packages, stages, reports, and the same bytes twice."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import harness


class Compiling(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.tales = harness.model("tales")

    def test_same_bytes_twice(self):
        """From another folder, under another name of the path, and over an older file."""
        first, second = self.folder / "a.sinter", self.folder / "b.sinter"
        harness.sinterc(self.tales, "-o", first, "-q")
        second.write_text("older")
        shutil.copytree(self.tales, self.folder / "tales")
        harness.sinterc("tales/", "-o", "b.sinter", "-q", cwd=self.folder)
        self.assertEqual(first.read_bytes(), second.read_bytes())
        self.assertEqual(sorted(os.listdir(self.folder)), ["a.sinter", "b.sinter", "tales"])

    def test_same_bytes_on_one_processor(self):
        first, second = self.folder / "a.sinter", self.folder / "b.sinter"
        harness.sinterc(self.tales, "-o", first, "-q", "--quantize", "q4z")
        harness.sinterc(self.tales, "-o", second, "-q", "--quantize", "q4z",
                        preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}))
        self.assertEqual(first.read_bytes(), second.read_bytes())

    def test_output_paths(self):
        """Links are followed, not replaced, and no character of a path has a meaning."""
        folder = self.folder / "100% of %%%"
        folder.mkdir()
        (self.folder / "link").symlink_to(folder / "%%%%%%%%.tx")
        (folder / "%%%%%%%%.tx").write_text("older")
        for _ in range(2):
            harness.sinterc(self.tales, "-o", self.folder / "link", "--emit", "tx")
            self.assertTrue((self.folder / "link").is_symlink())
            self.assertEqual(os.listdir(folder), ["%%%%%%%%.tx"])
            self.assertIn("tx.param", (folder / "%%%%%%%%.tx").read_text())
        harness.sinterc(self.tales, "-o", folder / "x.sinter", "-q", "--target", "x86-64")
        self.assertEqual(sorted(os.listdir(folder)), ["%%%%%%%%.tx", "x.sinter"])

    def test_interrupt_leaves_nothing(self):
        out = self.folder / "out"
        out.mkdir()
        signals = [signal.SIGINT]
        try:  # what has no name until it is whole cannot even be left behind
            os.close(os.open(out, os.O_TMPFILE | os.O_WRONLY))
            signals.append(signal.SIGKILL)
        except OSError:
            print("this file system knows no files without names: not killed")
        for number in signals:
            for delay in (0.1, 0.3, 0.6):
                process = subprocess.Popen([harness.SINTERC, self.tales, "-o", out / "x.sinter", "-q", "--target", "x86-64"])
                time.sleep(delay)
                process.send_signal(number)
                process.wait(timeout=60)
                self.assertLessEqual(set(os.listdir(out)), {"x.sinter"})

    def test_memory_is_only_planned(self):
        """A context that no session of this machine has room for compiles all the same."""
        path = self.folder / "x.sinter"
        told = json.loads(harness.sinterc(self.tales, "-o", path, "--target", "native", "--context", 1 << 30, "--json").stdout)
        self.assertGreater(told["peak_memory_bytes"], 1 << 40)
        self.assertEqual(harness.sinter_json("inspect", path)["memory"]["total"], told["peak_memory_bytes"])

    def test_no_tokenizer_is_said(self):
        directory = self.folder / "bare"
        shutil.copytree(self.tales, directory)
        (directory / "tokenizer.json").unlink()
        done = harness.sinterc(directory, "-o", self.folder / "x.sinter", "--target", "native")
        self.assertRegex(done.stderr, r"\Asinterc: warning: .*bare has no tokenizer.json: [^\n]*\n\Z")

    def test_report(self):
        path = self.folder / "x.sinter"
        told = json.loads(harness.sinterc(self.tales, "-o", path, "--quantize", "q8", "--json").stdout)
        size = path.stat().st_size
        self.assertEqual(told["file_bytes"], size)
        self.assertEqual(sum(told["parts"].values()), size)
        self.assertEqual(sum(row["bytes"] for row in told["targets"]), told["parts"]["code"])
        inspected = harness.sinter_json("inspect", path)
        self.assertEqual(told["peak_memory_bytes"], inspected["memory"]["total"])
        self.assertEqual(told["bits_per_weight"], inspected["bits_per_weight"])
        self.assertEqual([{key: row[key] for key in ("entry", "dispatches", "barriers")} for row in inspected["entries"]],
                         told["entries"])
        shown = harness.sinterc(self.tales, "-o", path, "--quantize", "q8", "--stats", "--target", "x86-64").stdout
        self.assertIn(f"file             {path.stat().st_size:,} bytes", shown)
        self.assertIn(f"{harness.sinter_json('inspect', path)['memory']['total']:,} bytes", shown)
        self.assertRegex(shown, r"decode +\d+ dispatches +\d+ barriers, \d\.\d per layer")
        self.assertRegex(shown, r"peak memory of the compiler: [\d,]+ bytes")
        self.assertEqual(harness.sinterc(self.tales, "-o", path, "-q", "--target", "x86-64").stdout, "")

    def test_options_reach_the_package(self):
        path = self.folder / "x.sinter"

        def inspect(*options):
            harness.sinterc(self.tales, "-o", path, "-q", *options)
            return harness.sinter_json("inspect", path)

        self.assertEqual(inspect("--context", 64, "--target", "x86-64")["context"], 64)
        told = inspect("--quantize", "q4-64", "--embed-quantize", "f16", "--target", "x86-64,x86-64-avx2")
        self.assertEqual({row["format"] for row in told["formats"]} & {"q4-64", "f16"}, {"q4-64", "f16"})
        self.assertEqual([row["target"] for row in told["targets"]], ["x86-64", "x86-64-avx2"])
        told = inspect("--prefill-tokens", 16, "--target", "x86-64")
        self.assertEqual([row["max_tokens"] for row in told["entries"] if row["entry"] == "prefill"], [16])
        wide, narrow, coded = (inspect("--kv", kind, "--target", "x86-64")["memory"]["cache"] for kind in ("f32", "f16", "q8"))
        self.assertEqual(wide, 2 * narrow)
        self.assertEqual(coded * 2 * 32, narrow * (32 + 4))  # head_dim bytes and a scale for each head and token
        done = harness.sinterc(self.tales, "-o", path, "--context", 512, "--target", "x86-64")
        self.assertIn("trained for a context of 256", done.stderr)

    def test_stages(self):
        for stage, mark in (("tx", "tx.linear"), ("sched", "sched.dispatch"), ("kern", "kern.binding"),
                            ("llvm", "define "), ("asm", "vpdpbusd")):
            with self.subTest(stage=stage):
                options = ["--target", "x86-64-avx512vnni"] if stage in ("kern", "llvm", "asm") else []
                shown = harness.sinterc(self.tales, "--emit", stage, "--quantize", "q8", *options).stdout
                self.assertIn(mark, shown)
                harness.sinterc(self.tales, "--emit", stage, "--quantize", "q8", "-o", self.folder / stage, *options)
                self.assertEqual((self.folder / stage).read_text(), shown)

    def test_print_ir_after(self):
        done = harness.sinterc(self.tales, "--print-ir-after", "sinter-fuse-glu")
        self.assertTrue(done.stderr.startswith("// after sinter-fuse-glu\nmodule {"))
        self.assertTrue(re.search(r"tx\.linear .* glu +silu", done.stderr))
        self.assertNotIn("sched.", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_verify(self):
        path = self.folder / "x.sinter"
        done = harness.sinterc(self.tales, "-o", path, "--quantize", "q8", "--verify")
        for target in harness.TARGETS:
            self.assertRegex(done.stdout, rf"verified on {target} |does not run {target}")
        self.assertRegex(done.stdout, r"layers\.5 +\S+ +\S+\n +logits +\S+ +\S+\n +KL mean \S+")

    def test_progress_on_terminals(self):
        shown = harness.on_terminal(harness.SINTERC, self.tales, "-o", self.folder / "x.sinter", "--target", "x86-64")
        self.assertIn(b"MB/s", shown)
        self.assertTrue(shown.endswith(b"\r\033[K"), shown)

    def test_help(self):
        shown = harness.sinterc("--help").stdout
        for name in ("q4z-64", "x86-64-avx2", "--embed-quantize", "Examples:"):
            self.assertIn(name, shown)
        self.assertRegex(harness.sinterc("--version").stdout, r"\Asinterc \d+\.\d+\.\d+\n")


if __name__ == "__main__":
    harness.main()
