// The handler only sets a flag; SA_RESETHAND gives the signal its deadly meaning back.

#include "tools/Interrupt.h"

#include <csignal>

namespace sinter {

static volatile std::sig_atomic_t flag = 0;

void catchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) { flag = 1; };
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
}

bool interrupted() { return flag != 0; }

} // namespace sinter
