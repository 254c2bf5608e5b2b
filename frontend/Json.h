// JSON from files that nobody vouches for. Free of LLVM; no call throws.
#pragma once

#include "nlohmann/json_fwd.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace sinter {

struct JsonLimits {
  uint64_t bytes = 4 << 20;  // of text
  uint64_t values = 1 << 18; // of every kind, keys included
  uint64_t depth = 16;       // nested lists and objects
};

// Parses one JSON object. Refuses what is not JSON, repeated keys (readers disagree on which of them counts) and what
// exceeds the limits. `file` is what `error` names.
bool parseJsonObject(std::string_view text, const std::string &file, const JsonLimits &limits, nlohmann::json &object,
                     std::string &error);

// The same, of a whole file, whose value may be of any kind or must be an object.
bool readJson(const std::string &path, const JsonLimits &limits, nlohmann::json &value, std::string &error);
bool readJsonObject(const std::string &path, const JsonLimits &limits, nlohmann::json &object, std::string &error);

// A value as it appears in an error message, short: 3, 'abc', null, [1, 2], an object.
std::string describeJson(const nlohmann::json &value);

} // namespace sinter
