# Builds the runtime and the sinter tool for 64-bit ARM Linux on another machine, with clang and Debian's cross libraries:
#   cmake -S . -B build-arm -G Ninja --toolchain cmake/aarch64-linux.cmake -DSINTER_BUILD_TOOLS=ON
# scripts/install-packages.sh test installs what it needs. Programs are linked statically, so that qemu-aarch64 and
# boards with other libraries run them as they are.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER clang-22)
set(CMAKE_CXX_COMPILER clang++-22)
set(CMAKE_C_COMPILER_TARGET aarch64-linux-gnu)
set(CMAKE_CXX_COMPILER_TARGET aarch64-linux-gnu)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
# Libraries are those of Debian's arm64; headers and CMake packages do not depend on the machine.
find_library(PCRE2_LIBRARY libpcre2-8.a PATHS /usr/lib/aarch64-linux-gnu NO_DEFAULT_PATH)
find_library(UTF8PROC_LIBRARY libutf8proc.a PATHS /usr/lib/aarch64-linux-gnu NO_DEFAULT_PATH)
find_program(SINTER_EMULATOR qemu-aarch64)
if(SINTER_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${SINTER_EMULATOR} -cpu max)
endif()
