// The executor. Every thread of the team walks the same list of dispatches and computes its own share of each, a fixed
// part of the units: which thread computes what never depends on timing, so results are the same bits each time, and
// plans can leave out barriers where a consumer reads only what its own thread wrote.

#include "runtime/schedule.h"

#include "runtime/cpu_features.h"

using namespace sinter::runtime;

namespace {

void observe(const Dispatch &dispatch, const Step &step, const Observer &observer) {
  sinter_observation observation = {};
  observation.name = dispatch.tap;
  observation.data = dispatch.tapRows;
  observation.rows = step.scalars.tokens;
  observation.width = observer.width;
  observation.stride = observer.stride;
  observation.position = step.scalars.position;
  observer.function(observer.user, &observation);
}

void walk(Member *member, const Step &step, const Observer &observer) {
  const uint64_t thread = member->index, threads = member->team->threads;
  for (uint32_t i = 0; i < step.schedule->count; ++i) {
    const Dispatch &dispatch = step.schedule->dispatches[i];
    if (dispatch.barrier)
      meet(member);
    uint64_t units = dispatch.units;
    if (dispatch.tokensPerUnit)
      units *= (step.scalars.tokens + dispatch.tokensPerUnit - 1) / dispatch.tokensPerUnit;
    uint64_t begin = units * thread / threads, end = units * (thread + 1) / threads;
    if (begin < end) {
      sinter_kernel_args arguments = {dispatch.bindings, &step.scalars};
      dispatch.kernel(&arguments, uint32_t(begin), uint32_t(end), member->scratch);
    }
    if (dispatch.tap && observer.function) {
      meet(member);
      if (thread == 0)
        observe(dispatch, step, observer);
      meet(member);
    }
  }
  meet(member);
}

void work(Member *member, const void *context) {
  DefaultFloatMode mode;
  // A copy: the caller's goes away as soon as it has met the others, which is before they have returned.
  const Job job = *static_cast<const Job *>(context);
  for (uint32_t i = 0; i < job.count; ++i)
    walk(member, job.steps[i], job.observer);
}

} // namespace

void sinter::runtime::runJob(Team *team, const Job &job) { runTeam(team, work, &job); }
