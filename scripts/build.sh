#!/usr/bin/env bash
# Configures and builds in build/ (release). Usage: build.sh [--tests] [TARGET...]; without targets, everything.
# --tests configures the tests too, which need more packages (install-packages.sh test); they stay configured.
set -euo pipefail
cd "$(dirname "$0")/.."

tests=OFF
[ "${1:-}" = --tests ] && tests=ON && shift
if [ ! -f build/build.ninja ] || { [ $tests = ON ] && ! grep -q '^SINTER_BUILD_TESTS:BOOL=ON' build/CMakeCache.txt; }; then
  echo "-- configuring"
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  cmake --preset release -DSINTER_BUILD_TESTS=$tests >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi
echo "-- building${*:+ $*}"
NINJA_STATUS='[%f/%t %es] ' ninja -C build "$@"
