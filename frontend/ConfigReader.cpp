// Each read looks a key up, checks the value's type and bounds, and stores it; what is wrong is said with file, key,
// what was expected and what was found. Nothing is converted silently, except that an integer may stand for a number.

#include "frontend/ConfigReader.h"

#include "frontend/Json.h"

#include "nlohmann/json.hpp"

#include <algorithm>
#include <cmath>

using nlohmann::json;

namespace sinter {

static constexpr size_t kMaxTokens = 1024; // in a list of ids
static constexpr size_t kMaxStrings = 1 << 16;

ConfigReader::ConfigReader(const json &object, std::string where, std::string &error)
    : object(object), where(std::move(where)), error(error) {}

bool ConfigReader::has(const char *key) const { return object.find(key) != object.end(); }

const json *ConfigReader::find(const char *key) const {
  json::const_iterator found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

void ConfigReader::fail(const std::string &key, const std::string &message) {
  if (!failed())
    error = where + ": " + key + ": " + message;
}

const json *ConfigReader::expect(const char *key, bool required) {
  if (failed())
    return nullptr;
  const json *value = find(key);
  if (!value && required)
    fail(key, "is missing");
  return value;
}

// The value of an integer within int64_t.
static std::optional<int64_t> asInteger(const json &value) {
  if (value.is_number_unsigned()) {
    uint64_t number = *value.get_ptr<const json::number_unsigned_t *>();
    return number <= INT64_MAX ? std::optional<int64_t>(static_cast<int64_t>(number)) : std::nullopt;
  }
  if (const json::number_integer_t *number = value.get_ptr<const json::number_integer_t *>())
    return *number;
  return std::nullopt;
}

static std::optional<double> asNumber(const json &value) {
  if (value.is_number_unsigned())
    return static_cast<double>(*value.get_ptr<const json::number_unsigned_t *>());
  if (const json::number_integer_t *number = value.get_ptr<const json::number_integer_t *>())
    return static_cast<double>(*number);
  if (const json::number_float_t *number = value.get_ptr<const json::number_float_t *>())
    return *number;
  return std::nullopt;
}

static std::string formatNumber(double value) { return json(value).dump(); }

void ConfigReader::readInteger(const char *key, int64_t low, int64_t high, std::optional<int64_t> &out) {
  const json *value = expect(key, false);
  if (!value)
    return;
  std::optional<int64_t> number = asInteger(*value);
  if (!number || *number < low || *number > high)
    return fail(key, "expected an integer from " + std::to_string(low) + " to " + std::to_string(high) + ", found " +
                         describeJson(*value));
  out = *number;
}

void ConfigReader::readInteger(const char *key, int64_t low, int64_t high, int64_t &out) {
  std::optional<int64_t> value;
  readInteger(key, low, high, value);
  out = value.value_or(out);
}

void ConfigReader::needInteger(const char *key, int64_t low, int64_t high, int64_t &out) {
  if (expect(key, true))
    readInteger(key, low, high, out);
}

void ConfigReader::readNumber(const char *key, double low, double high, double &out) {
  const json *value = expect(key, false);
  if (!value)
    return;
  std::optional<double> number = asNumber(*value);
  if (!number || !std::isfinite(*number) || *number < low || *number > high)
    return fail(key, "expected a number from " + formatNumber(low) + " to " + formatNumber(high) + ", found " +
                         describeJson(*value));
  out = *number;
}

void ConfigReader::readNumber(const char *key, double low, double high, float &out) {
  double value = out;
  readNumber(key, low, high, value);
  out = static_cast<float>(value);
}

void ConfigReader::readBool(const char *key, std::optional<bool> &out) {
  const json *value = expect(key, false);
  if (!value)
    return;
  const bool *flag = value->get_ptr<const json::boolean_t *>();
  if (!flag)
    return fail(key, "expected true or false, found " + describeJson(*value));
  out = *flag;
}

void ConfigReader::readBool(const char *key, bool &out) {
  std::optional<bool> value;
  readBool(key, value);
  out = value.value_or(out);
}

void ConfigReader::readString(const char *key, std::string &out) {
  const json *value = expect(key, false);
  if (!value)
    return;
  const std::string *text = value->get_ptr<const std::string *>();
  if (!text)
    return fail(key, "expected a string, found " + describeJson(*value));
  out = *text;
}

void ConfigReader::needString(const char *key, std::string &out) {
  if (expect(key, true))
    readString(key, out);
}

void ConfigReader::readStrings(const char *key, std::vector<std::string> &out) {
  const json *value = expect(key, false);
  if (!value)
    return;
  bool valid = value->is_array() && value->size() <= kMaxStrings;
  for (size_t i = 0; valid && i < value->size(); ++i) {
    valid = (*value)[i].is_string();
    if (valid)
      out.push_back(*(*value)[i].get_ptr<const std::string *>());
  }
  if (!valid)
    fail(key, "expected a list of strings, found " + describeJson(*value));
}

void ConfigReader::readTokens(const char *key, int64_t vocab, std::vector<uint32_t> &out) {
  const json *value = expect(key, false);
  if (!value)
    return;
  std::vector<uint32_t> tokens;
  bool valid = !value->is_array() || value->size() <= kMaxTokens;
  for (size_t i = 0; valid && i < (value->is_array() ? value->size() : 1); ++i) {
    std::optional<int64_t> token = asInteger(value->is_array() ? (*value)[i] : *value);
    valid = token && *token >= 0 && *token < vocab;
    if (valid)
      tokens.push_back(static_cast<uint32_t>(*token));
  }
  if (!valid)
    return fail(key,
                "expected token ids below vocab_size " + std::to_string(vocab) + ", found " + describeJson(*value));
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  out = std::move(tokens);
}

} // namespace sinter
