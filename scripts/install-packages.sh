#!/usr/bin/env bash
# Installs the Debian packages Sinter is built with, if any is missing. Usage: install-packages.sh build|test
# `build` is what the compiler, the runtime and the tools need; `test` adds what only the tests need: among it libraries and
# an emulator for 64-bit ARM, of which Debian 12's own computes SME's products of bytes wrongly; its backports have another.
set -euo pipefail

build=(
  ca-certificates git cmake ninja-build ccache python3
  clang-22 lld-22 llvm-22-dev libmlir-22-dev mlir-22-tools liblld-22-dev zlib1g-dev libzstd-dev
  libflatbuffers-dev flatbuffers-compiler libeigen3-dev libcli11-dev nlohmann-json3-dev libpcre2-dev libutf8proc-dev libvulkan-dev
  libspirv-cross-c-shared-dev
  libprotobuf-dev protobuf-compiler libonnx-dev
)
test=(llvm-22-tools libclang-rt-22-dev libgtest-dev python3-numpy binutils mesa-vulkan-drivers libvulkan1 spirv-tools pkgconf
      g++-aarch64-linux-gnu libpcre2-dev:arm64 libutf8proc-dev:arm64 qemu-system-arm libonnx-testdata)
backports=(qemu-user)

case "${1:-}" in
  build) wanted=("${build[@]}") backports=() ;;
  test) wanted=("${build[@]}" "${test[@]}") ;;
  *) echo "usage: $0 build|test" >&2; exit 1 ;;
esac

missing=()
native=$(dpkg --print-architecture)
for package in "${wanted[@]}"; do
  # A package counts as installed only in state "install ok installed", for its architecture (this machine's, or :arm64).
  architecture=$native
  [ "${package%:*}" = "$package" ] || architecture=${package#*:}
  dpkg-query -W -f='${Architecture} ${Status}\n' "${package%:*}" 2>/dev/null |
    grep -qE "^($architecture|all) install ok installed" || missing+=("$package")
done
missing_backports=()
for package in "${backports[@]}"; do
  version=$(dpkg-query -W -f='${Version}' "$package" 2>/dev/null) || version=0
  dpkg --compare-versions "$version" ge 1:10 || missing_backports+=("$package")
done
[ $((${#missing[@]} + ${#missing_backports[@]})) -eq 0 ] && exit 0

echo "-- installing $((${#missing[@]} + ${#missing_backports[@]})) packages: ${missing[*]} ${missing_backports[*]}"
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

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
: >"$log"
apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get)
install() {
  if ! "${apt[@]}" install -y --no-install-recommends -o APT::Status-Fd=1 "$@" 2>&1 | tee -a "$log" | show_progress; then
    grep -v '^[dp][lm]status:' "$log" | tail -n 20 >&2
    echo "error: apt-get could not install: ${missing[*]} ${missing_backports[*]}" >&2
    exit 1
  fi
}

case " ${missing[*]}" in
  *:arm64*) "${root[@]}" dpkg --add-architecture arm64 ;;
esac
"${apt[@]}" update >>"$log" 2>&1 || true # what is not there is missed below
[ ${#missing[@]} -eq 0 ] || install "${missing[@]}"

# Backports come from where the machine gets Debian itself. The list of sources is a temporary one: the machine's own
# stays as it is.
if [ ${#missing_backports[@]} -ne 0 ]; then
  . /etc/os-release
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
    awk -v release="$VERSION_CODENAME" '$2 == release { print $1; exit }')
  [ -d /etc/apt/sources.list.d ] && cp -r /etc/apt/sources.list.d "$work/sources"
  mkdir -p "$work/sources"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $VERSION_CODENAME-backports main" \
    >"$work/sources/backports.list"
  chmod -R a+rX "$work"
  apt+=(-o "Dir::Etc::SourceParts=$work/sources")
  "${apt[@]}" update >>"$log" 2>&1 || true
  install -t "$VERSION_CODENAME-backports" "${missing_backports[@]}"
fi
