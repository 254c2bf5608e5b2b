"""Random models that have what the shared ones lack, compiled in f32 and compared with the reference by --verify."""

import json
import unittest

import harness

SHAPES = {
    "tiny-llama3": "llama3 rope scaling",
    "tiny-llama-bias": "biases on every projection",
    "tiny-linear": "linear rope scaling",
    "tiny-untied": "a head of its own, three files, widths that no tile divides",
    "tiny-mistral": "a sliding window in every layer",
    "tiny-qwen2": "query, key and value biases",
    "tiny-qwen2-mixed": "a window in some layers",
    "tiny-qwen2-yarn": "yarn rope scaling",
    "tiny-qwen3": "query and key norms",
}
EVERY_TARGET = ("tiny-mistral", "tiny-untied")


class Verify(unittest.TestCase):
    def verify(self, directory, *options):
        path = harness.WORK / f"verify-{directory.name}.sinter"
        done = harness.sinterc(directory, "-o", path, "--verify", "--json", *options, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = json.loads(done.stdout)["verify"]
        self.assertTrue(rows)
        for row in rows:
            self.assertTrue(row["passed"], row)
        return rows

    def test_f32(self):
        for shape, purpose in SHAPES.items():
            with self.subTest(shape=shape, purpose=purpose):
                directory = harness.random_model(shape)
                target = "host" if shape in EVERY_TARGET else "native"
                for row in self.verify(directory, "--quantize", "f32", "--prefill-tokens", 48, "--target", target):
                    self.assertEqual(row["top1_agreement"], 1.0)
                    self.assertLess(max(layer["relative"] for layer in row["layers"]), 1e-4)

    def test_every_format(self):
        """--verify itself holds each format to its bound."""
        for line in harness.sinterc("--help").stdout.split("Formats for")[1].split("\n\n")[0].splitlines()[1:]:
            name = line.split()[0]
            with self.subTest(format=name):
                self.verify(harness.random_model("tiny-llama3"), "--quantize", name, "--target", "native")

    def test_coded_cache(self):
        """In a ring, with head sizes and kv heads of other shapes."""
        for shape in ("tiny-mistral", "tiny-untied", "tiny-qwen3"):
            with self.subTest(shape=shape):
                self.verify(harness.random_model(shape), "--quantize", "f32", "--kv", "q8", "--prefill-tokens", 48)

    def test_stored_in_16_bits(self):
        for dtype in ("f16", "bf16"):
            with self.subTest(dtype=dtype):
                self.verify(harness.random_model("tiny-untied", dtype), "--quantize", dtype, "--target", "native")


if __name__ == "__main__":
    harness.main()
