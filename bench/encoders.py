#!/usr/bin/python3
"""Latency of one text in Sinter and ONNX Runtime, side by side: the same model, the same threads, in turns.

  npm pack onnxruntime-node@1.30.0 onnxruntime-common@1.30.0     unpack both side by side, in node_modules
  bench/encoders.py --ort node_modules/onnxruntime-node --threads 2 \\
      --sinter "f32=minilm-f32.sinter" --sinter "q8=minilm-q8.sinter" \\
      --exec "ONNX file, f32=minilm-onnx.sinter" \\
      --onnx "ORT f32=model.onnx" --onnx "ORT int8=model_quantized.onnx" --tokens 16,64,128,256,512

Every measurement is a process of its own; rounds go through all contestants before the next one begins, and a number is
the median of the rounds' medians. --results FILE keeps the numbers, and later calls add lengths to it; --table and --plot
write what is in it as Markdown and SVG.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
COLORS = ["#1f77b4", "#2ca02c", "#d62728", "#ff7f0e", "#9467bd", "#8c564b"]


def named(text):
    name, found, path = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError(f"expected NAME=FILE, found '{text}'")
    return name, path


def sinter_times(args, package, tokens):
    """Milliseconds of each round: as many rounds as fit the time, judged by a first short call."""
    def call(rounds):
        done = subprocess.run([args.program, "bench", package, "--prompt-tokens", str(tokens), "--repeat", str(rounds),
                               "--threads", str(args.threads), "--json"], capture_output=True, text=True, check=True)
        return [1000 * tokens / rate for rate in json.loads(done.stdout)["encode_runs"]]
    guess = statistics.median(call(3))
    return call(max(5, int(1000 * args.seconds / guess)))


def program_times(args, package, tokens):
    """The same of a package of an ONNX file, whose inputs are those that encoders have."""
    import numpy
    with tempfile.TemporaryDirectory() as folder:
        rows = {"input_ids": 1000 + numpy.arange(tokens) * 7919 % 20000, "attention_mask": numpy.ones(tokens),
                "token_type_ids": numpy.zeros(tokens)}
        inputs = []
        for name, values in rows.items():
            numpy.save(f"{folder}/{name}.npy", values.astype(numpy.int64)[None])
            inputs += ["--input", f"{name}={folder}/{name}.npy"]

        def call(rounds):
            done = subprocess.run([args.program, "exec", package, *inputs, "--repeat", str(rounds), "--threads",
                                   str(args.threads), "--json"], capture_output=True, text=True, check=True)
            return json.loads(done.stdout)["runs"]
        guess = statistics.median(call(3))
        return call(max(5, int(1000 * args.seconds / guess)))


def ort_times(args, model, tokens):
    script = pathlib.Path(__file__).with_name("onnx_runtime.js")
    done = subprocess.run(["node", script, pathlib.Path(args.ort).resolve(), model, str(tokens), str(args.threads),
                           str(args.seconds)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"encoders.py: {model}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def measure(args, results):
    contestants = [(name, path, sinter_times) for name, path in args.sinter] + \
                  [(name, path, program_times) for name, path in args.exec] + \
                  [(name, path, ort_times) for name, path in args.onnx]
    for tokens in args.tokens:
        rounds = {name: [] for name, _, _ in contestants}
        for _ in range(args.rounds):
            for name, path, time in contestants:
                rounds[name].append(statistics.median(time(args, path, tokens)))
        for name, values in rounds.items():
            results.setdefault(name, {})[str(tokens)] = statistics.median(values)
            print(f"{name:12} {tokens:5} tokens {statistics.median(values):9.3f} ms  "
                  f"({min(values):.3f} to {max(values):.3f})", flush=True)


def table(results):
    lengths = sorted({int(tokens) for row in results.values() for tokens in row})
    lines = ["| ms, one text of | " + " | ".join(map(str, lengths)) + " |", "|---|" + "---|" * len(lengths)]
    for name, row in results.items():
        lines.append(f"| {name} | " + " | ".join(f"{row[str(n)]:.2f}" if str(n) in row else "" for n in lengths) + " |")
    return "\n".join(lines) + "\n"


def plot(results):
    """Milliseconds over tokens, both logarithmic, without a library."""
    import math
    width, height, left, bottom = 640, 400, 60, 50
    lengths = sorted({int(tokens) for row in results.values() for tokens in row})
    times = [value for row in results.values() for value in row.values()]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))

    def x(tokens):
        span = math.log2(lengths[-1] / lengths[0]) or 1
        return left + math.log2(tokens / lengths[0]) / span * (width - left - 150)

    def y(milliseconds):
        return height - bottom - (math.log10(milliseconds) - low) / (high - low) * (height - bottom - 20)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
             f'font-size="12"><rect width="{width}" height="{height}" fill="white"/>']
    for power in range(low, high + 1):
        parts.append(f'<line x1="{left}" x2="{width - 150}" y1="{y(10 ** power):.1f}" y2="{y(10 ** power):.1f}" '
                     f'stroke="#ccc"/><text x="{left - 8}" y="{y(10 ** power) + 4:.1f}" text-anchor="end">'
                     f'{10 ** power:g} ms</text>')
    for tokens in lengths:
        parts.append(f'<text x="{x(tokens):.1f}" y="{height - bottom + 20}" text-anchor="middle">{tokens}</text>')
    parts.append(f'<text x="{(left + width - 150) / 2}" y="{height - 10}" text-anchor="middle">tokens of the text</text>')
    for (name, row), color in zip(results.items(), COLORS * 4):
        points = [(x(int(tokens)), y(value)) for tokens, value in sorted(row.items(), key=lambda item: int(item[0]))]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>'
                     f'<text x="{points[-1][0] + 8:.1f}" y="{points[-1][1] + 4:.1f}" fill="{color}">{name}</text>')
    return "\n".join(parts) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sinter", type=named, action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--exec", type=named, action="append", default=[], metavar="NAME=FILE", help="a package of an ONNX file")
    parser.add_argument("--onnx", type=named, action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--ort", metavar="DIR", help="folder of npm's onnxruntime-node")
    parser.add_argument("--program", default=ROOT / "build" / "bin" / "sinter", metavar="FILE")
    parser.add_argument("--tokens", type=lambda text: [int(n) for n in text.split(",")], default=[16, 64, 128, 256, 512])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--results", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--table", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--plot", type=pathlib.Path, metavar="FILE")
    args = parser.parse_args()
    if args.onnx and not args.ort:
        parser.error("--onnx needs --ort")
    results = json.loads(args.results.read_text()) if args.results and args.results.exists() else {}
    measure(args, results)
    if args.results:
        args.results.write_text(json.dumps(results, indent=1) + "\n")
    if not results:
        parser.error("nothing to measure: give --sinter or --onnx, or --results with numbers")
    if args.table:
        args.table.write_text(table(results))
    if args.plot:
        args.plot.write_text(plot(results))
    print(table(results), end="")


if __name__ == "__main__":
    main()
