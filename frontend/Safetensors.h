// The safetensors format: an 8-byte little-endian length, a JSON header of that length, then the tensors' bytes.
// https://huggingface.co/docs/safetensors. Free of LLVM; only headers are read, never weights.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sinter {

struct TensorEntry {
  std::string dtype;          // as the file spells it: "BF16"
  std::vector<int64_t> shape; // row-major; empty for a scalar
  uint64_t offset = 0;        // of the first byte, from the start of the file
  uint64_t bytes = 0;
  uint32_t file = 0; // index into Checkpoint::files
};

// The tensors of one model, in one file or in several.
struct Checkpoint {
  std::string directory;
  std::vector<std::string> files; // names within `directory`
  std::map<std::string, TensorEntry> tensors;

  std::string path(const TensorEntry &tensor) const { return directory + "/" + files[tensor.file]; }
};

// Parses the JSON of a file whose tensors take `dataBytes`; `dataOffset` is where they start in the file. Ranges must
// agree with shapes and dtypes and cover the data exactly, without overlaps and holes.
bool parseSafetensorsHeader(std::string_view header, const std::string &file, uint64_t dataOffset, uint64_t dataBytes,
                            std::map<std::string, TensorEntry> &tensors, std::string &error);

bool readSafetensors(const std::string &path, std::map<std::string, TensorEntry> &tensors, std::string &error);

// model.safetensors of a directory, or else the files that its model.safetensors.index.json names.
bool openCheckpoint(const std::string &directory, Checkpoint &checkpoint, std::string &error);

// "[128, 64]".
std::string describeShape(const std::vector<int64_t> &shape);

} // namespace sinter
