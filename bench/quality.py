#!/usr/bin/python3
"""What each format costs in quality: perplexity, distance from f32 and bytes per weight, as a table beside the speed.

  quality.py ../shared/models/stories15M ../shared/goldens/tales-eval.txt
  quality.py ../shared/models/minimind2-small ../shared/goldens/chat-eval.txt --formats q8,q4 --documents 12

KL is the mean over all positions of KL(f32 || format) in nats, "same token" how often both find the same token most likely.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEPARATOR = "<|end|>\n"


def sinter(name, *command):
    done = subprocess.run([ROOT / "build/bin" / name, *map(str, command)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"quality.py: {done.stderr.strip()}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, help="a Hugging Face directory")
    parser.add_argument("text", type=pathlib.Path, help="documents separated by lines that read <|end|>")
    parser.add_argument("--formats", default="f16,q8,q4", help="for sinterc --quantize")
    parser.add_argument("--documents", type=int, default=0, help="only the first so many; 0: all")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "text"
        documents = options.text.read_text().split(SEPARATOR)
        text.write_text(SEPARATOR.join(documents[:options.documents or None]))

        def compile_as(form):
            package = pathlib.Path(folder) / f"{form}.sinter"
            sinter("sinterc", options.model, "-o", package, "--quantize", form, "--target", "native", "--quiet")
            return package

        exact = compile_as("f32")
        exact_value = json.loads(sinter("sinter", "eval", exact, "--text", text, "--json"))["perplexity"]
        print(f"{options.model.name}, {len(documents[:options.documents or None])} documents")
        print(f"{'format':<8} {'MB':>8} {'perplexity':>11} {'change':>9} {'KL':>8} {'same token':>11}")
        print(f"{'f32':<8} {exact.stat().st_size / 1e6:>8.2f} {exact_value:>11.4f} {'':>9} {'':>8} {'':>11}")
        for form in options.formats.split(","):
            package = compile_as(form)
            result = json.loads(sinter("sinter", "eval", package, "--text", text, "--against", exact, "--json"))
            print(f"{form:<8} {package.stat().st_size / 1e6:>8.2f} {result['perplexity']:>11.4f} "
                  f"{100 * (result['perplexity'] / exact_value - 1):>+8.2f}% {result['kl']:>8.4f} "
                  f"{100 * result['top1_agreement']:>10.1f}%", flush=True)


main()
