// Tokenizers for tests: compiled from a model's directory, or from JSON written to a directory of the test's own.
#pragma once

#include "frontend/tokenizer/TokenizerCompiler.h"
#include "runtime/tokenizer/sinter_tokenizer.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace sinter::test {

inline const std::string kSource = SINTER_SOURCE_DIR;
inline const std::string kTales = kSource + "/models/tales";
inline const std::string kShared = kSource + "/../shared";

inline std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A directory that goes away with its owner.
class ModelDirectory {
public:
  ModelDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sinter-tokenizer-XXXXXX").string();
    path = mkdtemp(pattern.data()) ? pattern : "";
  }
  ~ModelDirectory() { std::filesystem::remove_all(path); }
  ModelDirectory(const ModelDirectory &) = delete;

  void write(const std::string &name, const std::string &text) const {
    std::ofstream(path + "/" + name, std::ios::binary) << text;
  }

  std::string path;
};

// A section and the tokenizer that reads it. The section's bytes lie at a multiple of 8, as malloc gives them.
class Compiled {
public:
  // Fails the test, and leaves `tokenizer` empty, where the directory does not compile.
  explicit Compiled(const std::string &directory) {
    std::string error;
    bool compiled = compileTokenizer(directory, section, error);
    EXPECT_TRUE(compiled) << error;
    if (!compiled)
      return;
    bool opened = tokenizer.open(section.data(), section.size(), error);
    EXPECT_TRUE(opened) << error;
  }

  std::vector<uint32_t> encode(const std::string &text, uint32_t flags = SINTER_ADD_SPECIAL | SINTER_PARSE_SPECIAL) {
    std::vector<uint32_t> ids;
    std::string error;
    EXPECT_TRUE(tokenizer.encode(text, flags, ids, error)) << error;
    return ids;
  }

  std::string decode(const std::vector<uint32_t> &ids, uint32_t flags = SINTER_SKIP_SPECIAL) {
    std::string text;
    std::string error;
    EXPECT_TRUE(tokenizer.decode(ids, flags, text, error)) << error;
    return text;
  }

  uint32_t idOf(const std::string &text) {
    uint32_t id = UINT32_MAX;
    EXPECT_EQ(sinter_tokenizer_find(tokenizer.get(), text.data(), text.size(), &id), SINTER_OK) << text;
    return id;
  }

  std::vector<uint8_t> section;
  Tokenizer tokenizer;
};

inline nlohmann::json talesJson() { return nlohmann::json::parse(readFile(kTales + "/tokenizer.json")); }

// tales' tokens of printable ASCII as a vocabulary of the kind SentencePiece makes: U+2581 for the space, byte tokens
// behind the others, byte fallback.
inline nlohmann::json sentenceJson() {
  nlohmann::json json = talesJson();
  auto isPlain = [](const std::string &text) {
    std::string rest = text;
    for (size_t at; (at = rest.find("Ġ")) != std::string::npos;)
      rest.erase(at, 2);
    return std::all_of(rest.begin(), rest.end(), [](char c) { return c > 32 && c < 127; });
  };
  auto marked = [](std::string text) {
    for (size_t at; (at = text.find("Ġ")) != std::string::npos;)
      text.replace(at, 2, "\u2581");
    return text;
  };
  std::map<int, std::string> byId;
  for (auto &token : json["model"]["vocab"].items())
    byId[token.value().get<int>()] = token.key();
  nlohmann::json vocabulary = {{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
  int next = 3;
  for (const std::pair<const int, std::string> &token : byId)
    if (token.first > 2 && isPlain(token.second))
      vocabulary[marked(token.second)] = next++;
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    snprintf(name, sizeof name, "<0x%02X>", byte);
    vocabulary[name] = next++;
  }
  nlohmann::json merges = nlohmann::json::array();
  for (const nlohmann::json &merge : json["model"]["merges"])
    if (isPlain(merge[0]) && isPlain(merge[1]))
      merges.push_back({marked(merge[0]), marked(merge[1])});
  json["model"]["vocab"] = vocabulary;
  json["model"]["merges"] = merges;
  json["model"]["byte_fallback"] = true;
  json["model"]["unk_token"] = "<unk>";
  json["model"]["fuse_unk"] = true;
  return json;
}

// The Llama 2 pipeline over it.
inline nlohmann::json llama2Json() {
  nlohmann::json json = sentenceJson();
  json["normalizer"] = nlohmann::json::parse(
      R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
          {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]})");
  json["pre_tokenizer"] = nullptr;
  json["decoder"] = nlohmann::json::parse(
      R"({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
          {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})");
  return json;
}

// Compiles one JSON.
class CompiledJson {
public:
  explicit CompiledJson(const nlohmann::json &json)
      : compiled((directory.write("tokenizer.json", json.dump()), directory.path)) {}
  Compiled *operator->() { return &compiled; }

private:
  ModelDirectory directory;
  Compiled compiled;
};

// The message that a JSON fails with.
inline std::string errorOf(const nlohmann::json &json) {
  ModelDirectory directory;
  directory.write("tokenizer.json", json.dump());
  std::vector<uint8_t> section;
  std::string error;
  EXPECT_FALSE(compileTokenizer(directory.path, section, error));
  EXPECT_TRUE(section.empty());
  // The directory's name is different each time.
  size_t at = error.find(directory.path);
  if (at != std::string::npos)
    error.replace(at, directory.path.size(), "model");
  return error;
}

} // namespace sinter::test
