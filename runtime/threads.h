// The threads of one session. The thread that calls into the session is thread 0 of its team; the others wait for work.
#pragma once

#include "runtime/platform.h"

namespace sinter::runtime {

inline constexpr uint32_t kMostThreads = 1024;

// Something that threads wait for: `phase` changes when it happens.
struct alignas(64) Gate {
  uint32_t phase;
  uint32_t sleepers;
};

// How long one thread spins at a gate before it sleeps: doubled when spinning was enough, halved when it was not.
struct Patience {
  uint32_t spins;
};

struct Team;

// What one thread of a team keeps; cache lines of its own.
struct alignas(64) Member {
  Team *team;
  uint32_t index; // 0: the calling thread
  Patience forWork, forOthers;
  void *scratch;
  void *stack; // not for index 0
  platform::ThreadHandle handle; // not for index 0
};

// Runs on every thread of a team; all of them return after the last one met the others.
using TeamWork = void (*)(Member *member, const void *context);

struct Team {
  Gate work;    // opens when there is work, or at the end
  Gate meeting; // opens when all have arrived
  alignas(64) uint32_t arrived;
  alignas(64) Member *members; // [threads]
  uint32_t threads;
  uint32_t mostSpins;
  TeamWork function; // null: the threads end
  uint32_t cancel;   // somebody wants the work to stop; may be set at any time
  uint32_t stopped;  // the same as all threads see it, decided where they meet
  const void *context;
};

// Starts threads 1 .. threads-1 of a team whose memory is zero. Members' scratch and stacks are the
// caller's to set. False if a
// thread could not be started; none is left running then.
bool startTeam(Team *team, Member *members, uint32_t threads, size_t stackBytes);
void stopTeam(Team *team);
// Calls function(member, context) on all threads. The function must end with meet().
void runTeam(Team *team, TeamWork function, const void *context);
// A barrier: returns when all threads of the team have called it. What they wrote before is visible after.
void meet(Member *member);

// After work that was stopped: it has stopped, and the next may run.
inline void acceptCancel(Team *team) {
  team->stopped = 0;
  __atomic_store_n(&team->cancel, 0, __ATOMIC_RELAXED);
}

} // namespace sinter::runtime
