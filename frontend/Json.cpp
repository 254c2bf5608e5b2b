// Text comes in, a tree of nlohmann::json goes out. The tree is built by our own SAX handler rather than the library's
// parse(), because only a handler can stop early: at a repeated key, at nesting too deep for the recursive code that
// walks trees, or when many tiny values would turn a few megabytes of text into gigabytes of tree.

#include "frontend/Json.h"

#include "frontend/InputFile.h"

#include "nlohmann/json.hpp"

#include <vector>

using nlohmann::json;

namespace sinter {
namespace {

class TreeBuilder : public nlohmann::json_sax<json> {
public:
  TreeBuilder(const JsonLimits &limits, json &root) : limits(limits), root(root) {}

  std::string error; // of the first failure

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t &) override { return add(value); }
  bool string(string_t &value) override { return add(std::move(value)); }
  bool binary(binary_t &) override { return fail("binary value"); } // not in JSON text

  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t &name) override {
    json &object = *nesting.back();
    if (object.contains(name))
      return fail("key " + quote(name) + " appears twice");
    pending = &object[name];
    return count();
  }

  bool parse_error(std::size_t position, const std::string &token, const nlohmann::detail::exception &) override {
    return fail("not valid JSON at byte " + std::to_string(position) + (token.empty() ? "" : ", near " + quote(token)));
  }

private:
  bool fail(std::string message) {
    if (error.empty())
      error = std::move(message);
    return false;
  }

  bool count() { return ++values <= limits.values || fail("more than " + std::to_string(limits.values) + " values"); }

  // Puts a value where the text is: the root, the pending key of an object, or the end of a list.
  json *place(json &&value) {
    if (nesting.empty())
      return &(root = std::move(value));
    if (nesting.back()->is_object())
      return &(*pending = std::move(value));
    nesting.back()->push_back(std::move(value));
    return &nesting.back()->back();
  }

  bool add(json &&value) {
    place(std::move(value));
    return count();
  }

  bool open(json &&container) {
    if (nesting.size() >= limits.depth)
      return fail("nested deeper than " + std::to_string(limits.depth) + " levels");
    nesting.push_back(place(std::move(container)));
    return count();
  }

  bool close() {
    nesting.pop_back();
    return true;
  }

  const JsonLimits &limits;
  json &root;
  json *pending = nullptr;     // value of the key read last
  std::vector<json *> nesting; // open containers, outermost first
  uint64_t values = 0;
};

bool tooLong(uint64_t bytes, const std::string &file, const JsonLimits &limits, std::string &error) {
  if (bytes <= limits.bytes)
    return false;
  error = file + ": JSON of " + std::to_string(bytes) + " bytes, expected at most " + std::to_string(limits.bytes);
  return true;
}

bool parseJson(std::string_view text, const std::string &file, const JsonLimits &limits, json &value,
               std::string &error) {
  if (tooLong(text.size(), file, limits, error))
    return false;
  // The parser takes a zero byte for the end of the text.
  if (size_t zero = text.find('\0'); zero != text.npos) {
    error = file + ": not valid JSON at byte " + std::to_string(zero + 1) + ", which is zero";
    return false;
  }
  TreeBuilder builder(limits, value);
  if (!json::sax_parse(text.begin(), text.end(), &builder)) {
    error = file + ": " + builder.error;
    return false;
  }
  return true;
}

bool expectObject(const json &value, const std::string &file, std::string &error) {
  if (!value.is_object())
    error = file + ": expected a JSON object, found " + describeJson(value);
  return value.is_object();
}

} // namespace

bool parseJsonObject(std::string_view text, const std::string &file, const JsonLimits &limits, json &object,
                     std::string &error) {
  return parseJson(text, file, limits, object, error) && expectObject(object, file, error);
}

bool readJson(const std::string &path, const JsonLimits &limits, json &value, std::string &error) {
  InputFile file;
  if (!file.open(path, error) || tooLong(file.size(), path, limits, error))
    return false;
  std::string text(file.size(), '\0');
  return file.read(0, text.size(), text.data(), error) && parseJson(text, path, limits, value, error);
}

bool readJsonObject(const std::string &path, const JsonLimits &limits, json &object, std::string &error) {
  return readJson(path, limits, object, error) && expectObject(object, path, error);
}

std::string describeJson(const json &value) {
  if (value.is_object())
    return "an object";
  if (value.is_array()) {
    if (value.size() > 8)
      return "a list of " + std::to_string(value.size());
    std::string text = "[";
    for (const json &item : value)
      text += (text.size() > 1 ? ", " : "") + (item.is_array() ? "a list" : describeJson(item));
    return text + "]";
  }
  if (const std::string *text = value.get_ptr<const std::string *>())
    return quote(*text);
  return value.dump();
}

} // namespace sinter
