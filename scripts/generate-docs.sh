#!/usr/bin/env bash
# Generates docs/generated/ from the definitions of dialects and passes, and from the runtime's headers. Usage: generate-docs.sh [--check]
# --check changes nothing and fails if what is there is out of date.
set -euo pipefail
cd "$(dirname "$0")/.."

tblgen=${MLIR_TBLGEN:-/usr/lib/llvm-22/bin/mlir-tblgen}
includes=(-I . -I /usr/lib/llvm-22/include)
out=docs/generated
[ "${1:-}" = --check ] && out=$(mktemp -d) && trap 'rm -rf "$out"' EXIT
mkdir -p "$out"

for dialect in tx:Tx sched:Sched kern:Kern; do
  name=${dialect%%:*} stem=${dialect##*:}
  "$tblgen" -gen-dialect-doc -dialect="$name" "${includes[@]}" "dialects/$name/${stem}Ops.td" >"$out/$name.md"
done
"$tblgen" -gen-pass-doc "${includes[@]}" passes/Passes.td >"$out/passes.md"

/usr/bin/python3 scripts/header-docs.py "The runtime's C API" runtime/sinter.h >"$out/c-api.md"
/usr/bin/python3 scripts/header-docs.py "The tokenizer's C API" runtime/tokenizer/sinter_tokenizer.h >"$out/tokenizer-api.md"

if [ "${1:-}" = --check ]; then
  diff -ru docs/generated "$out" || { echo "error: docs/generated is out of date; run scripts/generate-docs.sh" >&2; exit 1; }
fi
