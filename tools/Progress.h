// A progress bar on standard error. It draws only where standard error is a terminal, and never more than 20 times a
// second, so that callers may report as often as they like.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace sinter {

class Progress {
public:
  explicit Progress(bool wanted);
  ~Progress() { clear(); }

  // What is being done now, without a measure of how much of it remains.
  void stage(const std::string &name);
  // `done` of `total` in the current stage; `rate` (may be empty) is shown behind the bar, "812 MB/s".
  void update(uint64_t done, uint64_t total, const std::string &rate = "");
  // Takes the line away again.
  void clear();
  // Seconds since the current stage began.
  double seconds() const;

private:
  void draw(const std::string &line);
  bool enabled;
  bool drawn = false;
  std::string current;
  std::chrono::steady_clock::time_point begun, lastDrawn;
};

} // namespace sinter
