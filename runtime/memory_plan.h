// Where the parts of a session lie in its one block of memory, and what all of it amounts to.
#pragma once

#include "runtime/model.h"

namespace sinter::runtime {

inline constexpr uint64_t kBlockAlignment = 64;
inline constexpr uint64_t kStackPage = 4096; // stacks start at multiples of it, behind a page that must not be touched

// Offsets from the start of the block; the sinter_session itself is at 0.
struct SessionLayout {
  uint32_t threads, context;
  uint64_t members;      // Member[threads]
  uint64_t dispatches;   // Dispatch[of prefill, decode, head]
  uint64_t bindings;     // void *[of all of these]
  uint64_t cacheStarts;  // uint64_t[caches]: offsets of the caches in the block
  uint64_t history;      // uint32_t[context]
  uint64_t seen;         // uint32_t[ceil(vocab / 32)]
  uint64_t values;       // float[vocab]
  uint64_t candidates;   // Candidate[vocab]
  uint64_t ids;          // int32_t[tokens of a step]: this and the next two only for sessions on a GPU
  uint64_t logits;       // float[vocab]
  uint64_t rows;         // float[tokens of a step][hidden_stride]
  uint64_t inputs;       // InputShape[inputs of a program]
  uint64_t caches;       // tiles of the first cache, the second, ...
  uint64_t arena;        // [arena_bytes]
  uint64_t scratch;      // [threads][scratchBytes]
  uint64_t scratchBytes; // of one thread, a multiple of 64
  uint64_t stacks;       // [threads - 1][guard page, stackBytes], at a multiple of a page
  uint64_t stackBytes;   // of one worker thread, a multiple of a page
  sinter_memory_plan plan;
};

// Bytes of one cache in a session that holds `context` tokens.
uint64_t cacheBytes(const package::Cache &cache, uint32_t context);

// `options` may be null.
sinter_status planSession(const sinter_model *model, const sinter_session_options *options, SessionLayout *layout,
                          sinter_error *error);

} // namespace sinter::runtime
