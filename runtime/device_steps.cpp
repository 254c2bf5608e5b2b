// Steps of a session whose model is on a device. The backend runs whole entries; where somebody looks on, at layers or at
// times, an entry goes in pieces, and what is looked at is read back between them.

#include "runtime/platform.h"
#include "runtime/session.h"
#include "runtime/status.h"

using namespace sinter;
using namespace sinter::runtime;

namespace {

class DeviceRun {
public:
  explicit DeviceRun(sinter_session *session) : session(session), backend(*session->model->backend) {}

  sinter_status run(const Job &job) {
    session->logitsHere = false;
    if (cancelWanted())
      return SINTER_ERROR_CANCELLED;
    if (!job.observer.function && !job.profiler.function) {
      sinter_device_step steps[2];
      for (uint32_t i = 0; i < job.count; ++i)
        steps[i] = stepOf(job.steps[i], 0, job.steps[i].schedule->count);
      return backend.run(session->onDevice, session->tokens, steps, job.count, &session->error);
    }
    for (uint32_t i = 0; i < job.count; ++i)
      if (sinter_status status = walk(job.steps[i], job))
        return status;
    return SINTER_OK;
  }

private:
  bool cancelWanted() const { return __atomic_load_n(&session->team.cancel, __ATOMIC_RELAXED); }

  sinter_device_step stepOf(const Step &step, uint32_t first, uint32_t end) const {
    uint32_t entry = step.schedule == &session->prefill ? 0 : step.schedule == &session->decode ? 1 : 2;
    return {entry, first, end, step.scalars.tokens, step.scalars.position, step.scalars.row};
  }

  // Up to each dispatch that is looked at.
  sinter_status walk(const Step &step, const Job &job) {
    uint32_t first = 0;
    for (uint32_t i = 0; i < step.schedule->count; ++i) {
      const Dispatch &dispatch = step.schedule->dispatches[i];
      bool shown = dispatch.tap && job.observer.function;
      if (!shown && !job.profiler.function && i + 1 < step.schedule->count)
        continue;
      if (cancelWanted())
        return SINTER_ERROR_CANCELLED;
      sinter_dispatch_event event = {step.schedule->name,     i, 0, platform::nanoseconds(), 0, 0, step.scalars.tokens,
                                     step.scalars.position};
      event.begin = event.arrived;
      sinter_device_step piece = stepOf(step, first, i + 1);
      if (sinter_status status = backend.run(session->onDevice, session->tokens, &piece, 1, &session->error))
        return status;
      event.end = platform::nanoseconds();
      if (job.profiler.function)
        job.profiler.function(job.profiler.user, &event);
      if (shown)
        if (sinter_status status = observe(step, i, job.observer))
          return status;
      first = i + 1;
    }
    if (job.profiler.function) {
      uint64_t now = platform::nanoseconds();
      sinter_dispatch_event event = {step.schedule->name, step.schedule->count, 0, now, now, now, step.scalars.tokens,
                                     step.scalars.position};
      job.profiler.function(job.profiler.user, &event);
    }
    return SINTER_OK;
  }

  sinter_status observe(const Step &step, uint32_t index, const Observer &observer) {
    const package::Entry *entries[] = {session->model->prefill, session->model->decode, session->model->head};
    const package::Dispatch *dispatch = entries[stepOf(step, 0, 0).entry]->dispatches()->Get(index);
    const package::Binding *rows = dispatch->bindings()->Get(dispatch->tap_binding());
    uint64_t bytes = ((step.scalars.tokens - 1) * observer.stride + observer.width) * sizeof(float);
    if (sinter_status status = backend.read(session->onDevice, rows->offset(), session->rows, bytes, &session->error))
      return status;
    sinter_observation observation = {step.schedule->dispatches[index].tap, session->rows,   step.scalars.tokens,
                                      observer.width,                       observer.stride, step.scalars.position};
    observer.function(observer.user, &observation);
    return SINTER_OK;
  }

  sinter_session *session;
  const sinter_device_backend &backend;
};

// Kernels may have written to caches past the sequence's end, which rings remember.
sinter_status cancelled(sinter_session *session, const Step &step) {
  acceptCancel(&session->team);
  session->hasLogits = false;
  uint32_t end = uint32_t(step.scalars.position + step.scalars.tokens);
  session->written = end > session->written ? end : session->written;
  return fail(session, SINTER_ERROR_CANCELLED, "cancelled at %u tokens", session->position);
}

} // namespace

sinter_status sinter::runtime::runSteps(sinter_session *session, const Job &job) {
  sinter_status status = session->onDevice                  ? DeviceRun(session).run(job)
                         : runJob(&session->team, job) ? SINTER_OK
                                                            : SINTER_ERROR_CANCELLED;
  if (status == SINTER_ERROR_CANCELLED)
    return cancelled(session, job.steps[0]);
  if (status)
    tell(session->model, SINTER_LOG_ERROR, "%s", session->error.message);
  return status;
}

const float *sinter::runtime::fetchLogits(sinter_session *session) {
  if (session->onDevice && !session->logitsHere) {
    uint64_t bytes = uint64_t(session->sampler.vocab) * sizeof(float);
    if (session->model->backend->read(session->onDevice, session->model->manifest->logits()->offset(),
                                      const_cast<float *>(session->logits), bytes, &session->error)) {
      tell(session->model, SINTER_LOG_ERROR, "%s", session->error.message);
      return nullptr;
    }
    session->logitsHere = true;
  }
  return session->logits;
}
