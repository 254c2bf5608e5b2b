#!/usr/bin/python3
# sinter exec end to end: an ONNX file written here, compiled, run with arrays of
# several sizes, and compared with numpy; and what is said when inputs do not fit.

import json
import os
import subprocess
import tempfile
import unittest

import numpy as np

from onnx_file import model, node, tensor, value

SINTERC, SINTER = (os.path.join(os.environ["SINTER_BUILD"], "bin", name) for name in ["sinterc", "sinter"])


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


class Exec(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = lambda self, name: os.path.join(cls.folder.name, name)
        random = np.random.default_rng(1)
        cls.weights = random.normal(size=(40, 24)).astype(np.float32)
        # y = softmax(x @ w), and the largest place of each row.
        cls.onnx = os.path.join(cls.folder.name, "rows.onnx")
        with open(cls.onnx, "wb") as file:
            file.write(model([node("MatMul", ["x", "w"], ["p"]), node("Softmax", ["p"], ["y"], axis=-1),
                              node("ArgMax", ["y"], ["best"], axis=-1, keepdims=0)],
                             [value("x", 1, ["batch", "rows", 40])],
                             [value("y", 1, ["batch", "rows", 24]), value("best", 7, ["batch", "rows"])],
                             [tensor("w", cls.weights)]))
        cls.package = os.path.join(cls.folder.name, "rows.sinter")
        made = run(SINTERC, cls.onnx, "-o", cls.package, "--max-dim", "batch=3", "--max-dim", "rows=50", "-q")
        assert made.returncode == 0, made.stderr

    def expected(self, x):
        p = x.astype(np.float64) @ self.weights
        e = np.exp(p - p.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def test_sizes(self):
        for shape in [(1, 1, 40), (1, 7, 40), (3, 50, 40), (2, 0, 40)]:
            for threads in ["1", "3"]:
                x = np.random.default_rng(2).normal(size=shape).astype(np.float32)
                np.save(self.path("x.npy"), x)
                done = run(SINTER, "exec", self.package, "--input", "x=" + self.path("x.npy"), "--output-dir",
                           self.path("out"), "--threads", threads, "--json")
                self.assertEqual(done.returncode, 0, done.stderr)
                shapes = {each["name"]: each["shape"] for each in json.loads(done.stdout)["outputs"]}
                self.assertEqual(shapes, {"y": [*shape[:2], 24], "best": list(shape[:2])})
                y = np.load(self.path("out/y.npy"))
                # Sums of 40 products in f32 and an exponential of 2 ulp.
                np.testing.assert_allclose(y, self.expected(x), rtol=1e-5, atol=1e-7)
                np.testing.assert_array_equal(np.load(self.path("out/best.npy")), y.argmax(-1))

    def failure(self, array, name="x"):
        np.save(self.path("bad.npy"), array)
        done = run(SINTER, "exec", self.package, "--input", name + "=" + self.path("bad.npy"))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        return done.stderr

    def test_errors_name_the_input_and_both_shapes(self):
        message = self.failure(np.zeros((1, 7, 41), np.float32))
        self.assertIn("input 'x' has the shape [1, 7, 41], expected [batch, rows, 40]", message)
        self.assertIn("'rows' at most 50", self.failure(np.zeros((1, 51, 40), np.float32)))
        self.assertIn("is of type f64, expected f32", self.failure(np.zeros((1, 7, 40))))
        self.assertIn("there is no input 'z'; there are: x f32 [batch, rows, 40]",
                      self.failure(np.zeros(1, np.float32), "z"))
        done = run(SINTER, "exec", self.package)
        self.assertEqual(done.returncode, 1)
        self.assertIn("input x f32 [batch, rows, 40] is not given", done.stderr)

    def test_refuses_other_packages_calls(self):
        done = run(SINTER, "run", self.package, "text")
        self.assertEqual(done.returncode, 1)

    def test_lists_unsupported_ops_at_once(self):
        path = self.path("odd.onnx")
        with open(path, "wb") as file:
            file.write(model([node("Mystery", ["x"], ["a"]), node("Mystery", ["a"], ["b"]), node("Riddle", ["b"], ["y"])],
                             [value("x", 1, ["n"])], [value("y", 1, ["n"])]))
        done = run(SINTERC, path, "-o", self.path("odd.sinter"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("'Mystery-17' x 2 ('a', 'b'); 'Riddle-17' x 1 ('y')", done.stderr)
        self.assertFalse(os.path.exists(self.path("odd.sinter")))

    def test_refuses_options_of_directories(self):
        done = run(SINTERC, self.onnx, "-o", self.path("no.sinter"), "--context", "64")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--context is for model directories", done.stderr)


if __name__ == "__main__":
    unittest.main()
