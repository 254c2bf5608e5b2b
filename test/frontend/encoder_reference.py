#!/usr/bin/python3
"""What an encoder's directory gives by the public definition of its family, in float64: a second opinion for
EncoderFamiliesTest.

Usage: encoder_reference.py DIRECTORY    writes DIRECTORY/output.f32, [rows, width], for 48 tokens

Reads the files with its own few lines. No line of it is shared with the compiler's frontend or evaluator.
"""

import json
import math
import pathlib
import sys

import numpy as np

from decoder_reference import load

TOKENS = 48


def erf(x):
    return np.vectorize(math.erf)(x)


class Weights:
    """Tensors by name, with or without the prefix that a checkpoint with a head has."""

    def __init__(self, tensors, prefix):
        self.tensors, self.prefix = tensors, prefix

    def get(self, name):
        return self.tensors.get(self.prefix + name, self.tensors.get(name))

    def product(self, name, x):
        return x @ self.get(name + ".weight").T + self.get(name + ".bias")

    def norm(self, name, x, epsilon):
        weight, bias = self.get(name + ".weight"), self.get(name + ".bias")
        if weight is None:
            weight, bias = self.get(name + ".gamma"), self.get(name + ".beta")
        centered = x - x.mean(-1, keepdims=True)
        return centered / np.sqrt((centered ** 2).mean(-1, keepdims=True) + epsilon) * weight + bias


def bucket(distance, buckets=32, most=128):
    """Of a key `distance` behind the query, as T5 and MPNet define it."""
    half = buckets // 2
    result = half if distance > 0 else 0
    n = abs(distance)
    exact = half // 2
    if n < exact:
        return result + n
    large = exact + int(math.log(n / exact) / math.log(most / exact) * (half - exact))
    return result + min(large, half - 1)


def hidden_rows(config, w, ids, types):
    family = config["model_type"]
    distil, mpnet = family == "distilbert", family == "mpnet"
    layers = config["n_layers"] if distil else config["num_hidden_layers"]
    heads = config["n_heads"] if distil else config["num_attention_heads"]
    epsilon = 1e-12 if distil else config["layer_norm_eps"]
    first = config["pad_token_id"] + 1 if family in ("roberta", "mpnet") else 0
    count = len(ids)
    x = w.get("embeddings.word_embeddings.weight")[ids]
    x = x + w.get("embeddings.position_embeddings.weight")[first:first + count]
    if not distil and not mpnet:
        x = x + w.get("embeddings.token_type_embeddings.weight")[types]
    x = w.norm("embeddings.LayerNorm", x, epsilon)
    bias = np.zeros((heads, count, count))
    if mpnet:
        table = w.get("encoder.relative_attention_bias.weight")
        for i in range(count):
            for j in range(count):
                bias[:, i, j] = table[bucket(j - i)]
    for number in range(layers):
        p = f"transformer.layer.{number}." if distil else f"encoder.layer.{number}."
        names = (("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "sa_layer_norm", "ffn.lin1",
                  "ffn.lin2", "output_layer_norm") if distil else
                 ("attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o", "attention.LayerNorm",
                  "intermediate.dense", "output.dense", "output.LayerNorm") if mpnet else
                 ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
                  "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"))
        q, k, v = (w.product(p + name, x).reshape(count, heads, -1) for name in names[:3])
        scores = np.einsum("ihd,jhd->hij", q, k) / math.sqrt(q.shape[-1]) + bias
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = np.einsum("hij,jhd->ihd", weights, v).reshape(count, -1)
        x = w.norm(p + names[4], x + w.product(p + names[3], mixed), epsilon)
        up = w.product(p + names[5], x)
        x = w.norm(p + names[7], x + w.product(p + names[6], up * (1 + erf(up / math.sqrt(2))) / 2), epsilon)
    return x


def output(directory, config, w, x):
    architecture = config["architectures"][0]
    if architecture.endswith("ForTokenClassification"):
        return w.product("classifier", x)
    if architecture == "BertForSequenceClassification":
        return w.product("classifier", np.tanh(w.product("pooler.dense", x[:1])))
    if architecture == "RobertaForSequenceClassification":
        return w.product("classifier.out_proj", np.tanh(w.product("classifier.dense", x[:1])))
    if architecture == "DistilBertForSequenceClassification":
        return w.product("classifier", np.maximum(w.product("pre_classifier", x[:1]), 0))
    if (directory / "modules.json").exists(): # as make-model.py writes it
        dense = load(directory / "2_Dense")
        y = np.tanh(x[:1] @ dense["linear.weight"].T + dense["linear.bias"])
        return y / np.linalg.norm(y)
    return x.mean(0, keepdims=True)


def main():
    directory = pathlib.Path(sys.argv[1])
    config = json.loads((directory / "config.json").read_text())
    w = Weights(load(directory), config["model_type"] + ".")
    ids = [(7 * i * i + 3 * i + 1) % config["vocab_size"] for i in range(TOKENS)]
    types = [(i // 20) % max(config.get("type_vocab_size", 1), 1) for i in range(TOKENS)]
    output(directory, config, w, hidden_rows(config, w, ids, types)).astype("<f4").tofile(directory / "output.f32")


if __name__ == "__main__":
    main()
