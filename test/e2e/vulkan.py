"""Packages with code for GPUs, on the first Vulkan device of this machine (in tests: Mesa's lavapipe): the same text as on the
CPU, the same bits each time, and clear errors where a driver, a feature or memory is missing or the device goes away.
Usage: vulkan.py MODEL, vulkan.py device or vulkan.py failures for what is not about a model."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import harness

SUBJECT = sys.argv.pop(1)
FORMATS = [("q8",), ("q4",), ("q8", "--kv", "q8")]
# In nats per token, between the code for the CPU and for the GPU of one package, which multiply the same codes: four times the
# largest that was measured on lavapipe, 4.7e-4 (docs/rationale/gpu.md).
KL_BOUND = 2e-3


class OnDevice(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not harness.sinter_json("devices")["devices"]:
            raise unittest.SkipTest("this machine has no Vulkan device")


def run_on(device, package, *options):
    return harness.sinter_json("run", package, "--device", device, "--prompt-ids", "1,40,7,9,20", "--temperature", 0,
                               "--ignore-eos", "--max-tokens", 16, *options)


class Model(OnDevice):
    def test_greedy_ids_in_f32(self):
        package = harness.fat(SUBJECT, "f32")
        cpu, gpu = run_on("cpu", package), run_on("vulkan", package)
        self.assertEqual(gpu["tokens"], cpu["tokens"])
        self.assertEqual((gpu["isa"], gpu["device"], cpu["device"]), ("vulkan", "vulkan", "cpu"))

    def test_divergence_of_quantized_models(self):
        # 25 tokens or so are some prefill and many heads.
        text = "Once upon a time there was a girl who had a dog. They went to the sea and found a shell."
        for format, *cache in FORMATS:
            with self.subTest(format=format, cache=cache):
                package = harness.fat(SUBJECT, format, *cache)
                done = harness.sinter("eval", package, "--text", "-", "--device", "vulkan", "--against", package, "--json",
                                      stdin=None, input=text.encode())
                result = json.loads(done.stdout)
                print(f"{SUBJECT} {format} {' '.join(cache)}: mean KL from the CPU {result['kl']:.2e} nats over "
                      f"{result['tokens']} tokens")
                self.assertEqual(result["device"], "vulkan")
                self.assertLessEqual(result["kl"], KL_BOUND)


class Device(OnDevice):
    """With the model that is in this repository, and random ones."""

    def test_same_bits_each_time_and_sampling_reads_logits(self):
        package = harness.fat("tales", "q8")
        with tempfile.TemporaryDirectory() as folder:
            logits = []
            for i in range(2):
                run_on("vulkan", package, "--logits", f"{folder}/{i}")
                logits.append(pathlib.Path(folder, str(i)).read_bytes())
            self.assertEqual(logits[0], logits[1])
            self.assertTrue(any(logits[0]))
        sampled = [harness.sinter_json("run", package, "--device", device, "--prompt-ids", "1,40,7", "--temperature", 0.8,
                                       "--seed", 5, "--max-tokens", 8, "--ignore-eos")["tokens"] for device in ("vulkan", "vulkan:0")]
        self.assertEqual(sampled[0], sampled[1])

    def test_verify_runs_on_devices(self):
        with tempfile.TemporaryDirectory() as folder:
            done = harness.sinterc(harness.model("tales"), "-o", f"{folder}/tales.sinter", "--quantize", "f32", "--target",
                                   "native,vulkan", "--verify", "--json")
        rows = {row["isa"]: row for row in json.loads(done.stdout)["verify"]}
        self.assertEqual(len(rows), 2)
        self.assertTrue(rows["vulkan"]["passed"])
        self.assertEqual(len(rows["vulkan"]["layers"]), 6 + 1)

    def test_bench_measures_devices(self):
        result = harness.sinter_json("bench", harness.fat("tales", "q8"), "--device", "vulkan", "--prompt-tokens", 20, "--gen-tokens", 3,
                                     "--repeat", 1)
        self.assertEqual(result["device"], "vulkan")
        self.assertGreater(min(result["prefill_tokens_per_second"], result["decode_tokens_per_second"]), 0)

    def test_matrix_larger_than_a_kernel_sees(self):
        """A head of 140,000 words by 256, 136.7 MiB in f32, is two dispatches, and so is the embedding that shares it."""
        package = harness.package(harness.random_model("wide-vocab"), "--quantize", "f32", "--target", "native,vulkan",
                                  "--context", 64)
        cpu, gpu = ([harness.sinter_json("run", package, "--device", device, "--prompt-ids", "5,139999,70000,131072,3",
                                         "--temperature", 0, "--ignore-eos", "--max-tokens", 4)["tokens"]
                     for device in ("cpu", "vulkan")])
        self.assertEqual(gpu, cpu)

    def test_modules_are_valid(self):
        if not shutil.which("spirv-val"):
            self.skipTest("spirv-val is not here (Debian: spirv-tools)")
        package = harness.fat("tales", "q4")
        row = next(row for row in harness.sinter_json("inspect", package)["targets"] if row["target"] == "vulkan")
        code = package.read_bytes()[row["offset"]:row["offset"] + row["bytes"]]
        self.assertGreater(len(row["modules"]), 10)
        for module in row["modules"]:
            done = subprocess.run(["spirv-val", "--target-env", "vulkan1.1", "-"], capture_output=True,
                                  input=code[module["offset"]:module["offset"] + module["bytes"]])
            self.assertEqual((done.returncode, done.stderr), (0, b""), module["kernel"])


class Failures(unittest.TestCase):
    """What is said where something is missing. The CPU always remains."""

    @classmethod
    def setUpClass(cls):
        cls.package = harness.fat("tales", "q8")
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)

    def run_with(self, device, package=None, **environment):
        return harness.run(harness.SINTER, "run", package or self.package, "--device", device, "--prompt-ids", "1,40,7",
                           "--temperature", 0, "--max-tokens", 12, "--ignore-eos", check=False,
                           env={**os.environ, **environment})

    def fake(self, how):
        real = next((str(path) for path in pathlib.Path("/usr/lib").glob("*/libvulkan.so.1")), "libvulkan.so.1")
        return {"LD_LIBRARY_PATH": str(harness.BUILD / "fake_vulkan"), "FAKE_VULKAN": how, "REAL_VULKAN": real}

    def fails(self, done, *parts):
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)

    def test_no_library(self):
        for name in ("libvulkan.so.1", "libvulkan.so"):
            pathlib.Path(self.folder.name, name).write_bytes(b"")
        self.fails(self.run_with("vulkan", LD_LIBRARY_PATH=self.folder.name), "there is no libvulkan.so.1 on this machine")

    def test_no_driver(self):
        self.fails(self.run_with("vulkan", **self.fake("no-driver")), "no usable driver", "incompatible driver")

    def test_no_feature(self):
        self.fails(self.run_with("vulkan", **self.fake("no-16-bit")), "lacks 16-bit storage")

    def test_no_memory(self):
        self.fails(self.run_with("vulkan", **self.fake("no-memory")), "out of memory", "the weights")

    def test_device_lost(self):
        self.fails(self.run_with("vulkan", **self.fake("lost")), "running a step: device lost")

    def test_workgroups_fill_subgroups(self):
        """Units of products share workgroups as large as the device's subgroups, which changes nothing else."""
        done = self.run_with("vulkan", **self.fake("subgroups"))
        self.assertEqual((done.returncode, done.stdout), (0, self.run_with("vulkan").stdout))
        units = dict(line.split() for line in done.stderr.splitlines() if len(line.split()) == 2)
        head = next(units[name] for name in units if name.startswith("linear_1024x128"))
        self.assertEqual((head, units["argmax_1024"]), ("4", "1"))

    def test_no_code_for_the_device(self):
        package = harness.package(harness.model("tales"), "--quantize", "q8", "--target", "native")
        self.fails(self.run_with("vulkan", package), "no code for vulkan", "the package has")
        package = harness.package(harness.model("tales"), "--quantize", "q8", "--target", "vulkan")
        self.fails(self.run_with("cpu", package), "no code that this cpu can run; the package has vulkan")

    def test_encoders_are_for_cpus(self):
        path = pathlib.Path(self.folder.name, "encoder.sinter")
        for target in ("native,vulkan", "metal"):
            done = harness.sinterc(harness.random_model("tiny-bert"), "-o", path, "--target", target, check=False)
            self.fails(done, "is an encoder, and those run on CPUs so far: leave the GPU out of --target")
            self.assertFalse(path.exists())

    def test_no_such_device(self):
        self.fails(self.run_with("vulkan:99"), "device 99 was asked for")
        self.fails(self.run_with("vulkan:x"), "'x' in device 'vulkan:x' is not the number of a device")
        self.fails(self.run_with("toaster"), "there is no device 'toaster', expected cpu, auto, vulkan")

    def test_auto_falls_back_and_says_so(self):
        expected = self.run_with("cpu")
        for environment in ({}, self.fake("no-driver")):
            done = self.run_with("auto", **environment)
            self.assertEqual((done.returncode, done.stdout), (0, expected.stdout))
            self.assertIn("sinter: using the cpu: ", done.stderr)

    def test_auto_takes_a_gpu_and_falls_back_where_it_fails(self):
        expected = self.run_with("cpu")
        done = self.run_with("auto", **self.fake("discrete"))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, expected.stdout, ""))
        for how, reason in {"no-16-bit": "lacks 16-bit storage", "no-memory": "out of memory",
                            "no-room": "out of memory"}.items():
            with self.subTest(how=how):
                done = self.run_with("auto", **self.fake(f"discrete,{how}"))
                self.assertEqual((done.returncode, done.stdout), (0, expected.stdout), done.stderr)
                self.assertIn("sinter: using the cpu: ", done.stderr)
                self.assertIn(reason, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1)
        self.fails(self.run_with("vulkan", **self.fake("no-room")), "out of memory", "activations")

    def test_devices_without_a_driver(self):
        done = harness.run(harness.SINTER, "devices", env={**os.environ, **self.fake("no-driver")})
        self.assertIn("no usable driver", done.stdout)
        done = harness.run(harness.SINTER, "devices", "--json", env={**os.environ, **self.fake("no-driver")})
        self.assertEqual(json.loads(done.stdout), {"devices": []})


if __name__ == "__main__":
    for name in ("Model", "Device", "Failures"):
        if name != {"device": "Device", "failures": "Failures"}.get(SUBJECT, "Model"):
            del globals()[name]
    harness.main()
