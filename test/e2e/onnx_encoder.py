#!/usr/bin/python3
# A small text encoder as exporters write it, in f32 and in 8-bit codes: everything of a transformer in it is found, texts of
# several lengths in one batch come out as numpy computes them, and a mask that attention's kernel cannot take is computed all
# the same.

import json
import math
import os
import subprocess
import tempfile
import unittest

import numpy as np

from onnx_file import model, node, tensor, value

SINTERC, SINTER = (os.path.join(os.environ["SINTER_BUILD"], "bin", name) for name in ["sinterc", "sinter"])
WIDTH, HEADS, INNER, LAYERS, VOCAB, MOST = 64, 2, 128, 2, 50, 40
SIZE = WIDTH // HEADS


def weights():
    random = np.random.default_rng(3)
    w = {"table": random.normal(size=(VOCAB, WIDTH))}
    for layer in range(LAYERS):
        for name, rows, columns in [("q", WIDTH, WIDTH), ("k", WIDTH, WIDTH), ("v", WIDTH, WIDTH), ("o", WIDTH, WIDTH),
                                    ("up", WIDTH, INNER), ("down", INNER, WIDTH)]:
            w[f"{name}{layer}"] = random.normal(size=(rows, columns)) / math.sqrt(rows)
            w[f"{name}{layer}.bias"] = random.normal(size=columns) * 0.1
        for name in ["first", "second"]:
            w[f"{name}{layer}"] = 1 + random.normal(size=WIDTH) * 0.1
            w[f"{name}{layer}.bias"] = random.normal(size=WIDTH) * 0.1
    return {name: each.astype(np.float32) for name, each in w.items()}


class Writer:
    """Nodes and constants of the graph."""
    def __init__(self, w, codes):
        self.w, self.codes, self.nodes, self.constants = w, codes, [], {}

    def constant(self, name, array):
        self.constants[name] = array
        return name

    def op(self, kind, inputs, output, **attributes):
        self.nodes.append(node(kind, inputs, [output], **attributes))
        return output

    def number(self, x):
        return self.constant(f"number {x}", np.float32(x))

    def product(self, x, name):
        matrix = self.w[name]
        if not self.codes:
            y = self.op("MatMul", [x, self.constant(name, matrix)], name + ".product")
        else:
            scale = np.float32((matrix.max() - matrix.min()) / 255)
            zero = np.uint8(np.clip(np.round(-matrix.min() / scale), 0, 255))
            codes = np.clip(np.round(matrix / scale) + zero, 0, 255).astype(np.uint8)
            self.nodes.append(node("DynamicQuantizeLinear", [x], [name + ".x", name + ".x.scale", name + ".x.zero"]))
            self.op("MatMulInteger", [name + ".x", self.constant(name, codes), name + ".x.zero",
                                      self.constant(name + ".zero", zero)], name + ".sums")
            self.op("Cast", [name + ".sums"], name + ".floats", to=1)
            self.op("Mul", [name + ".x.scale", self.constant(name + ".scale", scale)], name + ".scales")
            y = self.op("Mul", [name + ".floats", name + ".scales"], name + ".product")
        return self.op("Add", [self.constant(name + ".bias", self.w[name + ".bias"]), y], name + ".y")

    def norm(self, x, name):
        mean = self.op("ReduceMean", [x], name + ".mean", axes=[-1])
        centered = self.op("Sub", [x, mean], name + ".centered")
        square = self.op("Pow", [centered, self.number(2)], name + ".square")
        variance = self.op("ReduceMean", [square], name + ".variance", axes=[-1])
        root = self.op("Sqrt", [self.op("Add", [variance, self.number(1e-5)], name + ".plus")], name + ".root")
        scaled = self.op("Mul", [self.op("Div", [centered, root], name + ".unit"),
                                 self.constant(name, self.w[name])], name + ".scaled")
        return self.op("Add", [scaled, self.constant(name + ".bias", self.w[name + ".bias"])], name + ".norm")

    def heads(self, x, name, order):
        split = self.op("Reshape", [x, self.constant("split", np.array([0, -1, HEADS, SIZE], np.int64))], name + ".split")
        return self.op("Transpose", [split], name + ".heads", perm=order)

    def attention(self, x, layer, mask):
        q = self.heads(self.product(x, f"q{layer}"), f"q{layer}", [0, 2, 1, 3])
        k = self.heads(self.product(x, f"k{layer}"), f"k{layer}", [0, 2, 3, 1])
        v = self.heads(self.product(x, f"v{layer}"), f"v{layer}", [0, 2, 1, 3])
        scores = self.op("Div", [self.op("MatMul", [q, k], f"{layer}.products"), self.number(math.sqrt(SIZE))], f"{layer}.scores")
        soft = self.op("Softmax", [self.op("Add", [scores, mask], f"{layer}.masked")], f"{layer}.soft", axis=-1)
        joined = self.op("Transpose", [self.op("MatMul", [soft, v], f"{layer}.mixed")], f"{layer}.turned", perm=[0, 2, 1, 3])
        rows = self.op("Reshape", [joined, self.constant("join", np.array([0, -1, WIDTH], np.int64))], f"{layer}.joined")
        return self.product(rows, f"o{layer}")

    def gelu(self, x, layer):
        scaled = self.op("Erf", [self.op("Div", [x, self.number(math.sqrt(2))], f"{layer}.div")], f"{layer}.erf")
        half = self.op("Mul", [x, self.op("Add", [scaled, self.number(1)], f"{layer}.one")], f"{layer}.twice")
        return self.op("Mul", [half, self.number(0.5)], f"{layer}.gelu")


def encoder(codes=False, causal=False):
    g = Writer(weights(), codes)
    x = g.op("Gather", [g.constant("table", g.w["table"]), "ids"], "embedded")
    spread = g.op("Unsqueeze", ["mask", g.constant("axes", np.array([1, 2], np.int64))], "spread")
    left = g.op("Sub", [g.number(1), g.op("Cast", [spread], "kept", to=1)], "left")
    mask = g.op("Mul", [left, g.number(-3.4e38)], "added")
    if causal:
        mask = g.op("Add", [mask, "order"], "both")
    for layer in range(LAYERS):
        x = g.norm(g.op("Add", [g.attention(x, layer, mask), x], f"{layer}.sum"), f"first{layer}")
        inner = g.gelu(g.product(x, f"up{layer}"), layer)
        x = g.norm(g.op("Add", [g.product(inner, f"down{layer}"), x], f"{layer}.end"), f"second{layer}")
    g.op("Identity", [x], "hidden")
    inputs = [value("ids", 7, ["batch", "sequence"]), value("mask", 7, ["batch", "sequence"])]
    if causal:
        inputs.append(value("order", 1, ["sequence", "sequence"]))
    return model(g.nodes, inputs, [value("hidden", 1, ["batch", "sequence", WIDTH])],
                 [tensor(name, array) for name, array in g.constants.items()])


def expected(ids, mask, order=0.0):
    w = {name: each.astype(np.float64) for name, each in weights().items()}

    def product(x, name):
        return x @ w[name] + w[name + ".bias"]

    def norm(x, name):
        centered = x - x.mean(-1, keepdims=True)
        return centered / np.sqrt((centered ** 2).mean(-1, keepdims=True) + 1e-5) * w[name] + w[name + ".bias"]

    def heads(x):
        return x.reshape(*ids.shape, HEADS, SIZE).transpose(0, 2, 1, 3)
    erf = np.vectorize(math.erf)
    x = w["table"][ids]
    for layer in range(LAYERS):
        q, k, v = (heads(product(x, f"{name}{layer}")) for name in "qkv")
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(SIZE) + (1 - mask[:, None, None, :]) * -1e30 + order
        soft = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (soft / soft.sum(-1, keepdims=True)) @ v
        x = norm(product(mixed.transpose(0, 2, 1, 3).reshape(x.shape), f"o{layer}") + x, f"first{layer}")
        up = product(x, f"up{layer}")
        x = norm(product(up * (1 + erf(up / math.sqrt(2))) / 2, f"down{layer}") + x, f"second{layer}")
    return x


class Encoder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def compile(self, text, *options):
        with open(self.path("m.onnx"), "wb") as file:
            file.write(text)
        done = subprocess.run([SINTERC, self.path("m.onnx"), "-o", self.path("m.sinter"), "--max-dim", "batch=3",
                               "--max-dim", f"sequence={MOST}", "--json", *options], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def run_with(self, threads="2", **inputs):
        command = [SINTER, "exec", self.path("m.sinter"), "--output-dir", self.path("out"), "--threads", threads]
        for name, array in inputs.items():
            np.save(self.path(name + ".npy"), array)
            command += ["--input", f"{name}={self.path(name)}.npy"]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return np.load(self.path("out/hidden.npy"))

    def batches(self):
        random = np.random.default_rng(5)
        for shape in [(1, 1), (1, 33), (2, 7), (3, MOST)]:
            ids, mask = random.integers(0, VOCAB, shape), np.ones(shape, np.int64)
            for row in range(shape[0]):
                mask[row, random.integers(1, shape[1] + 1):] = 0
            yield ids, mask

    def test_f32(self):
        raised = self.compile(encoder())["raised"]
        self.assertEqual({name: raised[name] for name in ["linear", "layer norm", "attention", "gelu"]},
                         {"linear": 6 * LAYERS, "layer norm": 2 * LAYERS, "attention": LAYERS, "gelu": LAYERS})
        for ids, mask in self.batches():
            y = self.run_with(ids=ids, mask=mask)
            # Two layers of f32 sums of at most 128 products; outputs are about 1.
            np.testing.assert_allclose(y, expected(ids, mask), atol=2e-5)
            np.testing.assert_array_equal(y, self.run_with("1", ids=ids, mask=mask))

    def close(self, least):
        for ids, mask in self.batches():
            y, wanted = self.run_with(ids=ids, mask=mask), expected(ids, mask)
            cosine = (y * wanted).sum(-1) / np.linalg.norm(y, axis=-1) / np.linalg.norm(wanted, axis=-1)
            self.assertGreater(cosine.min(), least)

    def test_codes(self):
        # As the file has it: one range for all activations of a step.
        raised = self.compile(encoder(codes=True))["raised"]
        self.assertNotIn("linear", raised)
        self.assertEqual(raised["attention"], LAYERS)
        self.close(0.995)
        # As products of ours: one range for a part of a row.
        raised = self.compile(encoder(codes=True), "--quantize", "q8")["raised"]
        self.assertEqual([raised["linear"], raised["attention"]], [6 * LAYERS, LAYERS])
        self.close(0.999)

    def test_other_formats(self):
        self.compile(encoder(), "--quantize", "q8")
        self.close(0.999)

    def test_a_mask_for_each_query_stays_generic(self):
        raised = self.compile(encoder(causal=True))["raised"]
        self.assertNotIn("attention", raised)
        self.assertEqual(raised["linear"], 6 * LAYERS)
        for ids, mask in self.batches():
            order = np.triu(np.full([ids.shape[1]] * 2, -1e30, np.float32), 1)
            np.testing.assert_allclose(self.run_with(ids=ids, mask=mask, order=order), expected(ids, mask, order), atol=2e-5)


if __name__ == "__main__":
    unittest.main()
