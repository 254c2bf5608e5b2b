#!/usr/bin/env bash
# Installs the Debian packages Sinter is built with, if any is missing. Usage: install-packages.sh build|test
# `build` is what the compiler, the runtime and the tools need; `test` adds what only the tests need.
set -euo pipefail

build=(
  ca-certificates git cmake ninja-build ccache python3
  clang-22 lld-22 llvm-22-dev libmlir-22-dev mlir-22-tools liblld-22-dev zlib1g-dev libzstd-dev
  libflatbuffers-dev flatbuffers-compiler libeigen3-dev libcli11-dev nlohmann-json3-dev libpcre2-dev libutf8proc-dev libvulkan-dev
  libspirv-cross-c-shared-dev
  libprotobuf-dev protobuf-compiler libonnx-dev
)
test=(llvm-22-tools libclang-rt-22-dev libgtest-dev python3-numpy binutils mesa-vulkan-drivers libvulkan1 spirv-tools pkgconf
  libonnx-testdata)

case "${1:-}" in
  build) wanted=("${build[@]}") ;;
  test) wanted=("${build[@]}" "${test[@]}") ;;
  *) echo "usage: $0 build|test" >&2; exit 1 ;;
esac

missing=()
for package in "${wanted[@]}"; do
  # A package counts as installed only in state "install ok installed".
  [ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "-- installing ${#missing[@]} packages: ${missing[*]}"
root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "error: run as root (or install sudo) to install: ${missing[*]}" >&2; exit 1; }
  root=(sudo)
fi

# Prints how far apt is, ten percent at a time, from its status lines: KIND:PACKAGE:PERCENT:MESSAGE.
show_progress() {
  local kind percent line last=
  while IFS=: read -r kind _ percent _; do
    case "$kind" in
      dlstatus) line="downloaded ${percent%%.*}" ;;
      pmstatus) line="unpacked and configured ${percent%%.*}" ;;
      *) continue ;;
    esac
    line="${line%?}0 %"
    [ "$line" = "$last" ] || echo "   $line"
    last=$line
  done
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o APT::Status-Fd=1)
if ! { "${root[@]}" apt-get update && "${install[@]}" "${missing[@]}"; } 2>&1 | tee "$log" | show_progress; then
  grep -v '^[dp][lm]status:' "$log" | tail -n 20 >&2
  echo "error: apt-get could not install: ${missing[*]}" >&2
  exit 1
fi
