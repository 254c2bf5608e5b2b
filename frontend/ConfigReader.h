// Typed, bounded reads from one JSON object. The first failure sticks and makes later reads do nothing, so that a
// caller reads all keys in a row and asks once whether it went well.
#pragma once

#include "nlohmann/json_fwd.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sinter {

class ConfigReader {
public:
  // `where` begins every message: the file, and for an object within it, its key. `error` holds the failure; readers of
  // nested objects share it. It must be empty at first.
  ConfigReader(const nlohmann::json &object, std::string where, std::string &error);

  // The value of a key that is there and not null, else nullptr.
  const nlohmann::json *find(const char *key) const;
  bool has(const char *key) const; // there, null or not

  // "need" fails where the key is absent or null; "read" then leaves `out` as it is.
  void needInteger(const char *key, int64_t low, int64_t high, int64_t &out);
  void readInteger(const char *key, int64_t low, int64_t high, int64_t &out);
  void readInteger(const char *key, int64_t low, int64_t high, std::optional<int64_t> &out);
  void readNumber(const char *key, double low, double high, double &out);
  void readNumber(const char *key, double low, double high, float &out);
  void readBool(const char *key, bool &out);
  void readBool(const char *key, std::optional<bool> &out);
  void needString(const char *key, std::string &out);
  void readString(const char *key, std::string &out);
  void readStrings(const char *key, std::vector<std::string> &out);
  // One token id or a list of them, each below `vocab`; sorted, without duplicates.
  void readTokens(const char *key, int64_t vocab, std::vector<uint32_t> &out);

  // WHERE: KEY: MESSAGE, unless something failed before.
  void fail(const std::string &key, const std::string &message);
  bool failed() const { return !error.empty(); }
  const std::string &location() const { return where; }

private:
  const nlohmann::json *expect(const char *key, bool required);

  const nlohmann::json &object;
  std::string where;
  std::string &error;
};

} // namespace sinter
