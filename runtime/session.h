// A session: one sequence, and everything that computes it. Lives at the start of its own block of memory.
#pragma once

#include "runtime/model.h"
#include "runtime/sampler.h"
#include "runtime/schedule.h"

namespace sinter::runtime {

// What an input of a program was last given.
struct InputShape {
  bool given;
  uint64_t dims[kMostRank];
};

} // namespace sinter::runtime

struct sinter_session {
  const sinter_model *model;
  sinter_error error; // of the last call that failed
  size_t ownedBytes;  // of the block, 0 where the caller owns it

  uint32_t context;  // most tokens
  uint32_t position; // tokens in the sequence
  uint32_t written;  // largest position since the last reset: rings have forgotten what lies a capacity before it
  bool hasLogits;    // `logits` belong to the last token
  uint32_t *history; // [context], the sequence

  sinter::runtime::Schedule prefill, decode, head, encode;
  int32_t *tokens;     // in the arena, [tokens of a step]
  int32_t *types;      // in the arena, [tokens of a step]; null: the model has no token types
  const float *hidden; // in the arena, [tokens of a step][stride]
  const float *logits; // in the arena, [vocab], or the output of an encoder's head

  void *onDevice;  // the backend's sequence, null on a CPU; with one, `tokens` and `logits` are not in the arena, and
  bool logitsHere; // says whether the logits were read back since the last step
  float *rows;     // [tokens of a step][stride], what an observer is shown
  sinter::runtime::Schedule exec, sizes; // of a program
  sinter::runtime::InputShape *inputs;   // [inputs of the program]
  uint8_t *arena;
  bool executed; // outputs belong to the inputs

  sinter::runtime::Observer observer;
  sinter::runtime::Profiler profiler;
  sinter::runtime::Sampler sampler;
  sinter::runtime::Team team;
};

namespace sinter::runtime {

// Runs the job's steps where the session computes. On an error `session->error` says what happened.
sinter_status runSteps(sinter_session *session, const Job &job);
// Reads the logits back from a device, if they are not here. Null, with session->error, if that fails.
const float *fetchLogits(sinter_session *session);
// As fail() of status.h, for the session's own error; the model's log hears of it.
__attribute__((format(printf, 3, 4))) sinter_status fail(sinter_session *session, sinter_status status,
                                                         const char *format, ...);

} // namespace sinter::runtime
