// JSON for programs, beside the numbers for people.
#pragma once

#include "tools/Numbers.h"

#include <nlohmann/json.hpp>

namespace sinter {

using Json = nlohmann::ordered_json;

void printJson(const Json &value);

} // namespace sinter
