// Where the time of a step goes: records what the runtime tells of every dispatch and adds it up into tables.
#pragma once

#include "tools/Artifact.h"
#include "tools/Output.h"

namespace sinter {

// What one round of measuring did, thread by thread, with the time it took in all.
struct Recording {
  std::vector<std::vector<sinter_dispatch_event>> threads;
  double seconds = 0;
};

// Records while it exists; afterwards the session is as before.
class Recorder {
public:
  // `events`: how many one thread will see at most, so that recording does not allocate.
  Recorder(Session &session, size_t events);
  ~Recorder();
  Recorder(const Recorder &) = delete;
  Recorder &operator=(const Recorder &) = delete;

  Recording take() { return std::move(recording); }

private:
  static void record(void *user, const sinter_dispatch_event *event);

  Session &session;
  Recording recording;
};

// A line of a table. Times are the mean of the threads, so that lines add up to the time that passed: `waiting` is what
// a thread waits for the others after its part of the work.
struct ProfileLine {
  std::string name;
  uint64_t calls = 0, bytes = 0, multiplyAdds = 0;
  double working = 0, waiting = 0; // seconds

  double seconds() const { return working + waiting; }
};

// Of what a phase ("prefill", "decode") consists.
struct Profile {
  double seconds = 0; // all of it
  uint64_t tokens = 0;
  double outside = 0;                      // not in any dispatch: waking threads, what the caller does between steps
  std::vector<ProfileLine> kinds, kernels; // most time first
  std::vector<ProfileLine> dispatches;     // in the order of the schedule
};

Profile summarize(const sinter_model *model, const Recording &recording, uint64_t tokens);

void printProfile(const char *phase, const Profile &profile);
Json toJson(const Profile &profile);

} // namespace sinter
