"""Models on boards without an operating system: freestanding programs give the host's ids and stay within the plan."""

import os
import re
import shutil
import tempfile
import unittest

import harness

SOURCES = harness.ROOT / "docs" / "examples" / "bare-metal"
PROMPT = "1,389,391,261,362"
TOKENS = 40


class Bare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def build(self, platform, target, board, *options):
        library = os.path.join(self.folder, "libtales.a")
        if not (harness.BUILD / "lib" / "sinter" / platform / "sinter_runtime.o").exists():
            self.skipTest(f"the runtime was not built for {platform}")
        harness.sinterc(harness.model("tales"), "-q", "-o", library, "--output-kind", "static", "--platform", platform,
                        "--quantize", "q8", "--context", 128, "--prefill-tokens", 16, "--target", target)
        self.assertLessEqual(self.undefined(harness.BUILD / "lib" / "sinter" / platform / "sinter_runtime.o"),
                             {"memcpy", "memmove", "memset", "memcmp"})
        compiler = shutil.which("clang-22") or self.skipTest("clang-22 is not here")
        program = os.path.join(self.folder, "program")
        harness.run(compiler, *options, "-std=gnu11", "-O1", "-ffreestanding", "-fno-builtin", "-nostdlib", "-static", "-Wall",
                    "-Werror", "-fuse-ld=lld", "-Wl,--gc-sections", "-I", harness.ROOT / "runtime", "-I", self.folder,
                    SOURCES / "main.c", SOURCES / "memory.c", SOURCES / "boards" / board, library, "-o", program)
        return program

    def undefined(self, file):
        return {line.split()[-1] for line in harness.run("nm", "-u", file).stdout.splitlines()}

    def compare(self, output, isa=()):
        package = harness.package(harness.model("tales"), "--quantize", "q8", "--context", 128, "--prefill-tokens", 16)
        expected = harness.sinter_json("run", package, "--prompt-ids", PROMPT, "--temperature", 0, "--max-tokens", TOKENS,
                                       *isa)["tokens"]
        self.assertTrue(output.startswith("Once upon a time, there was"), output)
        self.assertEqual([int(id) for id in re.search(r"^ids: (.*)$", output, re.MULTILINE)[1].split()], expected)
        facts = {name: int(number) for name, number in re.findall(r"^([a-z ]+): (\d+)$", output, re.MULTILINE)}
        print(facts)
        self.assertEqual(facts["session planned"], facts["session declared"])
        self.assertEqual(facts["bytes written past the plan"], 0)
        self.assertGreaterEqual(facts["stack used"], 100)
        # The kernels' worst case, and the runtime's own frames around them.
        self.assertLessEqual(facts["stack used"], facts["stack of kernels"] + 8192)

    def test_aarch64(self):
        """Under qemu-system-aarch64: start-up code, vector registers, a memory map, and what the model says."""
        emulator = shutil.which("qemu-system-aarch64") or self.skipTest("qemu-system-aarch64 is not here (Debian: qemu-system-arm)")
        script = SOURCES / "boards" / "aarch64_virt.ld"
        program = self.build("aarch64-none-elf", "aarch64", "aarch64_virt.c", "--target=aarch64-none-elf", f"-Wl,-T,{script}")
        self.assertEqual(self.undefined(program), set())
        self.compare(harness.run(emulator, "-M", "virt", "-nic", "none", "-cpu", "cortex-a53", "-m", 64, "-display", "none",
                                 "-chardev", "stdio,id=console", "-semihosting-config",
                                 "enable=on,target=native,chardev=console", "-kernel", program, timeout=300).stdout,
                     ("--isa", "x86-64"))

    def test_x86_64(self):
        program = self.build("x86_64-none-elf", "x86-64", "x86_64.c", "-fPIE", "-static-pie", "-Wl,--no-dynamic-linker")
        self.assertEqual(self.undefined(program), set())
        self.compare(harness.run(program).stdout, ("--isa", "x86-64"))


if __name__ == "__main__":
    harness.main()
