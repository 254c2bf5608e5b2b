// JSON that stays valid whatever bytes a model's files hold.

#include "tools/Output.h"

#include <cstdio>

namespace sinter {

void printJson(const Json &value) {
  std::string text = value.dump(2, ' ', false, Json::error_handler_t::replace);
  std::printf("%s\n", text.c_str());
  flushOutput();
}

} // namespace sinter
