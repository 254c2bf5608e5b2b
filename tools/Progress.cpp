// One line on the terminal, rewritten in place: the stage, a bar, the percentage and a rate.

#include "tools/Progress.h"

#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace sinter {

using Clock = std::chrono::steady_clock;

Progress::Progress(bool wanted) : enabled(wanted && isatty(STDERR_FILENO)), begun(Clock::now()) {}

void Progress::stage(const std::string &name) {
  current = name;
  begun = Clock::now();
  if (enabled)
    draw(name + " ...");
}

void Progress::update(uint64_t done, uint64_t total, const std::string &rate) {
  Clock::time_point now = Clock::now();
  if (!enabled || (done < total && now - lastDrawn < std::chrono::milliseconds(50)))
    return;
  lastDrawn = now;
  double share = total ? std::min(1.0, static_cast<double>(done) / static_cast<double>(total)) : 1.0;
  constexpr int width = 30;
  int filled = static_cast<int>(share * width);
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3.0f %%", share * 100);
  draw(current + " [" + std::string(filled, '=') + std::string(width - filled, ' ') + "] " + percent +
       (rate.empty() ? "" : "  " + rate));
}

void Progress::clear() {
  if (drawn)
    std::fputs("\r\033[K", stderr);
  drawn = false;
}

double Progress::seconds() const { return std::chrono::duration<double>(Clock::now() - begun).count(); }

void Progress::draw(const std::string &line) {
  winsize size = {};
  size_t columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79u;
  std::fprintf(stderr, "\r\033[K%s", line.substr(0, columns).c_str());
  std::fflush(stderr);
  drawn = true;
}

} // namespace sinter
