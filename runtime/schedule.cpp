// The executor. Every thread of the team walks the same list of dispatches and computes its own share of each, a fixed
// part of the units: which thread computes what never depends on timing, so results are the same bits each time, and
// plans can leave out barriers where a consumer reads only what its own thread wrote.

#include "runtime/schedule.h"

#include "runtime/cpu_features.h"
#include "runtime/platform.h"

using namespace sinter;
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

// Takes the times of one thread's way through one entry.
class Stopwatch {
public:
  Stopwatch(const Profiler &profiler, const Member *member, const Step &step) : profiler(profiler) {
    if (profiler.function)
      event = {step.schedule->name, 0, member->index, 0, 0, 0, step.scalars.tokens, step.scalars.position};
  }
  void arrive() { take(event.arrived); }
  void begin() { take(event.begin); }
  void end(uint32_t dispatch) {
    if (!profiler.function)
      return;
    take(event.end);
    event.dispatch = dispatch;
    profiler.function(profiler.user, &event);
  }

private:
  void take(uint64_t &time) {
    if (profiler.function)
      time = platform::nanoseconds();
  }

  const Profiler &profiler;
  sinter_dispatch_event event = {};
};

// What Dispatch of package.fbs says of rows.
uint64_t countOf(int64_t rows, const Step &step) { return uint64_t(rows < 0 ? step.counts[-1 - rows] : rows); }

void walk(Member *member, const Step &step, const Observer &observer, const Profiler &profiler) {
  const uint64_t thread = member->index, threads = member->team->threads;
  const uint32_t dispatches = step.schedule->count; // after the last meeting the schedule may be gone
  Stopwatch watch(profiler, member, step);
  sinter_kernel_scalars scalars = step.scalars;
  for (uint32_t i = 0; i < dispatches; ++i) {
    const Dispatch &dispatch = step.schedule->dispatches[i];
    watch.arrive();
    if (dispatch.barrier) {
      meet(member);
      if (member->team->stopped) // the sequence stays as it was, so what was not computed is not missed
        break;
    }
    watch.begin();
    uint64_t units = dispatch.units;
    if (dispatch.rows) {
      scalars.tokens = countOf(dispatch.rows, step);
      scalars.sequence = countOf(dispatch.sequence, step);
      units = scalars.tokens ? units : 0; // kernels expect some
    }
    if (dispatch.tokensPerUnit)
      units *= (scalars.tokens + dispatch.tokensPerUnit - 1) / dispatch.tokensPerUnit;
    uint64_t begin = units * thread / threads, end = units * (thread + 1) / threads;
    if (begin < end) {
      sinter_kernel_args arguments = {dispatch.bindings, &scalars};
      dispatch.kernel(&arguments, uint32_t(begin), uint32_t(end), member->scratch);
    }
    watch.end(i);
    if (dispatch.tap && observer.function) {
      meet(member);
      if (thread == 0)
        observe(dispatch, step, observer);
      meet(member);
    }
  }
  watch.arrive();
  meet(member);
  watch.begin();
  watch.end(dispatches);
  if (profiler.function) // nobody is called back once the caller has gone on
    meet(member);
}

void work(Member *member, const void *context) {
  DefaultFloatMode mode;
  // A copy: the caller's goes away as soon as it has met the others, which is before they have returned.
  const Job job = *static_cast<const Job *>(context);
  for (uint32_t i = 0; i < job.count; ++i) {
    walk(member, job.steps[i], job.observer, job.profiler);
    if (i + 1 < job.count && member->team->stopped) {
      meet(member); // all have seen it: the caller may go on and start anew
      return;
    }
  }
}

} // namespace

bool sinter::runtime::runJob(Team *team, const Job &job) {
  runTeam(team, work, &job);
  return !team->stopped;
}
