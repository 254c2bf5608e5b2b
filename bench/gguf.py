#!/usr/bin/python3
"""Writes a Hugging Face directory of a Llama or Qwen2 model as GGUF, so that llama.cpp can run the same weights beside us.

Formats: f16, q8_0, q4_0 for the layers' matrices; embeddings and head are f16 with f16, q8_0 with q8_0 and q6_K with q4_0 (q8_0
if 256 does not divide the columns), as llama.cpp's own quantizer does it. Scales are the plain ones of the formats'
definitions (largest magnitude of the block).

usage: gguf.py MODEL_DIRECTORY FORMAT OUTPUT.gguf
"""
import json
import os
import struct
import sys

import numpy as np

ALIGNMENT = 32
F32, F16, Q4_0, Q8_0, Q6_K = 0, 1, 2, 8, 14  # ggml's type numbers
U32, FLOAT, STRING = 4, 6, 8                 # GGUF's metadata types
BODY_AND_HEAD = {"f16": (F16, F16), "q8_0": (Q8_0, Q8_0), "q4_0": (Q4_0, Q6_K)}


class Safetensors:
    """The tensors of a directory, mapped."""

    def __init__(self, directory):
        self.tensors = {}
        for name in sorted(os.listdir(directory)):
            if name.endswith(".safetensors"):
                path = os.path.join(directory, name)
                with open(path, "rb") as file:
                    size = struct.unpack("<Q", file.read(8))[0]
                    header = json.loads(file.read(size))
                data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + size)
                for key, entry in header.items():
                    if key != "__metadata__":
                        self.tensors[key] = (entry, data)

    def rows(self, name, begin, end):
        """Rows [begin, end) as f32; a vector is one row."""
        entry, data = self.tensors[name]
        columns = entry["shape"][-1]
        width = {"F32": 4, "F16": 2, "BF16": 2}[entry["dtype"]]
        start = entry["data_offsets"][0] + begin * columns * width
        raw = data[start:start + (end - begin) * columns * width]
        if entry["dtype"] == "F32":
            values = raw.view(np.float32)
        elif entry["dtype"] == "F16":
            values = raw.view(np.float16).astype(np.float32)
        else:
            values = (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return values.reshape(end - begin, columns)


def q8_0(rows):
    blocks = rows.reshape(-1, 32)
    scale = (np.abs(blocks).max(axis=1) / 127).astype(np.float16)
    inverse = np.divide(1, scale.astype(np.float32), out=np.zeros(len(scale), np.float32), where=scale != 0)
    codes = np.rint(blocks * inverse[:, None]).clip(-127, 127).astype(np.int8)
    return np.hstack([scale[:, None].view(np.uint8), codes.view(np.uint8)])


def q4_0(rows):
    blocks = rows.reshape(-1, 32)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)[:, 0]
    scale = (largest / -8).astype(np.float16)
    inverse = np.divide(1, scale.astype(np.float32), out=np.zeros(len(scale), np.float32), where=scale != 0)
    codes = (np.rint(blocks * inverse[:, None]) + 8).clip(0, 15).astype(np.uint8)
    return np.hstack([scale[:, None].view(np.uint8), codes[:, :16] | codes[:, 16:] << 4])


def q6_k(rows):
    # 256 values: low 4 bits [128 bytes], high 2 bits [64], a signed scale for each 16 [16], f16 scale of the scales.
    blocks = rows.reshape(-1, 16, 16)
    wanted = np.abs(blocks).max(axis=2) / 31
    scale = (wanted.max(axis=1) / 127).astype(np.float16)
    inverse = np.divide(1, scale.astype(np.float32), out=np.zeros(len(scale), np.float32), where=scale != 0)
    scales = np.rint(wanted * inverse[:, None]).clip(0, 127).astype(np.int8)
    step = scales.astype(np.float32) * scale.astype(np.float32)[:, None]
    inverse = np.divide(1, step, out=np.zeros_like(step), where=step != 0)
    codes = (np.rint(blocks * inverse[:, :, None]).clip(-32, 31) + 32).astype(np.uint8).reshape(-1, 2, 4, 32)
    low = codes & 15
    ql = np.stack([low[:, :, 0] | low[:, :, 2] << 4, low[:, :, 1] | low[:, :, 3] << 4], axis=2).reshape(-1, 128)
    high = codes >> 4
    qh = (high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6).reshape(-1, 64)
    return np.hstack([ql, qh, scales.view(np.uint8), scale[:, None].view(np.uint8)])


ENCODE = {F32: lambda rows: rows.astype(np.float32), F16: lambda rows: rows.astype(np.float16), Q8_0: q8_0, Q4_0: q4_0, Q6_K: q6_k}
BYTES = {F32: (1, 4), F16: (1, 2), Q8_0: (32, 34), Q4_0: (32, 18), Q6_K: (256, 210)}


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def main():
    if len(sys.argv) != 4 or sys.argv[2] not in BODY_AND_HEAD:
        sys.exit(__doc__)
    directory, (body, head), output = sys.argv[1], BODY_AND_HEAD[sys.argv[2]], sys.argv[3]
    config = json.load(open(os.path.join(directory, "config.json")))
    model = Safetensors(directory)
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    kv_heads = config.get("num_key_value_heads", heads)
    head_dim = config.get("head_dim") or hidden // heads

    # Hugging Face's name of the family is llama.cpp's name of the architecture. `swaps`: see below.
    family = config["model_type"]
    if family not in ("llama", "qwen2"):
        sys.exit(f"gguf.py: {directory}/config.json has model_type {family}, expected llama or qwen2")
    swaps = family == "llama"
    metadata = [
        ("general.architecture", STRING, family), ("general.name", STRING, os.path.basename(directory.rstrip("/"))),
        ("general.alignment", U32, ALIGNMENT),
        (f"{family}.block_count", U32, config["num_hidden_layers"]),
        (f"{family}.context_length", U32, config["max_position_embeddings"]),
        (f"{family}.embedding_length", U32, hidden), (f"{family}.feed_forward_length", U32, config["intermediate_size"]),
        (f"{family}.attention.head_count", U32, heads), (f"{family}.attention.head_count_kv", U32, kv_heads),
        (f"{family}.attention.key_length", U32, head_dim), (f"{family}.attention.value_length", U32, head_dim),
        (f"{family}.attention.layer_norm_rms_epsilon", FLOAT, config["rms_norm_eps"]),
        (f"{family}.rope.freq_base", FLOAT, float(config.get("rope_theta", 10000.0))),
        (f"{family}.rope.dimension_count", U32, head_dim), (f"{family}.vocab_size", U32, config["vocab_size"]),
        ("tokenizer.ggml.model", STRING, "no_vocab"),
    ]
    if head == Q6_K and hidden % BYTES[Q6_K][0]:
        head = Q8_0  # as llama.cpp's quantizer falls back
    # Tensors: GGUF name with .weight or .bias, ours, type, heads whose halves interleave (0: none).
    tensors = [("token_embd.weight", "model.embed_tokens.weight", head, 0), ("output_norm.weight", "model.norm.weight", F32, 0)]
    if not config.get("tie_word_embeddings", False):
        tensors.append(("output.weight", "lm_head.weight", head, 0))
    names = [("attn_norm", "input_layernorm", F32, 0), ("attn_q", "self_attn.q_proj", body, heads if swaps else 0),
             ("attn_k", "self_attn.k_proj", body, kv_heads if swaps else 0), ("attn_v", "self_attn.v_proj", body, 0),
             ("attn_output", "self_attn.o_proj", body, 0), ("ffn_norm", "post_attention_layernorm", F32, 0),
             ("ffn_gate", "mlp.gate_proj", body, 0), ("ffn_up", "mlp.up_proj", body, 0), ("ffn_down", "mlp.down_proj", body, 0)]
    for layer in range(config["num_hidden_layers"]):
        for theirs, ours, kind, pairs in names:
            source = f"model.layers.{layer}.{ours}"
            tensors.append((f"blk.{layer}.{theirs}.weight", source + ".weight", kind, pairs))
            if source + ".bias" in model.tensors:
                if pairs:
                    sys.exit(f"gguf.py: {source} has a bias, which is not written for {family}")
                tensors.append((f"blk.{layer}.{theirs}.bias", source + ".bias", F32, 0))

    header = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))
    for key, kind, value in metadata:
        header += text(key) + struct.pack("<I", kind)
        header += text(value) if kind == STRING else struct.pack("<I" if kind == U32 else "<f", value)
    offset, sizes = 0, []
    for name, source, kind, _ in tensors:
        shape = model.tensors[source][0]["shape"]
        block, width = BYTES[kind]
        if shape[-1] % block:
            sys.exit(f"gguf.py: {source} has {shape[-1]} columns, not a multiple of {block}")
        size = int(np.prod(shape)) // block * width
        header += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *reversed(shape))
        header += struct.pack("<IQ", kind, offset)
        sizes.append(size)
        offset += (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT

    with open(output, "wb") as file:
        file.write(header + b"\0" * (-len(header) % ALIGNMENT))
        for (name, source, kind, pairs), size in zip(tensors, sizes):
            shape = model.tensors[source][0]["shape"]
            count = shape[0] if len(shape) == 2 else 1
            # llama.cpp rotates neighbouring columns of Llama, Hugging Face the two halves of a head: the rows of Q and K change
            # places. Of Qwen2 both rotate halves.
            step = shape[0] // pairs if pairs else 2048
            for begin in range(0, count, step):
                rows = model.rows(source, begin, min(begin + step, count))
                if pairs:
                    rows = rows.reshape(2, step // 2, -1).swapaxes(0, 1).reshape(step, -1)
                file.write(ENCODE[kind](rows).tobytes())
            file.write(b"\0" * (-size % ALIGNMENT))


main()
