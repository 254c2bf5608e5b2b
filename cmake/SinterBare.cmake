# The runtime for systems without an operating system, one platform per row: what `sinterc --platform NAME` links models with.
# The core includes C++ headers for their types alone, so those of a Linux cross compiler serve; nothing of a C++ or C library
# is linked but memcpy, memmove, memset and memcmp. Built with clang, which compiles for every machine, whatever machine the
# rest is built for.

set(SINTER_BARE_SOURCES ${SINTER_RUNTIME_SOURCES})
list(FILTER SINTER_BARE_SOURCES EXCLUDE REGEX "_linux\\.cpp$")
list(APPEND SINTER_BARE_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/platform_bare.cpp)

# sinter_bare_platform(NAME HEADERS folder... FLAGS flag...)
function(sinter_bare_platform name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "HEADERS;FLAGS")
  set(out ${PROJECT_BINARY_DIR}/lib/sinter/${name})
  set(work ${CMAKE_CURRENT_BINARY_DIR}/${name})
  file(MAKE_DIRECTORY ${out} ${work})
  set(flags ${ARG_FLAGS})
  if(ARG_HEADERS)
    list(APPEND flags -nostdinc++)
    foreach(folder ${ARG_HEADERS})
      list(APPEND flags -isystem ${folder})
    endforeach()
  endif()
  find_path(SINTER_FLATBUFFERS_INCLUDE flatbuffers/flatbuffers.h REQUIRED)
  # A folder with nothing else in it: the building machine's other headers are not for this platform.
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/flatbuffers_only)
  file(CREATE_LINK ${SINTER_FLATBUFFERS_INCLUDE}/flatbuffers ${CMAKE_CURRENT_BINARY_DIR}/flatbuffers_only/flatbuffers
    SYMBOLIC)
  set(compile ${CMAKE_CXX_COMPILER_LAUNCHER} ${CMAKE_CXX_COMPILER} -std=c++17 -Os -DNDEBUG -D_GNU_SOURCE
    -DSINTER_VERSION="${PROJECT_VERSION}" -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-math-errno
    -ffp-contract=off -ffunction-sections -fdata-sections -fvisibility=hidden -fvisibility-inlines-hidden
    -fno-stack-protector -fno-asynchronous-unwind-tables -Wall -Wextra -Wno-unused-parameter ${flags}
    -I ${PROJECT_SOURCE_DIR} -I ${PROJECT_BINARY_DIR} -isystem ${CMAKE_CURRENT_BINARY_DIR}/flatbuffers_only)
  set(objects)
  foreach(source ${SINTER_BARE_SOURCES})
    get_filename_component(stem ${source} NAME_WE)
    add_custom_command(OUTPUT ${work}/${stem}.o
      COMMAND ${compile} -MD -MF ${work}/${stem}.d -c ${source} -o ${work}/${stem}.o
      DEPENDS ${source} sinter_package_schema sinter_tokenizer_schema DEPFILE ${work}/${stem}.d
      COMMENT "Compiling ${stem}.cpp for ${name}" VERBATIM)
    list(APPEND objects ${work}/${stem}.o)
  endforeach()
  add_custom_command(OUTPUT ${out}/sinter_linked.o
    COMMAND ${compile} -c ${CMAKE_CURRENT_SOURCE_DIR}/linked.cpp -o ${out}/sinter_linked.o
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/linked.cpp ${CMAKE_CURRENT_SOURCE_DIR}/linked.h
            ${CMAKE_CURRENT_SOURCE_DIR}/sinter.h VERBATIM)
  add_custom_command(OUTPUT ${out}/sinter_runtime.o
    COMMAND ${SINTER_LLD} -r --force-group-allocation -o ${work}/merged.o ${objects}
    COMMAND ${SINTER_OBJCOPY} --localize-hidden ${work}/merged.o ${out}/sinter_runtime.o
    DEPENDS ${objects} VERBATIM)
  add_custom_target(sinter_bare_${name} ALL DEPENDS ${out}/sinter_runtime.o ${out}/sinter_linked.o)
  install(FILES ${out}/sinter_runtime.o ${out}/sinter_linked.o DESTINATION lib/sinter/${name} COMPONENT runtime)
endfunction()

# Once for each installation: neither for a project that includes this one, nor for each machine that is built for.
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CROSSCOMPILING AND CMAKE_CXX_COMPILER_ID STREQUAL Clang AND NOT SINTER_SANITIZE)
  sinter_bare_platform(x86_64-none-elf FLAGS --target=x86_64-linux-gnu -fPIE)
  # Debian: libstdc++-12-dev-arm64-cross, which g++-aarch64-linux-gnu brings.
  set(cross /usr/aarch64-linux-gnu/include)
  if(EXISTS ${cross}/c++/12/string)
    set(headers ${cross}/c++/12 ${cross}/c++/12/aarch64-linux-gnu ${cross})
    sinter_bare_platform(aarch64-none-elf HEADERS ${headers} FLAGS --target=aarch64-none-elf)
    sinter_bare_platform(thumbv8.1m.main-none-eabihf HEADERS ${headers}
      FLAGS --target=thumbv8.1m.main-none-eabihf -mcpu=cortex-m55)
  endif()
endif()
