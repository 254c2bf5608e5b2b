// Making and ending sessions. Everything a step needs is resolved here, once: kernels to addresses, bindings to
// pointers into the weights, the arena and the caches. Afterwards nothing is allocated and nothing of the manifest is
// read.

#include "runtime/session.h"

#include "runtime/format_text.h"
#include "runtime/memory_plan.h"
#include "runtime/platform.h"
#include "runtime/status.h"

#include <stdarg.h>
#include <string.h>

using namespace sinter;
using namespace sinter::runtime;

namespace {

class SessionBuilder {
public:
  SessionBuilder(const sinter_model *model, const SessionLayout &layout, uint8_t *block)
      : model(model), manifest(*model->manifest), layout(layout), block(block),
        nextDispatch(reinterpret_cast<Dispatch *>(block + layout.dispatches)),
        nextBinding(reinterpret_cast<void **>(block + layout.bindings)) {}

  // The block is zero; members that are zero stay unmentioned.
  sinter_session *build() {
    sinter_session *session = reinterpret_cast<sinter_session *>(block);
    session->model = model;
    session->context = layout.context;
    session->history = reinterpret_cast<uint32_t *>(block + layout.history);

    uint64_t *cacheStarts = reinterpret_cast<uint64_t *>(block + layout.cacheStarts);
    uint64_t start = layout.caches;
    for (uint32_t i = 0; i < manifest.caches()->size() && !model->backend; ++i) {
      cacheStarts[i] = start;
      uint64_t bytes = cacheBytes(*manifest.caches()->Get(i), layout.context);
      start += (bytes + kBlockAlignment - 1) / kBlockAlignment * kBlockAlignment;
    }
    session->arena = block + layout.arena;
    if (manifest.program()) {
      session->inputs = reinterpret_cast<InputShape *>(block + layout.inputs);
      session->exec = resolve(*model->exec);
      if (model->sizes)
        session->sizes = resolve(*model->sizes);
      return session;
    }
    const struct {
      const package::Entry *entry;
      Schedule *schedule;
    } entries[] = {{model->prefill, &session->prefill},
                   {model->decode, &session->decode},
                   {model->head, &session->head},
                   {model->encode, &session->encode}};
    for (const auto &row : entries)
      if (row.entry)
        *row.schedule = resolve(*row.entry);
    const bool cpu = !model->backend; // else only decoders are taken
    session->tokens = static_cast<int32_t *>(cpu ? address(*manifest.tokens()) : block + layout.ids);
    session->rows = cpu ? nullptr : reinterpret_cast<float *>(block + layout.rows);
    session->hidden = cpu ? static_cast<const float *>(address(*manifest.hidden())) : session->rows;
    if (model->head)
      session->logits = static_cast<const float *>(cpu ? address(*manifest.logits()) : block + layout.logits);
    if (manifest.encoder() && manifest.encoder()->types())
      session->types = static_cast<int32_t *>(address(*manifest.encoder()->types()));

    session->observer.width = manifest.model()->hidden();
    session->observer.stride = manifest.hidden_stride();
    session->sampler.vocab = manifest.model()->vocab();
    session->sampler.seen = reinterpret_cast<uint32_t *>(block + layout.seen);
    session->sampler.values = reinterpret_cast<float *>(block + layout.values);
    session->sampler.candidates = reinterpret_cast<Candidate *>(block + layout.candidates);
    return session;
  }

private:
  void *address(const package::Binding &binding) const {
    if (binding.space() == package::Space::weights) // kernels do not write to what they are told is weights
      return const_cast<uint8_t *>(weightsOf(model)) + binding.offset();
    if (binding.space() == package::Space::arena)
      return block + layout.arena + binding.offset();
    return block + reinterpret_cast<const uint64_t *>(block + layout.cacheStarts)[binding.index()];
  }

  Schedule resolve(const package::Entry &entry) {
    Schedule schedule = {entry.name()->c_str(), nextDispatch, count(entry.dispatches())};
    for (uint32_t i = 0; i < schedule.count; ++i) {
      const package::Dispatch &from = *entry.dispatches()->Get(i);
      Dispatch &to = *nextDispatch++;
      if (model->backend) { // which does the rest
        to.tap = from.tap() ? from.tap()->c_str() : nullptr;
        continue;
      }
      uint64_t start = model->code->entries()->Get(from.kernel());
      to.kernel = reinterpret_cast<sinter_kernel>(reinterpret_cast<uintptr_t>(model->instructions + start));
      to.bindings = nextBinding;
      for (uint32_t b = 0; b < count(from.bindings()); ++b)
        *nextBinding++ = address(*from.bindings()->Get(b));
      to.units = from.grid()->units();
      to.tokensPerUnit = from.grid()->tokens_per_unit();
      to.barrier = from.barrier();
      to.rows = from.rows();
      to.sequence = from.sequence();
      if (from.tap()) {
        to.tap = from.tap()->c_str();
        to.tapRows = static_cast<const float *>(to.bindings[from.tap_binding()]);
      }
    }
    return schedule;
  }

  const sinter_model *model;
  const package::Manifest &manifest;
  const SessionLayout &layout;
  uint8_t *block;
  Dispatch *nextDispatch;
  void **nextBinding;
};

void freeBlock(sinter_session *session) {
  if (session->ownedBytes)
    platform::freePages(session, session->ownedBytes);
}

} // namespace

sinter_status sinter::runtime::fail(sinter_session *session, sinter_status status, const char *format, ...) {
  session->error.status = status;
  va_list arguments;
  va_start(arguments, format);
  formatTextFrom(session->error.message, sizeof(session->error.message), format, arguments);
  va_end(arguments);
  tell(session->model, SINTER_LOG_ERROR, "%s", session->error.message);
  return status;
}

sinter_status sinter_session_create(const sinter_model *model, const sinter_session_options *options,
                                    sinter_session **result, sinter_error *error) {
  if (!model || !result)
    return fail(error, SINTER_ERROR_ARGUMENT, "creating a session: null pointer");
  *result = nullptr;
  if (model->factsOnly)
    return fail(error, SINTER_ERROR_ARGUMENT, "%s was opened for its facts only: it cannot be run", model->label);
  SessionLayout layout;
  if (sinter_status status = planSession(model, options, &layout, error))
    return status;

  size_t bytes = layout.plan.block, owned = 0;
  void *block = options ? options->memory : nullptr;
  if (block) {
    if (reinterpret_cast<uintptr_t>(block) % kBlockAlignment)
      return fail(error, SINTER_ERROR_MEMORY, "the memory for a session must be %u-byte aligned",
                  unsigned(kBlockAlignment));
    if (options->memory_size < bytes)
      return fail(error, SINTER_ERROR_MEMORY, "the session needs %zu bytes, the memory given has %zu", bytes,
                  options->memory_size);
    memset(block, 0, bytes);
  } else {
    block = platform::allocatePages(bytes);
    owned = bytes;
    if (!block)
      return fail(error, SINTER_ERROR_MEMORY, "no %zu bytes of memory for a session", bytes);
  }

  sinter_session *session = SessionBuilder(model, layout, static_cast<uint8_t *>(block)).build();
  session->ownedBytes = owned;
  uint8_t *base = static_cast<uint8_t *>(block);
  Member *members = reinterpret_cast<Member *>(base + layout.members);
  for (uint32_t i = 0; i < layout.threads; ++i)
    members[i].scratch = base + layout.scratch + i * layout.scratchBytes;
  for (uint32_t i = 1; i < layout.threads; ++i) {
    uint8_t *guard = base + layout.stacks + (i - 1) * (layout.stackBytes + kStackPage);
    members[i].stack = guard + kStackPage;
    if (owned) // the caller's memory is not ours to take rights from
      platform::forbidPage(guard, kStackPage);
  }
  if (!startTeam(&session->team, members, layout.threads, layout.stackBytes)) {
    freeBlock(session);
    return fail(error, SINTER_ERROR_THREAD, "the session's %u worker threads with stacks of %zu bytes did not start",
                layout.threads - 1, size_t(layout.stackBytes));
  }
  if (model->backend)
    if (sinter_status status = model->backend->begin(model->onDevice, layout.context, &session->onDevice, error)) {
      stopTeam(&session->team);
      freeBlock(session);
      return status;
    }
  holdModel(model);
  tell(model, SINTER_LOG_INFO, "%s: a session of %u tokens on %u threads, %zu bytes%s", model->label, layout.context,
       layout.threads, bytes, owned ? "" : " of the caller");
  *result = session;
  return succeed(error);
}

void sinter_session_destroy(sinter_session *session) {
  if (!session)
    return;
  stopTeam(&session->team);
  const sinter_model *model = session->model;
  if (session->onDevice)
    model->backend->end(session->onDevice);
  freeBlock(session);
  releaseModel(model);
}

const char *sinter_session_error(const sinter_session *session) {
  return session ? session->error.message : "there is no session: null pointer";
}
uint32_t sinter_position(const sinter_session *session) { return session ? session->position : 0; }
uint32_t sinter_threads(const sinter_session *session) { return session ? session->team.threads : 0; }
const float *sinter_logits(sinter_session *session) {
  return session && session->hasLogits ? fetchLogits(session) : nullptr;
}

void sinter_set_observer(sinter_session *session, sinter_observer observer, void *user) {
  if (!session)
    return;
  session->observer.function = observer;
  session->observer.user = user;
}

void sinter_set_profiler(sinter_session *session, sinter_profiler profiler, void *user) {
  if (!session)
    return;
  session->profiler.function = profiler;
  session->profiler.user = user;
}
