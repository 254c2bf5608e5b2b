// Reading JSON with errors that say where: a node knows its file and its path, "models/x/tokenizer.json:
// pre_tokenizer.pretokenizers[1]". Inside this folder a failure is an exception, caught by the functions of
// TokenizerCompiler.h; nlohmann-json throws as well.
#pragma once

#include <nlohmann/json.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace sinter::tokenizer {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// All bytes of a file. Failure if it cannot be read or is larger than any tokenizer.
std::string readTextFile(const std::string &path);
bool fileExists(const std::string &path);
nlohmann::json parseJson(const std::string &path, const std::string &text);

class JsonNode {
public:
  JsonNode(const nlohmann::json &value, const std::string &file, std::string path = "")
      : value(&value), file(&file), path(std::move(path)) {}

  const nlohmann::json &json() const { return *value; }
  bool isNull() const { return value->is_null(); }

  [[noreturn]] void fail(const std::string &message) const;

  // A member of an object; null where it is absent.
  JsonNode operator[](const std::string &name) const;
  // The elements of an array; of null, none.
  std::vector<JsonNode> elements() const;

  // Values; a value of another type is a failure. Null gives the fallback, without one it is a failure.
  const std::string &string() const;
  std::string string(const char *fallback) const;
  bool boolean(bool fallback) const;
  int64_t integer(int64_t low, int64_t high) const;
  int64_t integer(int64_t low, int64_t high, int64_t fallback) const;

  void requireObject() const;
  void requireArray() const;

private:
  const nlohmann::json *value;
  const std::string *file;
  std::string path;
};

// "a, b, c" of the `type` column of a table of components.
template <typename Table> std::string namesOf(const Table &table) {
  std::string names;
  for (const auto &row : table)
    names += (names.empty() ? "" : ", ") + std::string(row.type);
  return names;
}

// The row for the component's "type". A type that has none is a failure that lists those that have one.
template <typename Table> const auto &findComponent(const Table &table, const JsonNode &component) {
  component.requireObject();
  const std::string &type = component["type"].string();
  for (const auto &row : table)
    if (type == row.type)
      return row;
  component.fail("type '" + type + "' is not supported (supported: " + namesOf(table) + ")");
}

} // namespace sinter::tokenizer
