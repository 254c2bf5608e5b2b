// Choosing a token from logits. The arithmetic is spelled out here, so that a choice depends on the logits and the seed
// and not on a math library.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "runtime/sinter.h"

namespace sinter::runtime {

struct Candidate {
  float value; // weight, exp((logit - largest logit) / temperature)
  uint32_t id;
};

struct Sampler {
  sinter_sampler settings;
  uint64_t draws; // random numbers taken since the seed was set
  uint32_t vocab;
  float *values;         // [vocab], working memory: logits, later weights
  Candidate *candidates; // [vocab], working memory
  uint32_t *seen;        // [ceil(vocab / 32)], bits, working memory
};

// Null, or what is wrong with the settings.
const char *checkSampler(const sinter_sampler &settings);
// `history`: the sequence so far, for the repetition penalty.
uint32_t choose(Sampler *sampler, const float *logits, const uint32_t *history, uint32_t historyCount);

} // namespace sinter::runtime
