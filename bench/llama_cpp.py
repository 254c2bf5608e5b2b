#!/usr/bin/python3
"""Times llama.cpp through its C API, as prebuilt in the npm package node-llama-cpp.

Prefill is one llama_decode of the whole prompt, generation one call per token; both from an empty context, ids random but
seeded. Prints one JSON object per round: {"prefill_tokens_per_second", "decode_tokens_per_second"}.

usage: llama_cpp.py LIBRARY_DIRECTORY MODEL.gguf PROMPT_TOKENS GEN_TOKENS THREADS [ROUNDS [BACKEND]]
BACKEND is a CPU library of the package, e.g. haswell; by default llama.cpp chooses the best for this CPU.
"""
import ctypes
import glob
import json
import os
import random
import sys
import time


class Opaque(ctypes.Structure):
    """A parameter struct of which only the first fields matter. It is larger than the real one: returned through a hidden
    pointer and passed as the last argument on the stack, that does no harm, and its other fields keep their defaults."""
    _fields_ = [("words", ctypes.c_uint32 * 128)]


class Batch(ctypes.Structure):
    _fields_ = [("count", ctypes.c_int32), ("pointers", ctypes.c_void_p * 6)]


def main():
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    folder, path, prompt, generate, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    rounds = int(sys.argv[6]) if len(sys.argv) > 6 else 1
    backend = sys.argv[7] if len(sys.argv) > 7 else None

    for name in ["libggml-base.so", "libggml.v*.so", "libllama.v*.so"]:
        library = ctypes.CDLL(glob.glob(os.path.join(folder, name))[0], mode=ctypes.RTLD_GLOBAL)
        if name.startswith("libggml.v"):
            loader = library
    silent = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
    library.llama_log_set(silent, None)
    if backend:
        loader.ggml_backend_load.restype = ctypes.c_void_p
        if not loader.ggml_backend_load(os.path.join(folder, f"libggml-cpu-{backend}.so").encode()):
            sys.exit(f"llama_cpp.py: no backend {backend}")
    else:
        loader.ggml_backend_load_all_from_path(folder.encode())
    library.llama_backend_init()

    for function, result in [("llama_model_default_params", Opaque), ("llama_context_default_params", Opaque),
                             ("llama_model_load_from_file", ctypes.c_void_p), ("llama_init_from_model", ctypes.c_void_p),
                             ("llama_get_memory", ctypes.c_void_p), ("llama_batch_get_one", Batch)]:
        getattr(library, function).restype = result
    model = library.llama_model_load_from_file(path.encode(), library.llama_model_default_params())
    if not model:
        sys.exit(f"llama_cpp.py: cannot load {path}")
    parameters = library.llama_context_default_params()
    parameters.words[0] = prompt + generate + 8          # n_ctx
    parameters.words[1] = parameters.words[2] = max(prompt, 32)  # n_batch, n_ubatch: the prompt in one go
    context = library.llama_init_from_model(ctypes.c_void_p(model), parameters)
    if not context:
        sys.exit("llama_cpp.py: no context")
    context = ctypes.c_void_p(context)
    library.llama_set_n_threads(context, threads, threads)

    random.seed(1)
    def step(ids):
        array = (ctypes.c_int32 * len(ids))(*ids)
        if library.llama_decode(context, library.llama_batch_get_one(array, len(ids))) != 0:
            sys.exit("llama_cpp.py: llama_decode failed")
        library.llama_get_logits_ith.restype = ctypes.c_void_p
        library.llama_get_logits_ith(context, -1)

    step([5] * 8)  # pages the weights in
    for _ in range(rounds):
        library.llama_memory_clear(ctypes.c_void_p(library.llama_get_memory(context)), True)
        ids = [random.randrange(100, 400) for _ in range(prompt)]
        start = time.perf_counter()
        step(ids)
        middle = time.perf_counter()
        for _ in range(generate):
            step([random.randrange(100, 400)])
        end = time.perf_counter()
        print(json.dumps({"prefill_tokens_per_second": prompt / (middle - start),
                          "decode_tokens_per_second": generate / (end - middle)}), flush=True)


main()
