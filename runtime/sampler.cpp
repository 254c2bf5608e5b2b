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

void siftDown(Candidate *heap, uint32_t size, uint32_t at) {
  Candidate moved = heap[at];
  for (uint64_t child; (child = 2 * uint64_t(at) + 1) < size; at = uint32_t(child)) {
    if (child + 1 < size && before(heap[child + 1], heap[child]))
      ++child;
    if (!before(heap[child], moved))
      break;
    heap[at] = heap[child];
  }
  heap[at] = moved;
}

void makeHeap(Candidate *heap, uint32_t size) {
  for (uint32_t i = size / 2; i-- > 0;)
    siftDown(heap, size, i);
}

// Moves the first candidate of a heap to heap[size - 1]; the heap is one smaller then.
const Candidate &popHeap(Candidate *heap, uint32_t size) {
  Candidate first = heap[0];
  heap[0] = heap[size - 1];
  siftDown(heap, size - 1, 0);
  heap[size - 1] = first;
  return heap[size - 1];
}

void penalize(Sampler *sampler, const uint32_t *history, uint32_t count) {
  float penalty = sampler->settings.repetition_penalty;
  if (penalty == 0 || penalty == 1)
    return;
  uint32_t window = sampler->settings.repetition_window;
  uint32_t from = window && window < count ? count - window : 0;
  memset(sampler->seen, 0, (size_t(sampler->vocab) + 31) / 32 * sizeof(uint32_t));
  for (uint32_t i = from; i < count; ++i) {
    uint32_t id = history[i], bit = 1u << (id % 32);
    if (sampler->seen[id / 32] & bit)
      continue;
    sampler->seen[id / 32] |= bit;
    float &logit = sampler->candidates[id].value;
    logit = logit > 0 ? logit / penalty : logit * penalty;
  }
}

// The candidates that are left: kept[0 .. count).
struct Kept {
  Candidate *kept;
  uint32_t count;
  bool sorted; // the last one is the likeliest, the order is by before()
};

// Leaves the smallest set of likeliest candidates that has the share `topP` of all weights.
Kept cutTopP(Kept all, float topP) {
  double total = 0;
  for (uint32_t i = all.count; i-- > 0;)
    total += all.kept[i].value;
  if (!all.sorted)
    makeHeap(all.kept, all.count);
  double sum = 0;
  uint32_t taken = 0;
  while (taken < all.count && (taken == 0 || sum < topP * total)) {
    uint32_t left = all.count - taken++;
    sum += all.sorted ? all.kept[left - 1].value : popHeap(all.kept, left).value;
  }
  return {all.kept + (all.count - taken), taken, true};
}

uint32_t draw(Kept from, double share) {
  double total = 0;
  for (uint32_t i = from.count; i-- > 0;)
    total += from.kept[i].value;
  double target = share * total, sum = 0;
  uint32_t last = 0;
  for (uint32_t i = from.count; i-- > 0;) {
    if (from.kept[i].value == 0)
      continue;
    last = from.kept[i].id;
    sum += from.kept[i].value;
    if (target < sum)
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
  Candidate *candidates = sampler->candidates;
  for (uint32_t id = 0; id < sampler->vocab; ++id)
    candidates[id] = {logits[id] == logits[id] ? logits[id] : -INFINITY, id};
  penalize(sampler, history, historyCount);

  Candidate best = candidates[0];
  for (uint32_t id = 1; id < sampler->vocab; ++id)
    best = candidates[id].value > best.value ? candidates[id] : best;
  if (settings.temperature == 0)
    return best.id;

  Kept kept = {candidates, sampler->vocab, false};
  if (settings.top_k && settings.top_k < kept.count) {
    makeHeap(candidates, sampler->vocab);
    for (uint32_t taken = 0; taken < settings.top_k; ++taken)
      popHeap(candidates, sampler->vocab - taken);
    kept = {candidates + (sampler->vocab - settings.top_k), settings.top_k, true};
  }
  // Equal values have a difference of 0 also where both are infinite.
  for (uint32_t i = 0; i < kept.count; ++i) {
    float value = kept.kept[i].value;
    kept.kept[i].value = expNegative(value == best.value ? 0.0f : (value - best.value) / settings.temperature);
  }
  if (settings.top_p > 0 && settings.top_p < 1)
    kept = cutTopP(kept, settings.top_p);
  if (settings.min_p > 0) // the largest weight is 1
    for (uint32_t i = 0; i < kept.count; ++i)
      kept.kept[i].value = kept.kept[i].value >= settings.min_p ? kept.kept[i].value : 0.0f;
  return draw(kept, uniform(settings.seed, sampler->draws++));
}
