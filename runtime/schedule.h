// Entries of a package as a session runs them.
#pragma once

#include "runtime/kernel_abi.h"
#include "runtime/sinter.h"
#include "runtime/threads.h"

namespace sinter::runtime {

// One dispatch with everything resolved: addresses instead of indexes.
struct Dispatch {
  sinter_kernel kernel;
  void *const *bindings;
  uint32_t units, tokensPerUnit; // as Grid of package.fbs
  bool barrier;                  // all threads meet before it
  const char *tap;               // null: nobody looks at its result
  const float *tapRows;          // f32 [tokens][stride]
  int64_t rows, sequence;        // as Dispatch of package.fbs
};

struct Schedule {
  const char *name;           // of its entry
  const Dispatch *dispatches; // [count]
  uint32_t count;
};

// Who is called back after dispatches with a tap.
struct Observer {
  sinter_observer function; // null: nobody
  void *user;
  uint64_t width, stride; // of rows, in floats
};

// Who is called back with the times of every dispatch.
struct Profiler {
  sinter_profiler function; // null: nobody, and no clock is read
  void *user;
};

// A schedule for given tokens.
struct Step {
  const Schedule *schedule;
  sinter_kernel_scalars scalars;
  const int64_t *counts; // of a program: Program.rows
};

// Steps that follow one another without the calling thread in between.
struct Job {
  Step steps[2];
  uint32_t count;
  Observer observer;
  Profiler profiler;
};

// False if it was stopped on the way (Team::cancel): then what it computed is worth nothing.
bool runJob(Team *team, const Job &job);

} // namespace sinter::runtime
