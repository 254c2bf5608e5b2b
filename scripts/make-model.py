#!/usr/bin/python3
"""Writes a Hugging Face model directory with random weights, in the shape of a known model.

Compilers do not care what weights say: sizes, speed, memory and agreement with the reference can be measured on noise.
The weights are scaled so that activations stay near 1 and logits spread like those of a real model. Weights are
written piece by piece, so that a model of a billion parameters needs some megabytes of memory. The same name, seed and
dtype give the same bytes, however many files they are divided into.

  make-model.py --list                              what shapes there are
  make-model.py tiny-qwen3 --out /tmp/tiny-qwen3    a model for tests, written at once
  make-model.py llama-1b --out /tmp/llama-1b        2.5 GB, the shape of Llama 3.2 1B

There is no tokenizer: run with `sinter run FILE --prompt-ids 1,2,3`, or `sinter bench FILE`.
"""

import argparse
import json
import pathlib
import struct
import sys

try:
    import numpy as np
except ImportError:
    sys.exit(f"make-model.py: {sys.executable} has no numpy; install python3-numpy and run this file itself")

CHUNK = 1 << 20  # elements generated at a time

LLAMA3_ROPE = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 8192}


def decoder(family, hidden, layers, heads, kv_heads, ffn, vocab, context, **more):
    """A config.json; `more` holds whatever the common keys do not."""
    architecture = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}[family]
    config = {
        "architectures": [architecture + "ForCausalLM"], "model_type": family, "hidden_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "intermediate_size": ffn, "vocab_size": vocab, "max_position_embeddings": context, "hidden_act": "silu",
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2,
    }
    config.update(more)
    return config


def encoder(family, architecture, hidden, layers, heads, ffn, vocab, context, **more):
    """A config.json of an encoder, in the family's own keys."""
    config = {"architectures": [architecture], "model_type": family, "vocab_size": vocab,
              "max_position_embeddings": context, "layer_norm_eps": 1e-12}
    if family == "distilbert":
        config.update({"dim": hidden, "n_layers": layers, "n_heads": heads, "hidden_dim": ffn, "activation": "gelu"})
    else:
        config.update({"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
                       "intermediate_size": ffn, "hidden_act": "gelu", "type_vocab_size": 2})
    config.update({"pad_token_id": 0 if family in ("bert", "distilbert") else 1, **more})
    return config


LABELS = {"0": "sad", "1": "glad", "2": "mad"}

# name: (what it is for, config, files it is divided into)
SHAPES = {
    "llama-1b": ("Llama 3.2 1B", decoder(
        "llama", 2048, 16, 32, 8, 8192, 128256, 131072, head_dim=64, rope_theta=500000.0, rope_scaling=LLAMA3_ROPE,
        bos_token_id=128000, eos_token_id=[128001, 128008, 128009]), 1),
    "smollm2-135m": ("SmolLM2 135M", decoder(
        "llama", 576, 30, 9, 3, 1536, 49152, 8192, rope_theta=100000.0), 1),
    "qwen2.5-0.5b": ("Qwen2.5 0.5B", decoder(
        "qwen2", 896, 24, 14, 2, 4864, 151936, 32768, rms_norm_eps=1e-6, rope_theta=1e6, use_sliding_window=False,
        sliding_window=32768, max_window_layers=21, bos_token_id=151643, eos_token_id=151643), 1),
    "qwen3-0.6b": ("Qwen3 0.6B", decoder(
        "qwen3", 1024, 28, 16, 8, 3072, 151936, 40960, head_dim=128, rms_norm_eps=1e-6, rope_theta=1e6,
        attention_bias=False, use_sliding_window=False, sliding_window=None, max_window_layers=28,
        bos_token_id=151643, eos_token_id=151645), 1),
    "tiny-llama3": ("llama3 rope scaling, within reach of short contexts", decoder(
        "llama", 64, 3, 4, 2, 160, 320, 512, rope_theta=500000.0,
        rope_scaling={**LLAMA3_ROPE, "factor": 8.0, "original_max_position_embeddings": 64}), 1),
    "tiny-llama-bias": ("biases on every projection", decoder(
        "llama", 64, 2, 4, 4, 128, 256, 256, attention_bias=True, mlp_bias=True), 1),
    "tiny-linear": ("linear rope scaling, in the newer spelling", decoder(
        "llama", 64, 2, 4, 1, 96, 256, 256, rope_theta=None,
        rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 20000.0}), 1),
    "tiny-untied": ("a head of its own, three files with an index, widths that no tile divides", decoder(
        "llama", 80, 3, 5, 1, 200, 300, 256, tie_word_embeddings=False), 3),
    "wide-vocab": ("an embedding of 137 MiB in f32", decoder("llama", 256, 1, 4, 1, 64, 140000, 128), 1),
    "tiny-mistral": ("a sliding window of 32 tokens in every layer", decoder(
        "mistral", 64, 4, 8, 2, 192, 512, 512, head_dim=16, sliding_window=32), 1),
    "tiny-qwen2": ("query, key and value biases", decoder(
        "qwen2", 64, 3, 4, 2, 160, 384, 256, rms_norm_eps=1e-6, rope_theta=1e6), 1),
    "tiny-qwen2-mixed": ("a window in the last two of four layers", decoder(
        "qwen2", 64, 4, 4, 2, 160, 384, 256, use_sliding_window=True, sliding_window=16, max_window_layers=2), 1),
    "tiny-qwen2-yarn": ("yarn rope scaling", decoder(
        "qwen2", 64, 2, 2, 1, 128, 256, 512, rope_scaling={
            "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}), 1),
    "tiny-qwen3": ("query and key norms, heads wider than hidden / heads", decoder(
        "qwen3", 64, 3, 4, 2, 160, 384, 256, head_dim=32, rms_norm_eps=1e-6, rope_theta=1e6), 1),
    "minilm-l6": ("all-MiniLM-L6-v2", encoder("bert", "BertModel", 384, 6, 12, 1536, 30522, 512), 1),
    "bge-base": ("BGE base, the shape of BERT base", encoder("bert", "BertModel", 768, 12, 12, 3072, 30522, 512), 1),
    "tiny-bert": ("an encoder pooled by the mean, widths that no tile divides", encoder(
        "bert", "BertModel", 80, 3, 4, 200, 320, 128), 1),
    "tiny-bert-sentence": ("sentence-transformers' files: first token, a dense layer, unit length", encoder(
        "bert", "BertModel", 64, 2, 2, 128, 320, 96), 1),
    "tiny-bert-classifier": ("three labels behind BERT's pooler", encoder(
        "bert", "BertForSequenceClassification", 64, 2, 4, 160, 320, 96, id2label=LABELS), 1),
    "tiny-bert-tagger": ("three labels for each token, norms named gamma and beta", encoder(
        "bert", "BertForTokenClassification", 64, 2, 4, 160, 320, 96, id2label=LABELS), 1),
    "tiny-roberta": ("positions behind the padding's, one token type", encoder(
        "roberta", "RobertaForSequenceClassification", 64, 2, 4, 160, 320, 98, id2label=LABELS, type_vocab_size=1,
        layer_norm_eps=1e-5), 1),
    "tiny-mpnet": ("relative attention bias, no token types", encoder(
        "mpnet", "MPNetForMaskedLM", 64, 3, 4, 160, 320, 258, relative_attention_num_buckets=32,
        layer_norm_eps=1e-5), 1),
    "tiny-distilbert": ("other names for everything", encoder(
        "distilbert", "DistilBertForSequenceClassification", 64, 2, 4, 160, 320, 96, id2label=LABELS), 1),
}

# Files besides config.json and the weights: name -> JSON, or weights (name, shape, mean, deviation).
SENTENCE = "sentence_transformers.models."
EXTRA_FILES = {
    "tiny-bert-sentence": {
        "modules.json": [{"idx": 0, "name": "0", "path": "", "type": SENTENCE + "Transformer"},
                         {"idx": 1, "name": "1", "path": "1_Pooling", "type": SENTENCE + "Pooling"},
                         {"idx": 2, "name": "2", "path": "2_Dense", "type": SENTENCE + "Dense"},
                         {"idx": 3, "name": "3", "path": "3_Normalize", "type": SENTENCE + "Normalize"}],
        "1_Pooling/config.json": {"word_embedding_dimension": 64, "pooling_mode_cls_token": True,
                                  "pooling_mode_mean_tokens": False},
        "2_Dense/config.json": {"in_features": 64, "out_features": 48, "bias": True,
                                "activation_function": "torch.nn.modules.activation.Tanh"},
        "2_Dense/model.safetensors": [("linear.weight", [48, 64], 0.0, 0.125), ("linear.bias", [48], 0.0, 0.2)],
    },
}

DTYPES = {"f32": ("F32", 4), "f16": ("F16", 2), "bf16": ("BF16", 2)}


# Names of an encoder's tensors: prefix, layer, q, k, v, o, norm, up, down, norm.
BERT_NAMES = ("encoder.layer.{}.", "attention.self.query", "attention.self.key", "attention.self.value",
              "attention.output.dense", "attention.output.LayerNorm", "intermediate.dense", "output.dense",
              "output.LayerNorm")
ENCODER_NAMES = {
    "bert": BERT_NAMES,
    "roberta": BERT_NAMES,
    "mpnet": ("encoder.layer.{}.", "attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o",
              "attention.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"),
    "distilbert": ("transformer.layer.{}.", "attention.q_lin", "attention.k_lin", "attention.v_lin",
                   "attention.out_lin", "sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm"),
}


def encoder_tensors(config):
    family, architecture = config["model_type"], config["architectures"][0]
    hidden, layers = config.get("hidden_size") or config["dim"], config.get("num_hidden_layers") or config["n_layers"]
    ffn, heads = config.get("intermediate_size") or config["hidden_dim"], config.get("num_attention_heads")
    prefix = "" if architecture.endswith("Model") else family + "."
    old_norms = architecture == "BertForTokenClassification"
    layer_name, q, k, v, o, attention_norm, up, down, output_norm = ENCODER_NAMES[family]

    def product(name, outputs, inputs):
        yield name + ".weight", [outputs, inputs], 0.0, inputs ** -0.5
        yield name + ".bias", [outputs], 0.0, 0.2

    def norm(name):
        yield name + (".gamma" if old_norms else ".weight"), [hidden], 1.0, 0.1
        yield name + (".beta" if old_norms else ".bias"), [hidden], 0.0, 0.1

    embeddings = prefix + "embeddings."
    yield embeddings + "word_embeddings.weight", [config["vocab_size"], hidden], 0.0, 1.0
    yield embeddings + "position_embeddings.weight", [config["max_position_embeddings"], hidden], 0.0, 0.5
    if family in ("bert", "roberta"):
        yield embeddings + "token_type_embeddings.weight", [config["type_vocab_size"], hidden], 0.0, 0.5
    yield from norm(embeddings + "LayerNorm")
    if family == "mpnet":
        yield prefix + "encoder.relative_attention_bias.weight", [config["relative_attention_num_buckets"], heads], 0.0, 1.0
    for number in range(layers):
        layer = prefix + layer_name.format(number)
        for name in (q, k, v, o):
            yield from product(layer + name, hidden, hidden)
        yield from norm(layer + attention_norm)
        yield from product(layer + up, ffn, hidden)
        yield from product(layer + down, hidden, ffn)
        yield from norm(layer + output_norm)
    labels = len(config.get("id2label", {}))
    if architecture == "BertForSequenceClassification":
        yield from product("bert.pooler.dense", hidden, hidden)
        yield from product("classifier", labels, hidden)
    elif architecture.endswith("ForTokenClassification"):
        yield from product("classifier", labels, hidden)
    elif architecture == "RobertaForSequenceClassification":
        yield from product("classifier.dense", hidden, hidden)
        yield from product("classifier.out_proj", labels, hidden)
    elif architecture == "DistilBertForSequenceClassification":
        yield from product("pre_classifier", hidden, hidden)
        yield from product("classifier", labels, hidden)


def tensors(config):
    """Yields (name, shape, mean, deviation) of every weight, in the order they are stored."""
    if config["model_type"] in ENCODER_NAMES:
        yield from encoder_tensors(config)
        return
    family, hidden, ffn = config["model_type"], config["hidden_size"], config["intermediate_size"]
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = config.get("head_dim") or hidden // heads
    biased = config.get("attention_bias", False)
    qkv_bias = biased or family == "qwen2"

    def projection(name, outputs, inputs, bias):
        yield name + ".weight", [outputs, inputs], 0.0, inputs ** -0.5
        if bias:
            yield name + ".bias", [outputs], 0.0, 0.2

    def norm(name, elements):
        yield name + ".weight", [elements], 1.0, 0.1

    yield "model.embed_tokens.weight", [config["vocab_size"], hidden], 0.0, 1.5 * hidden ** -0.5
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        yield from norm(prefix + "input_layernorm", hidden)
        yield from projection(prefix + "self_attn.q_proj", heads * head_dim, hidden, qkv_bias)
        yield from projection(prefix + "self_attn.k_proj", kv_heads * head_dim, hidden, qkv_bias)
        yield from projection(prefix + "self_attn.v_proj", kv_heads * head_dim, hidden, qkv_bias)
        yield from projection(prefix + "self_attn.o_proj", hidden, heads * head_dim, biased)
        if family == "qwen3":
            yield from norm(prefix + "self_attn.q_norm", head_dim)
            yield from norm(prefix + "self_attn.k_norm", head_dim)
        yield from norm(prefix + "post_attention_layernorm", hidden)
        yield from projection(prefix + "mlp.gate_proj", ffn, hidden, config.get("mlp_bias", False))
        yield from projection(prefix + "mlp.up_proj", ffn, hidden, config.get("mlp_bias", False))
        yield from projection(prefix + "mlp.down_proj", hidden, ffn, config.get("mlp_bias", False))
    yield from norm("model.norm", hidden)
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", [config["vocab_size"], hidden], 0.0, 1.5 * hidden ** -0.5


def encode(values, dtype):
    """f32 values to the bytes of `dtype`, rounded to nearest, ties to even."""
    if dtype == "f32":
        return values.astype("<f4").tobytes()
    if dtype == "f16":
        return values.astype("<f2").tobytes()
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()


def write_file(path, members, dtype, seed, progress):
    """members: (number in the model, name, shape, mean, deviation) of each tensor in this file."""
    label, width = DTYPES[dtype]
    header, position = {"__metadata__": {"format": "pt"}}, 0
    for _, name, shape, _, _ in members:
        size = int(np.prod(shape)) * width
        header[name] = {"dtype": label, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for number, _, shape, mean, deviation in members:
            generator = np.random.default_rng([seed, number])
            left = int(np.prod(shape))
            while left:
                count = min(left, CHUNK)
                values = generator.standard_normal(count, dtype=np.float32)
                out.write(encode(values * np.float32(deviation) + np.float32(mean), dtype))
                left -= count
                progress(count)
    partial.replace(path)
    return position


def write_model(out, config, shards, dtype, seed, extra_files):
    """Writes the directory; returns (parameters, bytes of weights)."""
    out.mkdir(parents=True, exist_ok=True)
    for name, content in extra_files.items():
        path = out / name
        path.parent.mkdir(exist_ok=True)
        if name.endswith(".safetensors"):
            # Numbers of their own, far from those of the model's tensors.
            write_file(path, [(1000000 + i, *tensor) for i, tensor in enumerate(content)], dtype, seed, lambda count: None)
        else:
            path.write_text(json.dumps(content, indent=1) + "\n")
    members = [(number, *tensor) for number, tensor in enumerate(tensors(config))]
    total = sum(int(np.prod(shape)) for _, _, shape, _, _ in members)
    done = 0

    def progress(count):
        nonlocal done
        done += count
        if sys.stderr.isatty():
            print(f"\r{100 * done // total:3d} % of {total / 1e6:.1f} M weights", end="", file=sys.stderr)

    # A directory that held the other form would keep files that disagree with these.
    for stale in [*out.glob("model*.safetensors"), *out.glob("model.safetensors.index.json")]:
        stale.unlink()
    weight_map, size = {}, 0
    for shard in range(shards):
        name = "model.safetensors" if shards == 1 else f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        part = members[len(members) * shard // shards:len(members) * (shard + 1) // shards]
        size += write_file(out / name, part, dtype, seed, progress)
        weight_map.update({tensor: name for _, tensor, _, _, _ in part})
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if shards > 1:
        index = {"metadata": {"total_size": size}, "weight_map": weight_map}
        (out / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    torch_names = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
    config = {key: value for key, value in config.items() if value is not None or key == "sliding_window"}
    (out / "config.json").write_text(json.dumps({**config, "torch_dtype": torch_names[dtype]}, indent=1) + "\n")
    return total, size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", nargs="?", metavar="SHAPE", help="a name from --list")
    parser.add_argument("--out", type=pathlib.Path, metavar="DIR", help="directory to write, made if absent")
    parser.add_argument("--dtype", choices=DTYPES, default="bf16", help="how weights are stored (default: bf16)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the random numbers, from 0 (default: 0)")
    parser.add_argument("--shards", type=int, metavar="N", help="files to divide the weights into (default: see --list)")
    parser.add_argument("--list", action="store_true", help="print the shapes and exit")
    args = parser.parse_args()
    if args.list:
        for name, (purpose, config, shards) in SHAPES.items():
            millions = sum(int(np.prod(shape)) for _, shape, _, _ in tensors(config)) / 1e6
            files = f", {shards} files" if shards > 1 else ""
            print(f"{name:18} {config['model_type']:8} {millions:8.2f} M weights   {purpose}{files}")
        return
    if not args.shape or not args.out:
        parser.error("expected a shape and --out DIR; --list prints the shapes")
    if args.shape not in SHAPES:
        parser.error(f"no shape '{args.shape}', expected one of {', '.join(SHAPES)}")
    _, config, shards = SHAPES[args.shape]
    shards = shards if args.shards is None else args.shards
    if args.seed < 0 or not 1 <= shards <= 99:
        parser.error("--seed must not be negative, --shards must be from 1 to 99")
    total, size = write_model(args.out, config, shards, args.dtype, args.seed, EXTRA_FILES.get(args.shape, {}))
    print(f"{args.out}: {args.shape}, {total / 1e6:.2f} M weights, {size / 1e6:.1f} MB as {args.dtype}")


if __name__ == "__main__":
    main()
