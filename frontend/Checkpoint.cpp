// A directory comes in, the tensors of the model in it go out: those of model.safetensors, or those that the weight map
// of model.safetensors.index.json assigns to its shards. A single file wins when both exist, as in Hugging Face's
// loader. Where there is neither, the only other *.safetensors is taken: published models call it
// model.fp16.safetensors and more.

#include "frontend/InputFile.h"
#include "frontend/Json.h"
#include "frontend/Safetensors.h"

#include "nlohmann/json.hpp"

#include <algorithm>
#include <filesystem>

using nlohmann::json;

namespace sinter {

static constexpr JsonLimits kIndexLimits = {/*bytes=*/64 << 20, /*values=*/4 << 20, /*depth=*/8};
static constexpr size_t kMaxShards = 4096;

// A shard lies beside its index: a name that leads elsewhere is refused rather than followed.
static bool isPlainName(const std::string &name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

// Reads weight_map: tensor name -> file name. Fills checkpoint.files and the tensors' file numbers.
static bool readIndex(const std::string &path, Checkpoint &checkpoint, std::string &error) {
  json root;
  if (!readJsonObject(path, kIndexLimits, root, error))
    return false;
  if (!root.contains("weight_map") || !root["weight_map"].is_object() || root["weight_map"].empty()) {
    error = path + ": expected an object 'weight_map' from tensor names to file names";
    return false;
  }
  const json &weightMap = root["weight_map"];
  std::map<std::string, uint32_t> numbers;
  for (auto item = weightMap.cbegin(); item != weightMap.cend(); ++item) {
    const std::string *file = item->get_ptr<const std::string *>();
    if (!file || !isPlainName(*file)) {
      error = path + ": tensor " + quote(item.key()) + " is in " + describeJson(*item) + ", expected a file name";
      return false;
    }
    auto [entry, isNew] = numbers.emplace(*file, static_cast<uint32_t>(checkpoint.files.size()));
    if (isNew)
      checkpoint.files.push_back(*file);
    checkpoint.tensors[item.key()].file = entry->second;
  }
  if (checkpoint.files.size() > kMaxShards) {
    error = path + ": names " + std::to_string(checkpoint.files.size()) + " files, expected at most " +
            std::to_string(kMaxShards);
    return false;
  }
  return true;
}

static bool openShards(Checkpoint &checkpoint, const std::string &indexPath, std::string &error) {
  std::vector<std::map<std::string, TensorEntry>> shards(checkpoint.files.size());
  for (size_t i = 0; i < shards.size(); ++i)
    if (!readSafetensors(checkpoint.directory + "/" + checkpoint.files[i], shards[i], error))
      return false;
  for (auto &[name, tensor] : checkpoint.tensors) {
    uint32_t file = tensor.file;
    auto found = shards[file].find(name);
    if (found == shards[file].end()) {
      error = indexPath + ": tensor " + quote(name) + " is not in " + quote(checkpoint.files[file]) +
              ", where the index says it is";
      return false;
    }
    tensor = std::move(found->second);
    tensor.file = file;
  }
  return true;
}

// Files of the directory with the ending of safetensors, in order.
static std::vector<std::string> safetensorsIn(const std::string &directory) {
  constexpr std::string_view ending = ".safetensors";
  std::vector<std::string> names;
  std::error_code problem; // a directory that cannot be listed has none
  for (std::filesystem::directory_iterator entry(directory, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    const std::string name = entry->path().filename().string();
    if (name.size() > ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0)
      names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool openCheckpoint(const std::string &directory, Checkpoint &checkpoint, std::string &error) {
  checkpoint = {};
  checkpoint.directory = directory;
  const std::string single = directory + "/model.safetensors", index = single + ".index.json";
  if (fileExists(single)) {
    checkpoint.files = {"model.safetensors"};
    return readSafetensors(single, checkpoint.tensors, error);
  }
  if (fileExists(index))
    return readIndex(index, checkpoint, error) && openShards(checkpoint, index, error);
  const std::vector<std::string> others = safetensorsIn(directory);
  if (others.size() == 1) {
    checkpoint.files = others;
    return readSafetensors(directory + "/" + others.front(), checkpoint.tensors, error);
  }
  error = directory + ": found neither model.safetensors nor model.safetensors.index.json";
  if (!others.empty())
    error += ", but " + quote(others[0]) + " and " + quote(others[1]) + (others.size() > 2 ? " and more" : "") +
             ": which of them is it?";
  return false;
}

} // namespace sinter
