// Numbers for people, JSON for programs, and a check that what was printed arrived.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace sinter {

using Json = nlohmann::ordered_json;

// "1,234,567"
std::string grouped(uint64_t number);
// "2.41 MiB"
std::string inUnits(uint64_t bytes);
// "1,234,567 bytes (1.18 MiB)"
std::string exactBytes(uint64_t bytes);
// "12.3", or "0.123" for small numbers: four digits that count
std::string rounded(double number);

void printJson(const Json &value);
// Throws Failure if standard output could not be written (a full disk, a closed pipe).
void flushOutput();

} // namespace sinter
