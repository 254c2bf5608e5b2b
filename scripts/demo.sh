#!/usr/bin/env bash
# Everything from a fresh Debian 12 to a story: installs packages, builds, compiles the model in models/tales and lets it
# write. Usage: demo.sh [MODEL_DIRECTORY [PROMPT]]
set -euo pipefail
cd "$(dirname "$0")/.."

model=${1:-models/tales}
prompt=${2:-Once upon a time}
package=build/$(basename "$model").sinter
# The shipped model is tiny, so it loses nothing that matters by 8 bits; larger ones take the compiler's default.
options=()
[ "$model" = models/tales ] && options=(--quantize q8)

./scripts/install-packages.sh build
./scripts/build.sh sinterc sinter
echo "-- compiling $model"
build/bin/sinterc "$model" "${options[@]}" -o "$package"
echo "-- sinter run $package \"$prompt\""
build/bin/sinter run "$package" "$prompt"
