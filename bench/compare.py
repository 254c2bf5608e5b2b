#!/usr/bin/python3
"""Sinter beside llama.cpp: the same weights, threads and token counts, in turns, with a table of ratios and a plot.

  compare.py                                        smollm2-135m, q4 and q8, 2 threads
  compare.py --shapes smollm2-135m,qwen2.5-0.5b,llama-1b --formats q4,q8,f16 --rounds 5
  compare.py --isa x86-64-avx2 --peer-backend haswell

Models have random weights in known shapes (scripts/make-model.py). llama.cpp is the prebuilt library of the npm package
node-llama-cpp, driven through its C API (bench/llama_cpp.py) from GGUF files of the same weights (bench/gguf.py). Everything
is made once and kept in build/bench. Each round runs both sides, one after the other, so that a machine whose speed drifts is
fair to both; medians and ratios of medians are what to read. Results go to build/bench/results.json and .svg.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "bench"
PEER = "node-llama-cpp@3.22.1"
THEIRS = {"q4": "q4_0", "q8": "q8_0", "f16": "f16"}  # our format: the one it is compared with
PHASES = ["prefill", "decode"]


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, **options)


def peer_libraries():
    """The folder with libllama, installed from npm the first time."""
    place = WORK / "peer"
    folder = place / "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64"
    if not folder.exists():
        place.mkdir(parents=True, exist_ok=True)
        print(f"-- installing {PEER}", file=sys.stderr)
        run("npm", "install", "--silent", "--ignore-scripts", "--no-fund", "--no-audit", "--prefix", place, PEER)
    return folder


def prepare(shape, form, head, target):
    """The model in both engines' files: (ours, theirs)."""
    source = WORK / shape
    if not (source / "model.safetensors").exists():
        print(f"-- making {shape}", file=sys.stderr)
        run(ROOT / "scripts/make-model.py", shape, "--out", source, stdout=sys.stderr)
    theirs = WORK / f"{shape}-{THEIRS[form]}.gguf"
    if not theirs.exists():
        print(f"-- writing {theirs.name}", file=sys.stderr)
        run(ROOT / "bench/gguf.py", source, THEIRS[form], theirs)
    ours = WORK / f"{shape}-{form}-{head or 'default'}-{target}.sinter"
    print(f"-- compiling {ours.name}", file=sys.stderr)
    options = ["--embed-quantize", head] if head else []
    run(ROOT / "build/bin/sinterc", source, "-o", ours, "--quantize", form, "--target", target, *options, stdout=sys.stderr)
    return ours, theirs


def our_round(package, options):
    isa = ["--isa", options.isa] if options.isa else []
    result = run(ROOT / "build/bin/sinter", "bench", package, "--prompt-tokens", options.prompt_tokens, "--gen-tokens",
                 options.gen_tokens, "--threads", options.threads, "--repeat", 1, "--json", *isa, capture_output=True, text=True)
    return json.loads(result.stdout)


def their_round(libraries, gguf, options):
    backend = [1, options.peer_backend] if options.peer_backend else []
    result = run(ROOT / "bench/llama_cpp.py", libraries, gguf, options.prompt_tokens, options.gen_tokens, options.threads,
                 *backend, capture_output=True, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def label(row):
    level = "" if row["isa"] == "native" else " " + row["isa"].removeprefix("x86-64-")
    return f'{row["shape"]} {row["format"]}{level} {row["phase"]} {row["tokens"]}'


def plot(rows, path):
    """Bars of tokens per second, each pair scaled to its larger one, with the ratio beside them."""
    height, left, width = 34, 250, 420
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 170}" height="{len(rows) * height + 40}" '
             'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>']
    for number, (name, color) in enumerate([("Sinter", "#2a6f97"), ("llama.cpp", "#c9b79c")]):
        lines.append(f'<rect x="{left + 110 * number}" y="10" width="12" height="12" fill="{color}"/>'
                     f'<text x="{left + 110 * number + 18}" y="20">{name}</text>')
    for index, row in enumerate(rows):
        y = 34 + index * height
        lines.append(f'<text x="{left - 10}" y="{y + 17}" text-anchor="end">{label(row)}</text>')
        largest = max(row["sinter"], row["peer"])
        for offset, side, color in [(0, "sinter", "#2a6f97"), (13, "peer", "#c9b79c")]:
            bar = width * row[side] / largest
            lines.append(f'<rect x="{left}" y="{y + offset}" width="{bar:.1f}" height="11" fill="{color}"/>'
                         f'<text x="{left + bar + 5:.1f}" y="{y + offset + 10}" font-size="10">{row[side]:.1f}</text>')
        lines.append(f'<text x="{left + width + 60}" y="{y + 17}" font-weight="bold">{row["ratio"]:.2f}x</text>')
    path.write_text("\n".join(lines + ["</svg>"]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default="smollm2-135m", help="of scripts/make-model.py, separated by commas; llama and qwen2")
    parser.add_argument("--formats", default="q4,q8", help="of " + ", ".join(THEIRS))
    parser.add_argument("--head", help="format of embeddings and head; default: sinterc's")
    parser.add_argument("--prompt-tokens", type=int, default=128)
    parser.add_argument("--gen-tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--target", default="native", help="for sinterc")
    parser.add_argument("--isa", help="code section to force on our side")
    parser.add_argument("--peer-backend", help="CPU library to force on their side, e.g. haswell")
    parser.add_argument("--append", action="store_true", help="keep the rows of earlier runs in the results and the plot")
    options = parser.parse_args()
    if not (ROOT / "build/bin/sinterc").exists():
        sys.exit("compare.py: build/bin/sinterc is missing: run scripts/build.sh first")

    WORK.mkdir(parents=True, exist_ok=True)
    libraries, rows = peer_libraries(), []
    for shape in options.shapes.split(","):
        for form in options.formats.split(","):
            ours, theirs = prepare(shape, form, options.head, options.isa or options.target)
            sides = {"sinter": [], "peer": []}
            for number in range(options.rounds):
                print(f"-- {shape} {form}: round {number + 1} of {options.rounds}", file=sys.stderr)
                sides["sinter"].append(our_round(ours, options))
                sides["peer"].append(their_round(libraries, theirs, options))
            for phase in PHASES:
                rate = {side: statistics.median(entry[f"{phase}_tokens_per_second"] for entry in rounds)
                        for side, rounds in sides.items()}
                rows.append({"shape": shape, "format": form, "phase": phase, "peer_format": THEIRS[form],
                             "tokens": options.prompt_tokens if phase == "prefill" else options.gen_tokens,
                             "threads": options.threads, "isa": options.isa or options.target, **rate, "ratio": rate["sinter"] / rate["peer"]})
    results = WORK / "results.json"
    if options.append and results.exists():
        rows = json.loads(results.read_text()) + rows
    results.write_text(json.dumps(rows, indent=2) + "\n")
    plot(rows, WORK / "results.svg")
    print(f"{'model':<14} {'format':<7} {'against':<7} {'phase':<8} {'Sinter':>10} {'llama.cpp':>10} {'ratio':>7}   tokens/s, medians")
    for row in rows:
        print(f"{row['shape']:<14} {row['format']:<7} {row['peer_format']:<7} {row['phase']:<8} {row['sinter']:>10.1f} "
              f"{row['peer']:>10.1f} {row['ratio']:>6.2f}x")


main()
