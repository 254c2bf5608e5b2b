// Worker threads, and the two things they wait for: work, and one another. A waiting thread spins briefly, because the
// next dispatch is usually microseconds away, and then sleeps on a futex. How briefly is learned: where other processes
// or too many threads hold the CPUs, spinning only takes time from the thread that is waited for, so a wait that ended
// in sleep halves the next one's spinning and a wait that did not doubles it.

#include "runtime/threads.h"

#include "runtime/cpu_features.h"

using namespace sinter;
using namespace sinter::runtime;

namespace {

// In pauses of about 40 ns: 100 us with a CPU per thread, 2 us when threads share CPUs.
constexpr uint32_t kMostSpins = 2500, kFewSpins = 50;

void open(Gate *gate) {
  // Together with the order in wait(): either this sees the sleeper, or the sleeper sees the new phase.
  __atomic_fetch_add(&gate->phase, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&gate->sleepers, __ATOMIC_SEQ_CST))
    platform::wakeAll(&gate->phase);
}

void wait(Gate *gate, uint32_t phase, Patience *patience, uint32_t mostSpins) {
  for (uint32_t spin = 0; spin < patience->spins; ++spin) {
    if (__atomic_load_n(&gate->phase, __ATOMIC_ACQUIRE) != phase) {
      patience->spins = patience->spins * 2 < mostSpins ? patience->spins * 2 : mostSpins;
      return;
    }
    relaxCpu();
  }
  patience->spins = patience->spins / 2 > kFewSpins ? patience->spins / 2 : kFewSpins;
  __atomic_fetch_add(&gate->sleepers, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&gate->phase, __ATOMIC_SEQ_CST) == phase)
    platform::sleepWhile(&gate->phase, phase);
  __atomic_fetch_sub(&gate->sleepers, 1, __ATOMIC_SEQ_CST);
}

void *workerMain(void *argument) {
  Member *member = static_cast<Member *>(argument);
  Team *team = member->team;
  for (uint32_t phase = 0;; ++phase) {
    wait(&team->work, phase, &member->forWork, team->mostSpins);
    if (!team->function)
      return nullptr;
    team->function(member, team->context);
  }
}

void endThreads(Team *team, uint32_t started) {
  team->function = nullptr;
  open(&team->work);
  for (uint32_t i = 1; i < started; ++i)
    platform::joinThread(team->members[i].handle);
}

} // namespace

bool sinter::runtime::startTeam(Team *team, Member *members, uint32_t threads, size_t stackBytes) {
  team->members = members;
  team->threads = threads;
  team->mostSpins = threads <= platform::usableCpus() ? kMostSpins : kFewSpins;
  for (uint32_t i = 0; i < threads; ++i) {
    members[i].team = team;
    members[i].index = i;
    members[i].forWork.spins = members[i].forOthers.spins = team->mostSpins;
    if (i > 0 && !platform::startThread(&members[i].handle, members[i].stack, stackBytes, workerMain, &members[i])) {
      endThreads(team, i);
      return false;
    }
  }
  return true;
}

void sinter::runtime::stopTeam(Team *team) { endThreads(team, team->threads); }

void sinter::runtime::runTeam(Team *team, TeamWork function, const void *context) {
  team->function = function;
  team->context = context;
  if (team->threads > 1)
    open(&team->work);
  function(&team->members[0], context);
}

void sinter::runtime::meet(Member *member) {
  Team *team = member->team;
  if (team->threads == 1) {
    if (__atomic_load_n(&team->cancel, __ATOMIC_RELAXED))
      team->stopped = 1;
    return;
  }
  uint32_t phase = __atomic_load_n(&team->meeting.phase, __ATOMIC_RELAXED);
  if (__atomic_add_fetch(&team->arrived, 1, __ATOMIC_ACQ_REL) < team->threads) {
    wait(&team->meeting, phase, &member->forOthers, team->mostSpins);
    return;
  }
  __atomic_store_n(&team->arrived, 0, __ATOMIC_RELAXED);
  // Decided by one thread while the others wait, so that all of them stop at the same place.
  if (__atomic_load_n(&team->cancel, __ATOMIC_RELAXED))
    team->stopped = 1;
  open(&team->meeting);
}
