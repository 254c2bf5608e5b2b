# What is installed, in two components: `runtime` (libraries, headers, sinter, what models are linked with; no LLVM) and
# `compiler` (sinterc). CPack makes a Debian package of each.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
if(PROJECT_IS_TOP_LEVEL AND CMAKE_INSTALL_LIBDIR MATCHES "^lib/.+")
  set(CMAKE_INSTALL_LIBDIR lib) # files refer to each other by ../lib; multiarch folders are for the distribution's own
endif()

set(cmake_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Sinter)
install(TARGETS sinter_runtime sinter_shared ARCHIVE COMPONENT runtime LIBRARY COMPONENT runtime)
install(FILES runtime/sinter.h runtime/sinter.hpp runtime/sinter_device.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sinter COMPONENT runtime)
install(FILES ${SINTER_PLATFORM_DIR}/sinter_runtime.o ${SINTER_PLATFORM_DIR}/sinter_linked.o
  ${SINTER_PLATFORM_DIR}/sinter_linked_file.o DESTINATION ${CMAKE_INSTALL_LIBDIR}/sinter/${SINTER_PLATFORM}
  COMPONENT runtime)
configure_package_config_file(cmake/SinterConfig.cmake.in ${PROJECT_BINARY_DIR}/cmake/SinterConfig.cmake
  INSTALL_DESTINATION ${cmake_folder} PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/SinterConfigVersion.cmake COMPATIBILITY ExactVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/SinterConfig.cmake ${PROJECT_BINARY_DIR}/cmake/SinterConfigVersion.cmake
  cmake/SinterModel.cmake cmake/SinterPlatform.cmake DESTINATION ${cmake_folder} COMPONENT runtime)
configure_file(cmake/sinter.pc.in cmake/sinter.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cmake/sinter.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT runtime)

if(SINTER_BUILD_TOOLS)
  # Backends for devices. Those for Vulkan link to nothing; Metal's needs a Mac.
  set(backends vulkan)
  if(APPLE)
    list(APPEND backends metal)
  endif()
  install(TARGETS sinter_gpu ARCHIVE COMPONENT runtime)
  foreach(backend ${backends})
    install(TARGETS sinter_${backend} ARCHIVE COMPONENT runtime)
    install(FILES runtime/gpu/sinter_${backend}.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sinter COMPONENT runtime)
  endforeach()
  configure_file(cmake/sinter-vulkan.pc.in cmake/sinter-vulkan.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/cmake/sinter-vulkan.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
    COMPONENT runtime)
  configure_file(cmake/sinter-tokenizer.pc.in cmake/sinter-tokenizer.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/cmake/sinter-tokenizer.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
    COMPONENT runtime)
  install(TARGETS sinter RUNTIME COMPONENT runtime)
  install(TARGETS sinter_tokenizer ARCHIVE COMPONENT runtime)
  install(FILES runtime/tokenizer/sinter_tokenizer.h runtime/tokenizer/sinter_tokenizer.hpp
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sinter COMPONENT runtime)
  set(programs program program-unicode program-static program-unicode-static)
  if(SINTER_SANITIZE)
    set(programs)
  endif()
  foreach(program ${programs})
    install(PROGRAMS ${SINTER_PLATFORM_DIR}/${program}
      DESTINATION ${CMAKE_INSTALL_LIBDIR}/sinter/${SINTER_PLATFORM} COMPONENT runtime)
  endforeach()
endif()
if(SINTER_BUILD_COMPILER)
  set_target_properties(sinterc PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON) # where LLVM is
  install(TARGETS sinterc RUNTIME COMPONENT compiler)
endif()

if(PROJECT_IS_TOP_LEVEL)
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGE_CONTACT "The Sinter developers <sinter@localhost>")
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Ahead-of-time compiler for transformers")
  set(CPACK_DEB_COMPONENT_INSTALL ON)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_STRIP_FILES OFF) # programs are stripped already, and objects must keep their symbols
  set(CPACK_COMPONENTS_ALL runtime)
  set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "Runs compiled transformers: libraries, headers, the sinter command")
  set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME sinter)
  # Runs on a libc; sinter itself wants these, which shlibdeps would find in a Debian source tree.
  set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS "libc6, libstdc++6, libpcre2-8-0, libutf8proc2")
  if(SINTER_BUILD_COMPILER)
    list(APPEND CPACK_COMPONENTS_ALL compiler)
    set(CPACK_COMPONENT_COMPILER_DESCRIPTION "Compiles transformers for the sinter runtime")
    set(CPACK_DEBIAN_COMPILER_PACKAGE_NAME sinterc)
    set(CPACK_DEBIAN_COMPILER_PACKAGE_DEPENDS
      "sinter (= ${PROJECT_VERSION}), libc6, libstdc++6, libllvm22, libmlir-22, libspirv-cross-c-shared0, zlib1g, libzstd1")
  endif()
  include(CPack)
endif()
