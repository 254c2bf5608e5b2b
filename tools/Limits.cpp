// The machine's limits, by the kernels that every package brings for it. Data of `read` is far larger than any cache,
// in huge pages where the system has them, and written before it is read: pages never written are all the same zeros.

#include "tools/Limits.h"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace sinter {

static constexpr size_t kBufferBytes = size_t(512) << 20;
static constexpr size_t kHugePage = size_t(2) << 20;
// Units of `dot` and `fma` per thread: some ten milliseconds.
static constexpr uint32_t kUnitsPerThread = 256;

static sinter_yardstick yardstick(const sinter_model *model, const char *kind) {
  sinter_yardstick result = {};
  if (sinter_get_yardstick(model, kind, &result) != SINTER_OK)
    throw Failure("the package has no yardstick '" + std::string(kind) + "': compile it again to measure limits");
  return result;
}

// Half a gigabyte; less where that would be more than a quarter of the memory.
static size_t chooseBytes() {
  long pages = sysconf(_SC_PHYS_PAGES), pageBytes = sysconf(_SC_PAGESIZE);
  size_t quarter = pages > 0 && pageBytes > 0 ? size_t(pages) * size_t(pageBytes) / 4 : kBufferBytes;
  return std::max(std::min(kBufferBytes, quarter / kHugePage * kHugePage), 8 * kHugePage);
}

LimitsMeter::LimitsMeter(const Artifact &artifact, Session &session)
    : model(artifact.model().get()), session(session), bytes(chooseBytes()) {
  yardstick(model, "read"); // before memory is taken
  buffer = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (buffer == MAP_FAILED)
    throw Failure("no " + inUnits(bytes) + " of memory to measure its bandwidth with");
  madvise(buffer, bytes, MADV_HUGEPAGE);
  std::memset(buffer, 1, bytes);
}

LimitsMeter::~LimitsMeter() { munmap(buffer, bytes); }

double LimitsMeter::run(const char *kind, const void *data, size_t size, uint32_t units, uint64_t amountPerUnit) {
  uint64_t nanoseconds = 0;
  if (sinter_run_yardstick(session.get(), kind, data, size, units, &nanoseconds) != SINTER_OK)
    throw Failure(sinter_session_error(session.get()));
  return static_cast<double>(units) * static_cast<double>(amountPerUnit) / (static_cast<double>(nanoseconds) * 1e-9);
}

void LimitsMeter::measure() {
  const uint64_t unitBytes = yardstick(model, "read").unit_bytes;
  const uint32_t units = kUnitsPerThread * session.threads();
  read.push_back(run("read", buffer, bytes, static_cast<uint32_t>(bytes / unitBytes), unitBytes));
  // The start of the buffer serves the others: bytes of 1 are codes; floats of 1 come and go.
  const sinter_yardstick int8 = yardstick(model, "dot"), floats = yardstick(model, "fma");
  dot.push_back(run("dot", buffer, bytes, units, int8.unit_multiply_adds));
  float *ones = static_cast<float *>(buffer);
  std::fill_n(ones, floats.shared_bytes / sizeof(float), 1.0f);
  fma.push_back(run("fma", ones, bytes, units, floats.unit_multiply_adds));
  std::memset(buffer, 1, floats.shared_bytes);
}

static double middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

Limits LimitsMeter::median() const { return {middle(read), middle(dot), middle(fma)}; }

static void addStep(Demand &demand, const sinter_model *model, const char *entry, uint64_t tokens, uint64_t position) {
  for (uint32_t i = 0; i < sinter_dispatch_count(model, entry); ++i) {
    sinter_dispatch_info info = {};
    sinter_dispatch_work work = {};
    sinter_get_dispatch(model, entry, i, &info);
    sinter_get_work(model, entry, i, tokens, position, &work);
    demand.weightBytes += work.weight_bytes;
    demand.cacheBytes += work.cache_bytes;
    (info.int8 ? demand.int8MultiplyAdds : demand.floatMultiplyAdds) += work.multiply_adds;
  }
}

// One call, in the steps that the runtime makes of it.
static void addCall(Demand &demand, const Artifact &artifact, uint64_t position, uint64_t count) {
  const sinter_model *model = artifact.model().get();
  if (sinter_dispatch_count(model, "encode")) { // all tokens at once, and all of them in the head
    addStep(demand, model, "encode", count, 0);
    return addStep(demand, model, "head", count, 0);
  }
  for (uint64_t done = 0; done < count;) {
    uint64_t tokens = std::min<uint64_t>(count - done, artifact.info().prefill_tokens);
    addStep(demand, model, tokens == 1 ? "decode" : "prefill", tokens, position + done);
    done += tokens;
  }
  addStep(demand, model, "head", 1, position + count - 1);
}

Demand demandOfPrefill(const Artifact &artifact, uint64_t position, uint64_t count) {
  Demand demand;
  if (count)
    addCall(demand, artifact, position, count);
  return demand;
}

Demand demandOfDecode(const Artifact &artifact, uint64_t position, uint64_t count) {
  Demand demand;
  for (uint64_t i = 0; i < count; ++i)
    addCall(demand, artifact, position + i, 1);
  return demand;
}

} // namespace sinter
