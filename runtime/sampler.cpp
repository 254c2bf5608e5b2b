// The sampler: logits in, one id out. Candidates are ordered only as far as top-k and top-p need (a heap gives the
// largest ones one by one); plain temperature and min-p take one pass. NaN logits count as minus infinity.

#include "runtime/sampler.h"

#include "runtime/cpu_features.h"

#include <math.h>
#include <string.h>

using namespace sinter::runtime;

namespace {

// exp(x) for x <= 0, relative error below 3e-7, 0 where the result would be denormal. Branch-free, so that the loop
// over a vocabulary is vectorized; every operation is exactly rounded, so all machines agree.
float expNegative(float x) {
  constexpr float kLog2e = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr float kRound = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer
  float clamped = x > -87.0f ? x : -87.0f;
  float n = (clamped * kLog2e + kRound) - kRound;
  float r = (clamped - n * kLn2High) - n * kLn2Low; // |r| <= ln(2) / 2
  float series =
      1.0f + r * (1.0f + r * (0.5f + r * (1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 + r * (1.0f / 720))))));
  uint32_t bits = uint32_t(int32_t(n) + 127) << 23; // 2^n
  float power;
  memcpy(&power, &bits, sizeof(power));
  return x > -87.0f ? series * power : 0.0f;
}

// splitmix64's finalizer (Steele, Lea, Flood 2014).
uint64_t scramble(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ull;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBull;
  return value ^ (value >> 31);
}

// The n-th number of the seed's stream, in [0, 1). Counter-based: nothing but the count has to be kept.
double uniform(uint64_t seed, uint64_t n) {
  constexpr uint64_t kStep = 0x9E3779B97F4A7C15ull;
  uint64_t bits = scramble(scramble(seed + kStep) + n * kStep);
  return double(bits >> 11) * 0x1p-53;
}

// Larger values first, then smaller ids.
bool before(const Candidate &a, const Candidate &b) { return a.value > b.value || (a.value == b.value && a.id < b.id); }

// Heaps have the last candidate, in this order, at their root.
void siftDown(Candidate *heap, uint32_t size, uint32_t at) {
  Candidate moved = heap[at];
  for (uint64_t child; (child = 2 * uint64_t(at) + 1) < size; at = uint32_t(child)) {
    if (child + 1 < size && before(heap[child], heap[child + 1]))
      ++child;
    if (!before(moved, heap[child]))
      break;
    heap[at] = heap[child];
  }
  heap[at] = moved;
}

void makeHeap(Candidate *heap, uint32_t size) {
  for (uint32_t i = size / 2; i-- > 0;)
    siftDown(heap, size, i);
}

void sortHeap(Candidate *heap, uint32_t size) {
  while (size > 1) {
    Candidate last = heap[0];
    heap[0] = heap[--size];
    siftDown(heap, size, 0);
    heap[size] = last;
  }
}

// Loops over a vocabulary run in eight lanes: one chain of dependent operations would take most of the time. The order
// of the operations is fixed, so sums are the same everywhere.
constexpr uint32_t kLanes = 8;

float largest(const float *values, uint32_t count) {
  float lanes[kLanes];
  for (float &lane : lanes)
    lane = -INFINITY;
  uint32_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
  for (; i < count; ++i)
    lanes[0] = values[i] > lanes[0] ? values[i] : lanes[0];
  for (float lane : lanes)
    lanes[0] = lane > lanes[0] ? lane : lanes[0];
  return lanes[0];
}

double sumOf(const float *values, uint32_t count) {
  double lanes[kLanes] = {}, sum = 0;
  uint32_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] += values[i + lane];
  for (; i < count; ++i)
    lanes[0] += values[i];
  for (double lane : lanes)
    sum += lane;
  return sum;
}

// exp((value - best) / temperature); 1 for the best, infinite ones included.
float weigh(float value, float best, float temperature) {
  return expNegative(value == best ? 0.0f : (value - best) / temperature);
}

void weighAll(float *values, uint32_t count, float best, float temperature) {
  for (uint32_t i = 0; i < count; ++i)
    values[i] = weigh(values[i], best, temperature);
}

void penalize(const Sampler &sampler, const uint32_t *history, uint32_t count) {
  float penalty = sampler.settings.repetition_penalty;
  if (penalty == 0 || penalty == 1)
    return;
  uint32_t window = sampler.settings.repetition_window;
  uint32_t from = window && window < count ? count - window : 0;
  memset(sampler.seen, 0, (size_t(sampler.vocab) + 31) / 32 * sizeof(uint32_t));
  for (uint32_t i = from; i < count; ++i) {
    uint32_t id = history[i], bit = 1u << (id % 32);
    if (sampler.seen[id / 32] & bit)
      continue;
    sampler.seen[id / 32] |= bit;
    float &logit = sampler.values[id];
    logit = logit > 0 ? logit / penalty : logit * penalty;
  }
}

// The `most` likeliest candidates in order, with their weights; returns how many.
uint32_t takeTopK(const Sampler &sampler, uint32_t most, float best) {
  Candidate *heap = sampler.candidates;
  for (uint32_t id = 0; id < most; ++id)
    heap[id] = {sampler.values[id], id};
  makeHeap(heap, most);
  for (uint32_t id = most; id < sampler.vocab; ++id)
    if (sampler.values[id] > heap[0].value) { // an equal one has the larger id
      heap[0] = {sampler.values[id], id};
      siftDown(heap, most, 0);
    }
  sortHeap(heap, most);
  for (uint32_t i = 0; i < most; ++i)
    heap[i].value = weigh(heap[i].value, best, sampler.settings.temperature);
  return most;
}

// The candidates that top-p may need, in order; sampler.values are weights already. All those below the limit have less
// than the share 1 - top_p together.
uint32_t takeLikely(const Sampler &sampler) {
  double total = sumOf(sampler.values, sampler.vocab);
  float limit = float((1.0 - sampler.settings.top_p) * total / sampler.vocab);
  uint32_t taken = 0;
  for (uint32_t id = 0; id < sampler.vocab; ++id)
    if (sampler.values[id] >= limit)
      sampler.candidates[taken++] = {sampler.values[id], id};
  makeHeap(sampler.candidates, taken);
  sortHeap(sampler.candidates, taken);
  return taken;
}

// How many of the first candidates make up the share `topP` of `total`; at least one.
uint32_t cutTopP(const Candidate *sorted, uint32_t count, double total, float topP) {
  double sum = 0;
  uint32_t taken = 0;
  while (taken < count && (taken == 0 || sum < topP * total))
    sum += sorted[taken++].value;
  return taken;
}

uint32_t drawFrom(const Candidate *sorted, uint32_t count, double share) {
  double total = 0, sum = 0;
  for (uint32_t i = 0; i < count; ++i)
    total += sorted[i].value;
  uint32_t i = 0;
  for (; i + 1 < count && sorted[i + 1].value > 0; ++i)
    if (share * total < (sum += sorted[i].value))
      break;
  return sorted[i].id;
}

// Weights by id, in any order.
uint32_t drawFrom(const float *weights, uint32_t count, double share) {
  double target = share * sumOf(weights, count), sum = 0;
  uint32_t last = 0;
  for (uint32_t id = 0; id < count; ++id) {
    if (weights[id] == 0)
      continue;
    last = id;
    if (target < (sum += weights[id]))
      break;
  }
  return last;
}

} // namespace

const char *sinter::runtime::checkSampler(const sinter_sampler &settings) {
  // Written so that NaN fails.
  if (!(settings.temperature >= 0 && settings.temperature < INFINITY))
    return "the temperature must be 0 or more";
  if (!(settings.top_p >= 0 && settings.top_p <= 1))
    return "top_p must be between 0 and 1";
  if (!(settings.min_p >= 0 && settings.min_p <= 1))
    return "min_p must be between 0 and 1";
  if (!(settings.repetition_penalty >= 0 && settings.repetition_penalty < INFINITY))
    return "the repetition penalty must be 0 or more";
  return nullptr;
}

uint32_t sinter::runtime::choose(Sampler *sampler, const float *logits, const uint32_t *history,
                                 uint32_t historyCount) {
  DefaultFloatMode mode;
  const sinter_sampler &settings = sampler->settings;
  const uint32_t vocab = sampler->vocab;
  float *values = sampler->values;
  for (uint32_t id = 0; id < vocab; ++id)
    values[id] = logits[id] == logits[id] ? logits[id] : -INFINITY;
  penalize(*sampler, history, historyCount);
  float best = largest(values, vocab);
  if (settings.temperature == 0) {
    uint32_t id = 0;
    while (id + 1 < vocab && values[id] != best)
      ++id;
    return id;
  }

  double share = uniform(settings.seed, sampler->draws++);
  bool topK = settings.top_k && settings.top_k < vocab;
  bool topP = settings.top_p > 0 && settings.top_p < 1;
  if (!topK)
    weighAll(values, vocab, best, settings.temperature);
  if (!topK && !topP) {
    for (uint32_t id = 0; id < vocab; ++id) // the largest weight is 1
      values[id] = values[id] >= settings.min_p ? values[id] : 0.0f;
    return drawFrom(values, vocab, share);
  }

  Candidate *sorted = sampler->candidates;
  uint32_t count = topK ? takeTopK(*sampler, settings.top_k, best) : takeLikely(*sampler);
  if (topP) {
    double total = 0;
    for (uint32_t i = 0; i < count && topK; ++i)
      total += sorted[i].value;
    count = cutTopP(sorted, count, topK ? total : sumOf(values, vocab), settings.top_p);
  }
  while (count > 1 && sorted[count - 1].value < settings.min_p)
    --count;
  return drawFrom(sorted, count, share);
}
