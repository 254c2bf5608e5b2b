// Writes model directories and drives the readers over them.

#include "ModelDirectory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

using nlohmann::json;

namespace sinter::test {

ModelDirectory::ModelDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "sinter-model-XXXXXX").string();
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  root = pattern;
}

ModelDirectory::~ModelDirectory() { std::filesystem::remove_all(root); }

void ModelDirectory::write(const std::string &name, std::string_view bytes) const {
  std::filesystem::remove(file(name)); // some file systems flush a file that is truncated and written again
  std::filesystem::create_directories(std::filesystem::path(file(name)).parent_path());
  std::ofstream out(file(name), std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(out.good()) << file(name);
}

std::string safetensors(std::string_view header, size_t dataBytes) {
  std::string bytes;
  for (int i = 0; i < 8; ++i)
    bytes += static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i));
  return bytes + std::string(header) + std::string(dataBytes, '\0');
}

std::string safetensors(const std::vector<DecoderParam> &params, const std::string &dtype) {
  json header = json::object();
  uint64_t position = 0;
  for (const DecoderParam &param : params) {
    uint64_t bytes = dtype == "F32" ? 4 : 2;
    for (int64_t extent : param.shape)
      bytes *= static_cast<uint64_t>(extent);
    header[param.tensor] = {{"dtype", dtype}, {"shape", param.shape}, {"data_offsets", {position, position + bytes}}};
    position += bytes;
  }
  return safetensors(header.dump(), position);
}

json smallConfig(const std::string &family) {
  return {{"model_type", family},          {"vocab_size", 16},           {"hidden_size", 8}, {"num_hidden_layers", 2},
          {"num_attention_heads", 4},      {"num_key_value_heads", 2},   {"head_dim", 2},    {"intermediate_size", 12},
          {"max_position_embeddings", 64}, {"tie_word_embeddings", true}};
}

Decoder resolve(const json &config) {
  ModelDirectory directory;
  directory.writeJson("config.json", config);
  Config read;
  Decoder decoder;
  std::string error;
  EXPECT_TRUE(readConfig(directory.path(), read, error) && resolveDecoder(read, decoder, error)) << error;
  return decoder;
}

std::string configError(const json &config) {
  ModelDirectory directory;
  directory.writeJson("config.json", config);
  Config read;
  Decoder decoder;
  std::string error;
  if (readConfig(directory.path(), read, error) && resolveDecoder(read, decoder, error))
    return "";
  const std::string prefix = directory.file("config.json") + ": ";
  EXPECT_EQ(error.rfind(prefix, 0), 0u) << "does not begin with the file: " << error;
  return error.substr(std::min(prefix.size(), error.size()));
}

} // namespace sinter::test
