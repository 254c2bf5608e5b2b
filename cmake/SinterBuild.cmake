# Compiler settings that every folder shares, and sinter_library(), by which each folder declares itself.

set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)

# What the compiler puts into linkable outputs, per platform: the runtime as one object, programs to put packages behind.
# sinterc looks for it beside itself, in ../lib/sinter/PLATFORM, in a build folder as in an installation.
include(SinterPlatform)
set(SINTER_PLATFORM_DIR ${PROJECT_BINARY_DIR}/lib/sinter/${SINTER_PLATFORM})

find_program(SINTER_CCACHE ccache)
if(SINTER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Relative paths and pch_defines let a second clone of the tree hit the cache of the first.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${SINTER_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

find_program(SINTER_LLD NAMES ld.lld-22 ld.lld)
if(SINTER_LLD AND CMAKE_CXX_COMPILER_ID STREQUAL Clang)
  add_link_options(--ld-path=${SINTER_LLD})
endif()

add_compile_options(-Wall -Wextra -Wno-unused-parameter -fvisibility=hidden)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fvisibility-inlines-hidden>)
# Debian's interpreter, which python3-numpy belongs to.
set(SINTER_PYTHON /usr/bin/python3)
include_directories(${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
if(SINTER_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

if(SINTER_BUILD_COMPILER)
  find_package(MLIR REQUIRED CONFIG PATHS /usr/lib/llvm-22 NO_DEFAULT_PATH)
  if(NOT LLVM_VERSION_MAJOR EQUAL 22)
    message(FATAL_ERROR "Sinter needs LLVM 22, found ${LLVM_PACKAGE_VERSION}")
  endif()
  list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
  include(TableGen)
  include(AddLLVM)
  include(AddMLIR)
endif()

# sinter_library(NAME sources... [MLIR] [LINK libs...]): a static library named sinter_NAME. MLIR marks code that
# includes LLVM or MLIR headers: no RTTI, no exceptions, linked to the two shared libraries.
function(sinter_library name)
  cmake_parse_arguments(ARG "MLIR" "" "LINK" ${ARGN})
  add_library(sinter_${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(sinter_${name} PUBLIC ${ARG_LINK})
  if(ARG_MLIR)
    sinter_uses_mlir(sinter_${name})
  endif()
endfunction()

function(sinter_uses_mlir target)
  target_include_directories(${target} SYSTEM PUBLIC ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
  # Without the time of the precompiled headers in them, objects are the same in every clone.
  target_compile_options(${target} PRIVATE -fno-rtti -fno-exceptions "SHELL:-Xclang -fno-pch-timestamp")
  target_compile_definitions(${target} PUBLIC ${LLVM_DEFINITIONS_LIST})
  target_link_libraries(${target} PUBLIC MLIR LLVM)
  if(NOT target STREQUAL sinter_mlir_headers)
    # Precompiled headers want the same flags everywhere: -fPIC in executables too.
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
    target_precompile_headers(${target} REUSE_FROM sinter_mlir_headers)
  endif()
endfunction()

# LLVM's and MLIR's headers, read once: they are most of what a file of the compiler takes to compile.
if(SINTER_BUILD_COMPILER)
  file(WRITE ${PROJECT_BINARY_DIR}/mlir_headers.cpp.new "// Gives the precompiled headers a target of their own.\n")
  file(COPY_FILE ${PROJECT_BINARY_DIR}/mlir_headers.cpp.new ${PROJECT_BINARY_DIR}/mlir_headers.cpp ONLY_IF_DIFFERENT)
  add_library(sinter_mlir_headers STATIC ${PROJECT_BINARY_DIR}/mlir_headers.cpp)
  sinter_uses_mlir(sinter_mlir_headers)
  target_precompile_headers(sinter_mlir_headers PRIVATE
    <mlir/Bytecode/BytecodeOpInterface.h> <mlir/Dialect/Arith/IR/Arith.h> <mlir/Dialect/Func/IR/FuncOps.h>
    <mlir/Dialect/LLVMIR/LLVMDialect.h> <mlir/Dialect/Math/IR/Math.h> <mlir/Dialect/MemRef/IR/MemRef.h>
    <mlir/Dialect/SCF/IR/SCF.h> <mlir/Dialect/Vector/IR/VectorOps.h> <mlir/IR/Builders.h> <mlir/IR/BuiltinOps.h>
    <mlir/IR/DialectImplementation.h> <mlir/IR/ImplicitLocOpBuilder.h> <mlir/IR/OpImplementation.h>
    <mlir/IR/PatternMatch.h> <mlir/IR/SymbolTable.h> <mlir/Interfaces/InferTypeOpInterface.h>
    <mlir/Interfaces/SideEffectInterfaces.h> <mlir/Pass/Pass.h> <mlir/Pass/PassManager.h>
    <mlir/Transforms/GreedyPatternRewriteDriver.h> <llvm/ADT/TypeSwitch.h> <llvm/Support/FileSystem.h>)
endif()

# sinter_flatbuffers(TARGET schema.fbs): generates schema_generated.h beside the folder's build files.
function(sinter_flatbuffers target schema)
  find_program(FLATC flatc REQUIRED)
  get_filename_component(stem ${schema} NAME_WE)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${stem}_generated.h)
  add_custom_command(OUTPUT ${out}
    COMMAND ${FLATC} --cpp --scoped-enums -o ${CMAKE_CURRENT_BINARY_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${schema}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${schema} VERBATIM)
  add_custom_target(${target} DEPENDS ${out})
endfunction()
