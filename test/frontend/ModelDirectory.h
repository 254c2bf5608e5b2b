// Model directories that tests write themselves: of any shape, right or wrong.
#pragma once

#include "frontend/Decoder.h"

#include "nlohmann/json.hpp"

#include <string>
#include <string_view>

namespace sinter::test {

// A directory below the system's temporary one, removed again at the end.
class ModelDirectory {
public:
  ModelDirectory();
  ~ModelDirectory();
  ModelDirectory(const ModelDirectory &) = delete;

  const std::string &path() const { return root; }
  std::string file(const std::string &name) const { return root + "/" + name; }
  // `name` may have folders in it.
  void write(const std::string &name, std::string_view bytes) const;
  void writeJson(const std::string &name, const nlohmann::json &value) const { write(name, value.dump()); }

private:
  std::string root;
};

// The bytes of a safetensors file with this header and `dataBytes` zeros.
std::string safetensors(std::string_view header, size_t dataBytes);

// A file with these tensors, laid out one after another.
std::string safetensors(const std::vector<DecoderParam> &params, const std::string &dtype = "F16");

// A small config.json of a family, to change and write: hidden 8, 2 layers, 4 heads of 2, 2 kv heads, ffn 12, vocab 16.
nlohmann::json smallConfig(const std::string &family = "llama");

// What is written by smallConfig() becomes; fails the test if it does not.
Decoder resolve(const nlohmann::json &config);

// The error of reading this config.json and resolving it; empty if there is none.
std::string configError(const nlohmann::json &config);

} // namespace sinter::test
