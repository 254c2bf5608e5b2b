# SINTER_PLATFORM: the machine that outputs are for, by the name of its folder in lib/sinter. A toolchain file, or Debian's
# multiarch name, says which; it may be set by hand.
if(NOT SINTER_PLATFORM)
  set(SINTER_PLATFORM "${CMAKE_LIBRARY_ARCHITECTURE}")
  if(NOT SINTER_PLATFORM AND CMAKE_SYSTEM_NAME STREQUAL Generic)
    set(SINTER_PLATFORM "${CMAKE_SYSTEM_PROCESSOR}-none-elf")
  elseif(NOT SINTER_PLATFORM)
    set(SINTER_PLATFORM "${CMAKE_SYSTEM_PROCESSOR}-linux-gnu")
  endif()
endif()
