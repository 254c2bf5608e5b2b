// How the tools write numbers, and whether what they wrote arrived.

#include "tools/Numbers.h"
#include "tools/Failure.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace sinter {

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3;)
    digits.insert(at -= 3, ",");
  return digits;
}

std::string inUnits(uint64_t bytes) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1000 && unit + 1 < std::size(units); ++unit)
    value /= 1024;
  char text[64];
  std::snprintf(text, sizeof text, unit ? "%.2f %s" : "%.0f %s", value, units[unit]);
  return text;
}

std::string exactBytes(uint64_t bytes) {
  return grouped(bytes) + " bytes" + (bytes < 1000 ? "" : " (" + inUnits(bytes) + ")");
}

std::string rounded(double number) {
  char text[64];
  std::snprintf(text, sizeof text,
                number >= 1000  ? "%.0f"
                : number >= 100 ? "%.1f"
                : number >= 10  ? "%.2f"
                                : "%.4g",
                number);
  return text;
}

void flushOutput() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout))
    throw Failure(std::string("cannot write to standard output: ") + std::strerror(errno));
}

} // namespace sinter
