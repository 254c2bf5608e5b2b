// Tokenizers of encoders for tests: those of encoders.json, and a table of replacements made by hand.
#pragma once

#include "TokenizerFixture.h"

namespace sinter::test {

inline const nlohmann::json &encodersFile() {
  static const nlohmann::json json =
      nlohmann::json::parse(readFile(kSource + "/test/frontend/tokenizer/encoders.json"));
  return json;
}

inline nlohmann::json encoderJson(const std::string &name) {
  for (const nlohmann::json &tokenizer : encodersFile()["tokenizers"])
    if (tokenizer["name"] == name)
      return tokenizer["json"];
  ADD_FAILURE() << name;
  return nullptr;
}

inline std::string base64(const std::string &bytes) {
  static const char *const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? letters[bits >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

// A table by hand, as Darts-clone lays it out: "A" -> `small`, U+00BD -> "1/2".
inline std::string handmadeCharsmap(const std::string &small = "a") {
  std::vector<uint32_t> trie(1024);
  auto unit = [](uint32_t label, uint32_t from, uint32_t to, bool leaf) {
    return label | (from ^ to) << 10 | (leaf ? 1u << 8 : 0);
  };
  // A node's children lie at its base XOR their labels; the end of a key at its base.
  const uint32_t root = 256, a = 512, half = 768;
  trie[0] = root << 10;
  trie[root ^ 'A'] = unit('A', root ^ 'A', a, true);
  trie[a] = 0x80000000; // -> 0
  trie[root ^ 0xC2] = unit(0xC2, root ^ 0xC2, half, false);
  trie[half ^ 0xBD] = unit(0xBD, half ^ 0xBD, 900, true);
  trie[900] = 0x80000000 | static_cast<uint32_t>(small.size() + 1);
  const std::string texts = small + std::string("\0" "1/2\0", 5);
  std::string bytes;
  auto add = [&](uint32_t value) {
    for (int i = 0; i < 4; ++i)
      bytes += static_cast<char>(value >> 8 * i);
  };
  add(static_cast<uint32_t>(trie.size() * 4));
  for (uint32_t value : trie)
    add(value);
  return base64(bytes + texts);
}

inline nlohmann::json unigramWithBytes() {
  nlohmann::json json = encoderJson("t5");
  json["model"]["byte_fallback"] = true;
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    snprintf(name, sizeof name, "<0x%02X>", byte);
    json["model"]["vocab"].push_back(nlohmann::json::array({name, -20.0}));
  }
  return json;
}

// Unigram with all that it can have: byte tokens and replacements.
inline nlohmann::json fullUnigramJson() {
  nlohmann::json json = unigramWithBytes();
  json["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", handmadeCharsmap()}};
  return json;
}

} // namespace sinter::test
