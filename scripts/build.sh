#!/usr/bin/env bash
# Configures and builds in build/ (release). Usage: build.sh [TARGET...]; without targets, everything.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -f build/build.ninja ]; then
  echo "-- configuring"
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  cmake --preset release >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi
echo "-- building $*"
NINJA_STATUS='[%f/%t %es] ' ninja -C build "$@"
