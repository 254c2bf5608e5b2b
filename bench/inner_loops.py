#!/usr/bin/python3
"""How near the inner loops of products come to the dot-product peak of CPUs that are not here, by llvm-mca's models.

  inner_loops.py [--format q4 ...] [--target aarch64-dotprod ...] [--cpu neoverse-v2 ...]

For each format, target and CPU: the loop over columns in the tile of most tokens, which unpacks and multiplies, and the same
with what follows each group (conversion, scales, sums), as shares of the rate at which the CPU issues nothing but dot
products. Where a group is one pass of the columns (32), the loop over columns alone is that of the format with larger groups.
Needs a build with tests (kernel-stages). A model knows no caches: these are bounds on what the code can reach.
"""

import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
CPUS = {
    "aarch64": ["cortex-a72", "cortex-a76"],
    "aarch64-dotprod": ["cortex-a76", "neoverse-n1", "neoverse-v2", "apple-m1"],
    "aarch64-i8mm": ["neoverse-v2", "neoverse-n2", "apple-m4"],
    "x86-64-avx512vnni": ["icelake-server", "sapphirerapids"],
}
FORMATS = ["q4", "q4-64", "q4-128", "q6", "q8"]
DOTS = re.compile(r"^\s*([su]+dot|[su]+mmla|[su]mlal2?|[su]mull2?|vpdpbusd)\b")
BRANCH = re.compile(r"^\s*(?:b\.\w+|b|cbn?z|tbn?z|j\w+)\b.*?(\.LBB\d+_\d+)")
ITERATIONS = 100


def assembly(stages, target, fmt, tile=None):
    spec = f'sched.kernel @k #kern.linear<rows = 64, columns = 2048, format = "{fmt}">\n'
    options = [f"--tile={tile}"] if tile else []
    return subprocess.run([stages, "-", "--target", target, *options], input=spec, text=True, capture_output=True, check=True).stdout


def blocks_of(text):
    """[(label, instructions)] in the order of the code."""
    blocks = [("", [])]
    for line in text.splitlines():
        line = re.split(r"//|##|\t#", line)[0].rstrip()
        if label := re.match(r"^(\.LBB\d+_\d+|\w+):", line):
            blocks.append((label[1], []))
        elif re.match(r"^\s+[a-z]", line):
            blocks[-1][1].append(line)
            if BRANCH.match(line):
                blocks.append(("", []))
    return blocks


def loops_of(blocks):
    """[(first block, last block)]."""
    place = {label: i for i, (label, _) in enumerate(blocks)}
    found = []
    for last, (_, code) in enumerate(blocks):
        for line in code:
            if (to := BRANCH.match(line)) and place.get(to[1], last + 1) <= last:
                found.append((place[to[1]], last))
    return found


def dots(blocks, loop):
    return sum(bool(DOTS.match(line)) for _, code in blocks[loop[0]:loop[1] + 1] for line in code)


def hottest(blocks):
    """(inner loop with the most dot products per pass, the loop around it)."""
    loops = loops_of(blocks)
    inner = [a for a in loops if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in loops)]
    best = max(inner, key=lambda loop: dots(blocks, loop))
    around = [a for a in loops if a != best and a[0] <= best[0] and best[1] <= a[1]]
    return best, min(around, key=lambda loop: loop[1] - loop[0], default=None)


def cycles(lines, arch, cpu):
    done = subprocess.run(["llvm-mca-22", f"-march={arch}", f"-mcpu={cpu}", f"-iterations={ITERATIONS}"],
                          input="\n".join(line for line in lines if not BRANCH.match(line)), text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"error: llvm-mca for {cpu}: {done.stderr.strip()}")
    return int(re.search(r"Total Cycles:\s+(\d+)", done.stdout)[1]) / ITERATIONS


def peak(line, arch, cpu):
    """Cycles per dot product like `line`, where nothing waits for anything."""
    name = DOTS.match(line)[1]
    if name == "vpdpbusd":
        code = [f"vpdpbusd %zmm30, %zmm31, %zmm{i}" for i in range(24)]
    else:
        operand = re.search(r"v\d+\.(\w+), *v\d+\.(\w+), *v\d+\.(\w+)", line)
        code = [f"{name} v{i}.{operand[1]}, v30.{operand[2]}, v31.{operand[3]}" +
                ("[0]" if operand[3] == "4b" else "") for i in range(24)]
    return cycles(code, arch, cpu) / len(code)


def measure(stages, target, fmt, cpu, tile):
    arch = "x86-64" if target.startswith("x86") else "aarch64"
    blocks = blocks_of(assembly(stages, target, fmt, tile))
    inner, around = hottest(blocks)
    code = [line for _, part in blocks[inner[0]:inner[1] + 1] for line in part]
    count, inner_cycles = dots(blocks, inner), cycles(code, arch, cpu)
    best = peak(next(line for line in code if DOTS.match(line)), arch, cpu)
    group = int(fmt.split("-")[1]) if "-" in fmt else 32
    passes = max(1, group // 32)
    if passes == 1:
        return count, None, count * best / inner_cycles
    rest = [line for i in range(around[0], around[1] + 1) if not inner[0] <= i <= inner[1] for line in blocks[i][1]]
    whole = passes * inner_cycles + cycles(rest, arch, cpu)
    return count, count * best / inner_cycles, passes * count * best / whole


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=ROOT / "build", type=pathlib.Path)
    parser.add_argument("--format", nargs="+", default=FORMATS)
    parser.add_argument("--target", nargs="+", default=list(CPUS), choices=list(CPUS))
    parser.add_argument("--cpu", nargs="+", help="default: some that run the target")
    parser.add_argument("--tile", metavar="TOKENS,OUTPUTS", help="try another tile than the target's")
    options = parser.parse_args()
    print(f"{'target':20} {'cpu':16} {'format':8} {'dots':>5} {'columns only':>13} {'with scales':>12}")
    for target in options.target:
        for cpu in options.cpu or CPUS[target]:
            for fmt in options.format:
                count, columns, whole = measure(options.build / "bin" / "kernel-stages", target, fmt, cpu, options.tile)
                inner = "" if columns is None else f"{100 * columns:.0f} %"
                print(f"{target:20} {cpu:16} {fmt:8} {count:5} {inner:>13} {100 * whole:>10.0f} %")


if __name__ == "__main__":
    main()
