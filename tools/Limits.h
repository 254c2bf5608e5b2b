// What the machine can do at most, and what a model asks of it: together, how much of the machine a run used.
#pragma once

#include "tools/Artifact.h"
#include "tools/Output.h"

namespace sinter {

// Per second, on the session's threads, by the code section in use. Medians of the measurements so far.
struct Limits {
  double readBytes = 0;        // from memory, nothing else being done
  double int8MultiplyAdds = 0; // of 4-bit codes with 8-bit activations, from registers and the first-level cache
  double floatMultiplyAdds = 0;
};

// Measures again and again, so that it can alternate with what will be compared with it.
class LimitsMeter {
public:
  // Throws if the package has no yardsticks or there is no memory.
  LimitsMeter(const Artifact &artifact, Session &session);
  ~LimitsMeter();
  LimitsMeter(const LimitsMeter &) = delete;
  LimitsMeter &operator=(const LimitsMeter &) = delete;

  void measure();
  Limits median() const;
  // Of the memory that `read` reads: far more than caches hold.
  size_t bufferBytes() const { return bytes; }

private:
  // One run of a yardstick; its amount per second.
  double run(const char *kind, const void *data, size_t size, uint32_t units, uint64_t amountPerUnit);

  const sinter_model *model;
  Session &session;
  size_t bytes = 0;
  void *buffer = nullptr; // [bytes]
  std::vector<double> read, dot, fma;
};

// What tokens at [position, position + count) need, with one row of logits at the end of each call: of one call with
// all of them (prefill), or of one call for each (decode).
struct Demand {
  uint64_t weightBytes = 0, cacheBytes = 0;
  uint64_t int8MultiplyAdds = 0, floatMultiplyAdds = 0;
};
Demand demandOfPrefill(const Artifact &artifact, uint64_t position, uint64_t count);
Demand demandOfDecode(const Artifact &artifact, uint64_t position, uint64_t count);

} // namespace sinter
