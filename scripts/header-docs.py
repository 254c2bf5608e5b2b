#!/usr/bin/python3
"""Prints a C header as Markdown: its sections as headings, comments before declarations as prose, declarations as code.

Usage: header-docs.py TITLE HEADER
"""

import re
import sys


def prose(comment):
    """The text of a block comment; what is indented in it is code."""
    lines = [re.sub(r"^ \* ?", "", line) for line in comment[2:-2].splitlines()]
    out, code = [], False
    for line in (line.rstrip() for line in [lines[0].lstrip(), *lines[1:]]):
        if line.startswith("  ") != code and line:
            out.append("```" + ("" if code else "c"))
            code = not code
        out.append(line[2:] if code else line)
    return "\n".join(out + ["```"] * code).strip()


def blocks(text):
    """Top-level comments and what stands between them, in order."""
    at = 0
    for match in re.finditer(r"^/\*.*?\*/", text, re.MULTILINE | re.DOTALL):
        if text[at:match.start()].count("{") != text[at:match.start()].count("}"):
            continue  # inside of a declaration
        yield "code", text[at:match.start()]
        yield "comment", match[0]
        at = match.end()
    yield "code", text[at:]


def main():
    title, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    # Guards, includes and the like are of no interest.
    text = re.sub(r'^#(ifndef|ifdef|if|endif|include|else).*\n|^extern "C" \{\n|^\}\n|^#define \w+_(H|API)\b.*\n', "", text,
                  flags=re.MULTILINE)
    print(f"# {title}\n\nGenerated from `{path}` by scripts/generate-docs.sh.\n")
    for kind, block in blocks(text):
        heading = re.match(r"/\* ---- (.*?) -+ \*/", block)
        if heading:
            print(f"## {heading[1]}\n")
        elif kind == "comment":
            print(prose(block) + "\n")
        elif block.strip():
            print("```c\n" + block.strip().replace("SINTER_API ", "") + "\n```\n")


if __name__ == "__main__":
    main()
