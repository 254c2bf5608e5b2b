"""One package for x86-64 and 64-bit ARM: what the ARM code says under an emulator, beside what this machine says. Every
level, SME at three vector lengths: f32 the same greedy ids, quantized formats as near to f32 as the format's bound says
(where floats are added in another order, some activations get the next code). Usage: aarch64.py MODEL
"""

import json
import os
import pathlib
import sys
import tempfile
import unittest

import harness

MODEL = sys.argv.pop(1)
SINTER_ARM = harness.BUILD / "aarch64" / "bin" / "sinter"
EMULATOR = os.environ.get("SINTER_EMULATOR", "")
SHORT = "Once upon a time, there was a"
TEXT = "Once upon a time there was a small town by the sea."
KL_BOUNDS = {"q8": 6e-3, "q4": 0.55}  # those of dialects/Formats.cpp
KL_DIFFERENCE = 0.3                   # between machines, as a share: it is a mean over a dozen tokens


def cpus(isa, lengths=(16, 32, 64)):
    """The emulated CPUs to run a level on: vector lengths in bytes, where it has them."""
    if isa.endswith("-sme"):
        return [f"max,sme-default-vector-length={bytes}" for bytes in lengths]
    return ["max"]


class Aarch64(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not EMULATOR or not SINTER_ARM.exists():
            raise unittest.SkipTest("there is no qemu-aarch64 of version 10 or newer, or no libraries for aarch64")
        harness.model(MODEL)  # or the tests are skipped

    def package(self, quantize):
        return harness.fat(MODEL, quantize)

    def levels(self, package):
        names = [row["target"] for row in harness.sinter_json("inspect", package)["targets"]]
        return [name for name in names if name.startswith("aarch64")]

    def arm(self, cpu, *arguments, **options):
        return harness.run(EMULATOR, "-cpu", cpu, SINTER_ARM, *arguments, **options)

    def generate(self, run, package, *options):
        shown = run("run", package, "--prompt", SHORT, "--temperature", 0, "--ignore-eos", "--max-tokens", 8, "--json",
                    *options)
        return json.loads(shown.stdout)["tokens"]

    def test_f32_ids(self):
        package = self.package("f32")
        expected = self.generate(harness.sinter, package)
        for isa in self.levels(package):
            for cpu in cpus(isa):
                with self.subTest(isa=isa, cpu=cpu):
                    run = lambda *arguments: self.arm(cpu, *arguments)
                    self.assertEqual(self.generate(run, package, "--isa", isa, "--threads", 2), expected)

    def distance(self, run, package, *options):
        """Mean KL divergence to the f32 package, in nats."""
        command = ["eval", package, "--text", "-", "--json", "--against", self.package("f32"), *options]
        return json.loads(run(*command, stdin=None, input=TEXT.encode()).stdout)["kl"]

    def test_quantized_distance(self):
        for quantize, bound in KL_BOUNDS.items():
            package = self.package(quantize)
            here = self.distance(harness.sinter, package)
            for isa in self.levels(package):
                # The kernel tests compare the bits of all vector lengths.
                for cpu in cpus(isa, (64,)):
                    with self.subTest(quantize=quantize, isa=isa, cpu=cpu):
                        run = lambda *arguments, **options: self.arm(cpu, *arguments, **options)
                        there = self.distance(run, package, "--isa", isa, "--threads", 2)
                        self.assertLess(there, bound)
                        self.assertAlmostEqual(there / here, 1, delta=KL_DIFFERENCE)


class Loading(unittest.TestCase):
    """Which code the loader takes, and what it says where there is none. Needs no model from elsewhere."""

    @classmethod
    def setUpClass(cls):
        if not EMULATOR or not SINTER_ARM.exists():
            raise unittest.SkipTest("there is no qemu-aarch64 of version 10 or newer, or no libraries for aarch64")
        if MODEL != "tales":
            raise unittest.SkipTest("once is enough")
        cls.package = harness.fat("tales", "q4")

    def chosen(self, cpu):
        command = [EMULATOR, "-cpu", cpu, SINTER_ARM, "run", self.package, "--prompt", "Once", "--max-tokens", 1, "--json"]
        return json.loads(harness.run(*command).stdout)["isa"]

    def test_best_level_of_each_cpu(self):
        names = [row["target"] for row in harness.sinter_json("inspect", self.package)["targets"]]
        for cpu, best in (("cortex-a72", "aarch64"), ("cortex-a76", "aarch64-dotprod"), ("neoverse-v1", "aarch64-i8mm"),
                          ("max", "aarch64-sme")):
            with self.subTest(cpu=cpu):
                self.assertIn(best, names)
                self.assertEqual(self.chosen(cpu), best)

    def test_no_code_for_the_machine(self):
        package = harness.package(harness.model("tales"), "--quantize", "q4", "--target", "x86-64")
        done = harness.run(EMULATOR, "-cpu", "max", SINTER_ARM, "run", package, "--prompt", "Once", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no code that this cpu can run; the package has x86-64 (for x86_64)", done.stderr)
        package = harness.package(harness.model("tales"), "--quantize", "q4", "--target", "aarch64-linux+dotprod")
        done = harness.sinter("run", package, "--prompt", "Once", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no code that this cpu can run; the package has aarch64-dotprod (for aarch64)", done.stderr)
        done = harness.run(EMULATOR, "-cpu", "cortex-a72", SINTER_ARM, "run", package, "--prompt", "Once", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no code that this cpu can run; the package has aarch64-dotprod (lacking dotprod)", done.stderr)


class Fat(unittest.TestCase):
    """What a package with code for every machine holds. Needs no emulator."""

    def test_one_copy_of_the_weights_and_little_code(self):
        thin = harness.package(harness.model(MODEL), "--quantize", "q4", "--target", "x86-64", "--context", 128)
        fat = harness.package(harness.model(MODEL), "--quantize", "q4", "--target", "all,vulkan,metal", "--context", 128)
        thin, fat = (harness.sinter_json("inspect", path) for path in (thin, fat))
        names = [row["target"] for row in fat["targets"]]
        self.assertEqual(names, harness.TARGETS + ["aarch64", "aarch64-dotprod", "aarch64-i8mm", "aarch64-sme", "vulkan", "metal"])
        print(f"{MODEL}: " + ", ".join(f"{row['target']} {row['bytes']:,}" for row in fat["targets"]) + " bytes of code")
        self.assertTrue(all(row["bytes"] for row in fat["targets"]))
        self.assertLess(sum(row["bytes"] for row in fat["targets"]), 5 << 20)
        # Constants that entries for GPUs alone use come on top: a few KiB, no second copy.
        self.assertLess(fat["parts"]["weights"], 1.01 * thin["parts"]["weights"])

    def test_unknown_cpus_and_features(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("aarch64-linux+foo", "cortex-z9"):
                output = pathlib.Path(folder, "m.sinter")
                done = harness.sinterc(harness.model("tales"), "-o", output, "--target", f"native,{name}", check=False)
                self.assertEqual(done.returncode, 1)
                self.assertTrue(done.stderr.startswith(f"sinterc: unknown target '{name}', expected all, host, native"), done.stderr)
                self.assertFalse(output.exists())


if __name__ == "__main__":
    harness.main()
