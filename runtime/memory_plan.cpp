// Sizes of everything a session uses, added up before anything is allocated. The same layout serves the promise
// (sinter_plan) and the session itself, so that they cannot differ.

#include "runtime/memory_plan.h"

#include "runtime/platform.h"
#include "runtime/sampler.h"
#include "runtime/schedule.h"
#include "runtime/session.h"
#include "runtime/status.h"

using namespace sinter;
using namespace sinter::runtime;

namespace {

// Hands out aligned offsets one after another and remembers whether their sum still fits.
struct Stack {
  uint64_t size = 0;
  bool overflow = false;

  uint64_t place(uint64_t count, uint64_t elementBytes) {
    uint64_t start = size, bytes;
    overflow |= __builtin_mul_overflow(count, elementBytes, &bytes) || __builtin_add_overflow(size, bytes, &size) ||
                __builtin_add_overflow(size, kBlockAlignment - 1, &size);
    size -= size % kBlockAlignment;
    return start;
  }
};

uint64_t largest(const flatbuffers::Vector<uint32_t> *values) {
  uint64_t result = 0;
  for (uint32_t i = 0; i < count(values); ++i)
    result = values->Get(i) > result ? values->Get(i) : result;
  return result;
}

} // namespace

uint64_t sinter::runtime::cacheBytes(const package::Cache &cache, uint32_t context) {
  uint64_t tiles = (uint64_t(context) + cache.tile_tokens() - 1) / cache.tile_tokens();
  uint64_t most = cache.capacity() / cache.tile_tokens();
  return (tiles < most ? tiles : most) * cache.tile_bytes();
}

sinter_status sinter::runtime::planSession(const sinter_model *model, const sinter_session_options *options,
                                           SessionLayout *layout, sinter_error *error) {
  const package::Manifest &manifest = *model->manifest;
  *layout = {};
  if (options && options->api_version != SINTER_API_VERSION)
    return fail(error, SINTER_ERROR_ARGUMENT, "session options are of api version %u, the runtime has %u",
                options->api_version, SINTER_API_VERSION);
  layout->context = options && options->context ? options->context : manifest.context();
  if (layout->context > manifest.context())
    return fail(error, SINTER_ERROR_ARGUMENT, "a context of %u tokens was asked for, %s was compiled for %u",
                layout->context, model->label, manifest.context());
  layout->threads = model->backend ? 1 : options && options->threads ? options->threads : platform::usableCpus();
  if (layout->threads > kMostThreads && options && options->threads)
    return fail(error, SINTER_ERROR_ARGUMENT, "%u threads were asked for, at most %u are possible", layout->threads,
                kMostThreads);
  layout->threads = layout->threads < kMostThreads ? layout->threads : kMostThreads;

  uint64_t dispatches = 0, bindings = 0;
  for (const package::Entry *entry :
       {model->prefill, model->decode, model->head, model->encode, model->exec, model->sizes}) {
    if (!entry)
      continue;
    dispatches += count(entry->dispatches());
    for (uint32_t i = 0; i < count(entry->dispatches()) && !model->backend; ++i)
      bindings += count(entry->dispatches()->Get(i)->bindings());
  }
  uint32_t vocab = model->encode ? 0 : manifest.model()->vocab(); // encoders sample nothing

  Stack block;
  block.place(1, sizeof(sinter_session));
  layout->members = block.place(layout->threads, sizeof(Member));
  layout->dispatches = block.place(dispatches, sizeof(Dispatch));
  layout->bindings = block.place(bindings, sizeof(void *));
  layout->cacheStarts = block.place(manifest.caches()->size(), sizeof(uint64_t));
  layout->history = block.place(layout->context, sizeof(uint32_t));
  layout->seen = block.place((uint64_t(vocab) + 31) / 32, sizeof(uint32_t));
  layout->values = block.place(vocab, sizeof(float));
  layout->candidates = block.place(vocab, sizeof(Candidate));
  if (model->backend) {
    layout->ids = block.place(model->prefill->max_tokens(), sizeof(int32_t));
    layout->logits = block.place(vocab, sizeof(float));
    layout->rows = block.place(model->prefill->max_tokens(), uint64_t(manifest.hidden_stride()) * sizeof(float));
    sinter_device_program program = programOf(model);
    layout->plan.device = manifest.weights()->size() + model->backend->sequence_bytes(&program, layout->context);
  }
  layout->inputs = block.place(manifest.program() ? count(manifest.program()->inputs()) : 0, sizeof(InputShape));
  layout->plan.session = block.size;

  layout->caches = block.size;
  for (uint32_t i = 0; i < manifest.caches()->size() && !model->backend; ++i)
    block.place(1, cacheBytes(*manifest.caches()->Get(i), layout->context));
  layout->plan.cache = block.size - layout->caches;
  layout->arena = block.place(1, model->backend ? 0 : manifest.arena_bytes());
  layout->plan.arena = block.size - layout->arena;
  layout->scratchBytes = (largest(model->code->scratch_bytes()) + kBlockAlignment - 1) & ~(kBlockAlignment - 1);
  layout->scratch = block.place(layout->threads, layout->scratchBytes);
  layout->plan.scratch = block.size - layout->scratch;

  layout->stackBytes = platform::stackBytes(largest(model->code->stack_bytes()));
  uint64_t workers = layout->threads - 1, beforeStacks = block.size;
  if (workers) {
    block.place(1, (kStackPage - block.size % kStackPage) % kStackPage);
    layout->stacks = block.place(workers, layout->stackBytes + kStackPage);
  }
  layout->plan.stacks = block.size - beforeStacks;
  if (block.overflow || block.size > SIZE_MAX / 2)
    return fail(error, SINTER_ERROR_MEMORY, "%s: a session would not fit the address space", model->label);

  sinter_memory_plan &plan = layout->plan;
  plan.weights = manifest.weights()->size();
  plan.code = model->code->range()->size();
  plan.manifest = model->manifestBytes;
  plan.tokenizer = manifest.tokenizer() ? manifest.tokenizer()->size() : 0;
  plan.model = sizeof(sinter_model);
  plan.block = block.size;
  plan.total = plan.weights + plan.code + plan.manifest + plan.tokenizer + plan.model + plan.block;
  layout->plan.threads = layout->threads;
  layout->plan.context = layout->context;
  return SINTER_OK;
}

sinter_status sinter_plan(const sinter_model *model, const sinter_session_options *options, sinter_memory_plan *plan,
                          sinter_error *error) {
  if (!model || !plan)
    return fail(error, SINTER_ERROR_ARGUMENT, "planning a session: null pointer");
  SessionLayout layout;
  if (sinter_status status = planSession(model, options, &layout, error))
    return status;
  *plan = layout.plan;
  return succeed(error);
}
