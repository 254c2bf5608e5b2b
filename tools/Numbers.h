// Numbers for people, and a check that what was printed arrived.
#pragma once

#include <cstdint>
#include <string>

namespace sinter {

// "1,234,567"
std::string grouped(uint64_t number);
// "2.41 MiB"
std::string inUnits(uint64_t bytes);
// "1,234,567 bytes (1.18 MiB)"
std::string exactBytes(uint64_t bytes);
// "12.3", or "0.123" for small numbers: four digits that count
std::string rounded(double number);

// Throws Failure if standard output could not be written (a full disk, a closed pipe).
void flushOutput();

} // namespace sinter
