#!/usr/bin/python3
"""Logits of a model directory by the public definition of its family, in float64: a second opinion for FamiliesTest.

Usage: decoder_reference.py DIRECTORY    writes DIRECTORY/logits.f32, [48 tokens, vocabulary]

Reads the files with its own few lines, and goes token by token in the plainest way. No line of it is shared with the
compiler's frontend or evaluator.
"""

import json
import math
import pathlib
import struct
import sys

import numpy as np

TOKENS = 48


def load(directory):
    tensors = {}
    for path in sorted(directory.glob("*.safetensors")):
        raw = path.read_bytes()
        (length,) = struct.unpack("<Q", raw[:8])
        for name, entry in json.loads(raw[8:8 + length]).items():
            if name == "__metadata__":
                continue
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            if entry["dtype"] == "BF16":
                values = (np.frombuffer(raw[begin:end], "<u2").astype(np.uint32) << 16).view(np.float32)
            else:
                values = np.frombuffer(raw[begin:end], {"F32": "<f4", "F16": "<f2"}[entry["dtype"]])
            tensors[name] = values.astype(np.float64).reshape(entry["shape"])
    return tensors


def frequencies(config, dims):
    """Radians per position of each pair of columns, and the scale of cosines and sines."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = rope.get("rope_theta") or config["rope_theta"]
    kind = rope.get("rope_type") or rope.get("type") or "default"
    plain = [theta ** (-2 * i / dims) for i in range(dims // 2)]
    factor = rope.get("factor")
    if kind == "default":
        return plain, 1.0
    if kind == "linear":
        return [f / factor for f in plain], 1.0
    original = rope["original_max_position_embeddings"]
    if kind == "llama3":
        low, high = rope["low_freq_factor"], rope["high_freq_factor"]
        result = []
        for f in plain:
            wavelength = 2 * math.pi / f
            if wavelength < original / high:
                result.append(f)
            elif wavelength > original / low:
                result.append(f / factor)
            else:
                smooth = (original / wavelength - low) / (high - low)
                result.append((1 - smooth) * f / factor + smooth * f)
        return result, 1.0
    assert kind == "yarn", kind

    def correction(rotations):
        return dims * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(theta))

    low, high = max(math.floor(correction(32)), 0), min(math.ceil(correction(1)), dims - 1)
    result = []
    for i, f in enumerate(plain):
        ramp = min(max((i - low) / (high - low), 0.0), 1.0)
        result.append(f / factor * ramp + f * (1 - ramp))
    return result, 0.1 * math.log(factor) + 1


def window_of(config, layer):
    family = config["model_type"]
    if family == "mistral":
        return config["sliding_window"] or 0
    if config.get("use_sliding_window") and layer >= config["max_window_layers"]:
        return config["sliding_window"]
    return 0


def main():
    directory = pathlib.Path(sys.argv[1])
    config = json.loads((directory / "config.json").read_text())
    weights = load(directory)
    hidden, heads, kv_heads = (config[k] for k in ("hidden_size", "num_attention_heads", "num_key_value_heads"))
    dims = config.get("head_dim") or hidden // heads
    radians, scale = frequencies(config, dims)
    epsilon = config["rms_norm_eps"]

    def norm(x, name):
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + epsilon) * weights[name + ".weight"]

    def project(x, name):
        return weights[name + ".weight"] @ x + weights.get(name + ".bias", 0.0)

    def rotate(x, position):  # x: [heads, dims]
        angles = position * np.array(radians)
        cos, sin = np.cos(angles) * scale, np.sin(angles) * scale
        first, second = x[:, :dims // 2], x[:, dims // 2:]
        return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=1)

    cache = [([], []) for _ in range(config["num_hidden_layers"])]
    vocab = config["vocab_size"]
    logits = []
    for position in range(TOKENS):
        x = weights["model.embed_tokens.weight"][(7 * position * position + 3 * position + 1) % vocab]
        for layer, (keys, values) in enumerate(cache):
            prefix = f"model.layers.{layer}."
            h = norm(x, prefix + "input_layernorm")
            q = project(h, prefix + "self_attn.q_proj").reshape(heads, dims)
            k = project(h, prefix + "self_attn.k_proj").reshape(kv_heads, dims)
            v = project(h, prefix + "self_attn.v_proj").reshape(kv_heads, dims)
            if config["model_type"] == "qwen3":
                q, k = norm(q, prefix + "self_attn.q_norm"), norm(k, prefix + "self_attn.k_norm")
            q, k = rotate(q, position), rotate(k, position)
            keys.append(k)
            values.append(v)
            window = window_of(config, layer)
            begin = max(0, position + 1 - window) if window else 0
            mixed = []
            for head in range(heads):
                group = head // (heads // kv_heads)
                scores = np.array([key[group] @ q[head] for key in keys[begin:]]) / math.sqrt(dims)
                shares = np.exp(scores - scores.max())
                shares /= shares.sum()
                mixed.append(sum(share * value[group] for share, value in zip(shares, values[begin:])))
            x = x + project(np.concatenate(mixed), prefix + "self_attn.o_proj")
            h = norm(x, prefix + "post_attention_layernorm")
            gate = project(h, prefix + "mlp.gate_proj")
            up = project(h, prefix + "mlp.up_proj")
            x = x + project(gate / (1 + np.exp(-gate)) * up, prefix + "mlp.down_proj")
        head = "model.embed_tokens" if config["tie_word_embeddings"] else "lm_head"
        logits.append(weights[head + ".weight"] @ norm(x, "model.norm"))
    np.array(logits).astype("<f4").tofile(directory / "logits.f32")


if __name__ == "__main__":
    main()
