#!/usr/bin/env bash
# Prints the lines of code that each target takes: its tables and lowerings in the compiler, its detection in the runtime.
# What all targets share comes first.
set -euo pipefail
cd "$(dirname "$0")/.."

# Lines that are neither empty nor only comment.
count() { cat "$@" | grep -cvE '^[[:space:]]*(//.*)?$'; }
row() { printf '%6d  %-14s %s\n' "$(count "${@:2}")" "$1" "${*:2}"; }

printf '%6d  %-14s %s\n' "$(count codegen/kernels/*.{cpp,h})" "shared by all" "codegen/kernels/*"
row "" codegen/targets/{Target,DotLowering}.{cpp,h}
row "x86-64" codegen/targets/X86.{cpp,h} runtime/cpu_features.cpp
row "aarch64" codegen/targets/Arm.{cpp,h} runtime/cpu_features_arm.cpp
row "aarch64: SME" codegen/targets/Sme.{cpp,h}
