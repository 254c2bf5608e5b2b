// Files and their JSON. The parser keeps no recursion of its own, and checks that strings are UTF-8.

#include "Json.h"

#include <cstdio>
#include <memory>
#include <sys/stat.h>

namespace sinter::tokenizer {

static constexpr size_t kMaxFileBytes = size_t(512) << 20;

bool fileExists(const std::string &path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0;
}

std::string readTextFile(const std::string &path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
    throw Failure(path + ": not a file that can be read");
  if (static_cast<uint64_t>(status.st_size) > kMaxFileBytes)
    throw Failure(path + ": the file has " + std::to_string(status.st_size) + " bytes (limit " +
                  std::to_string(kMaxFileBytes) + ")");
  std::unique_ptr<FILE, int (*)(FILE *)> file(fopen(path.c_str(), "rb"), fclose);
  std::string text(static_cast<size_t>(status.st_size), 0);
  if (!file || fread(&text[0], 1, text.size(), file.get()) != text.size())
    throw Failure(path + ": cannot be read");
  return text;
}

nlohmann::json parseJson(const std::string &path, const std::string &text) {
  // The parser takes a zero byte for the end of the text.
  if (size_t zero = text.find('\0'); zero != text.npos)
    throw Failure(path + ": not JSON: error at byte " + std::to_string(zero + 1));
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error &error) {
    throw Failure(path + ": not JSON: error at byte " + std::to_string(error.byte));
  } catch (const nlohmann::json::exception &) {
    throw Failure(path + ": not JSON: a number is out of range");
  }
}

void JsonNode::fail(const std::string &message) const {
  throw Failure(*file + ": " + (path.empty() ? "" : path + ": ") + message);
}

JsonNode JsonNode::operator[](const std::string &name) const {
  static const nlohmann::json null;
  std::string childPath = path.empty() ? name : path + "." + name;
  if (isNull())
    return JsonNode(null, *file, childPath);
  requireObject();
  nlohmann::json::const_iterator found = value->find(name);
  return JsonNode(found == value->end() ? null : *found, *file, childPath);
}

std::vector<JsonNode> JsonNode::elements() const {
  std::vector<JsonNode> result;
  if (isNull())
    return result;
  requireArray();
  for (size_t i = 0; i < value->size(); ++i)
    result.push_back(JsonNode((*value)[i], *file, path + "[" + std::to_string(i) + "]"));
  return result;
}

void JsonNode::requireObject() const {
  if (!value->is_object())
    fail(std::string("expected an object, found ") + value->type_name());
}

void JsonNode::requireArray() const {
  if (!value->is_array())
    fail(std::string("expected an array, found ") + value->type_name());
}

const std::string &JsonNode::string() const {
  if (!value->is_string())
    fail(std::string("expected a string, found ") + value->type_name());
  return value->get_ref<const std::string &>();
}

std::string JsonNode::string(const char *fallback) const { return isNull() ? fallback : string(); }

bool JsonNode::boolean(bool fallback) const {
  if (isNull())
    return fallback;
  if (!value->is_boolean())
    fail(std::string("expected true or false, found ") + value->type_name());
  return value->get<bool>();
}

int64_t JsonNode::integer(int64_t low, int64_t high) const {
  if (!value->is_number_integer())
    fail(std::string("expected a whole number, found ") + value->type_name());
  // Numbers past 2^63 are kept unsigned.
  bool fits = value->is_number_unsigned() ? value->get<uint64_t>() <= static_cast<uint64_t>(high) : true;
  int64_t number = value->get<int64_t>();
  if (!fits || number < low || number > high)
    fail("expected a number from " + std::to_string(low) + " to " + std::to_string(high) + ", found " + value->dump());
  return number;
}

int64_t JsonNode::integer(int64_t low, int64_t high, int64_t fallback) const {
  return isNull() ? fallback : integer(low, high);
}

} // namespace sinter::tokenizer
