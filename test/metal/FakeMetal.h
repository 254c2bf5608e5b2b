// A machine with Metal, as tests want it: the Objective-C functions and the classes that runtime/gpu/metal_*.cpp call,
// over memory and threads of the CPU. What Metal would refuse or leave undefined ends the process with a message.
//
// The environment variable METAL_STAND_IN says what kind of machine it is, in words separated by commas.
#pragma once

#include "test/metal/MslProgram.h"

#include <cstdint>

namespace sinter::test {

struct FakeMetal {
  FakeMetal(); // as METAL_STAND_IN says
  ~FakeMetal(); // ends the process with a message if objects were not released

  bool present = true;              // "absent"
  bool unified = true;              // "card": else private buffers have no contents
  uint64_t memory = UINT64_MAX;     // "memory=BYTES" for all buffers together
  uint64_t mostThreads = 1024;      // "threads=COUNT" of a threadgroup
  uint64_t steps = UINT64_MAX;      // "steps=COUNT": command buffers after that fail,
  long fault = 0;                   // "fault=CODE": with this MTLCommandBufferError
  bool dropsBarriers = false;       // "unordered": as if the schedule had planned none
  bool breaksTexts = false;         // "broken": no text compiles
  MslOrder order = MslOrder::forward; // "backward": what may run at once runs the last one first

  int64_t objects = 0; // alive
};

FakeMetal &fakeMetal();

} // namespace sinter::test
