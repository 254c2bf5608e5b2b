// A safetensors file comes in, the place of each tensor goes out. Each number of the header is checked against the file
// before it is believed, with arithmetic that cannot overflow, so that whoever reads weights later may trust the
// entries.

#include "frontend/Safetensors.h"

#include "frontend/InputFile.h"
#include "frontend/Json.h"

#include "nlohmann/json.hpp"

#include <algorithm>
#include <optional>
#include <set>

using nlohmann::json;

namespace sinter {
namespace {

constexpr JsonLimits kHeaderLimits = {/*bytes=*/100'000'000, /*values=*/4 << 20, /*depth=*/4};
constexpr size_t kMaxRank = 16;

// Bits per element of the dtypes that the format defines.
struct DTypeBits {
  std::string_view name;
  uint64_t bits;
};
constexpr DTypeBits kDTypes[] = {
    {"F32", 32}, {"F16", 16}, {"BF16", 16}, {"F64", 64}, {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8},
    {"I8", 8},   {"I16", 16}, {"I32", 32},  {"I64", 64}, {"U8", 8},      {"U16", 16},    {"U32", 32},
    {"U64", 64}, {"BOOL", 8}, {"C64", 64},  {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6},
};

std::optional<uint64_t> unsignedValue(const json &value) {
  if (!value.is_number_unsigned())
    return std::nullopt;
  return *value.get_ptr<const json::number_unsigned_t *>();
}

// Reads one tensor's entry, offsets still relative to the data. On failure `what` says what is wrong with it.
bool readEntry(const json &description, uint64_t dataBytes, TensorEntry &tensor, std::string &what) {
  auto field = [&](const char *key) {
    return description.is_object() && description.contains(key) ? &description[key] : nullptr;
  };
  const json *dtype = field("dtype"), *shape = field("shape"), *range = field("data_offsets");
  if (!dtype || !dtype->is_string() || !shape || !shape->is_array() || !range || !range->is_array()) {
    what = "expected an object with a string 'dtype' and lists 'shape' and 'data_offsets'";
    return false;
  }
  tensor.dtype = *dtype->get_ptr<const std::string *>();

  std::optional<uint64_t> begin = range->size() == 2 ? unsignedValue((*range)[0]) : std::nullopt;
  std::optional<uint64_t> end = range->size() == 2 ? unsignedValue((*range)[1]) : std::nullopt;
  if (!begin || !end || *begin > *end || *end > dataBytes) {
    what = "data_offsets are " + describeJson(*range) + ", expected a range within " + std::to_string(dataBytes) +
           " bytes of data";
    return false;
  }
  tensor.offset = *begin;
  tensor.bytes = *end - *begin;

  const DTypeBits *known = std::find_if(std::begin(kDTypes), std::end(kDTypes),
                                        [&](const DTypeBits &row) { return row.name == tensor.dtype; });
  if (known == std::end(kDTypes)) {
    what = "has dtype " + quote(tensor.dtype) + ", which the format does not define";
    return false;
  }
  uint64_t bits = known->bits;
  bool fits = shape->size() <= kMaxRank;
  for (const json &extent : *shape) {
    std::optional<uint64_t> size = unsignedValue(extent);
    fits = fits && size && *size <= INT64_MAX && !__builtin_mul_overflow(bits, *size, &bits);
    if (!fits)
      break;
    tensor.shape.push_back(static_cast<int64_t>(*size));
  }
  if (!fits || bits % 8 != 0 || bits / 8 != tensor.bytes) {
    what = "shape " + describeJson(*shape) + " of " + tensor.dtype + " does not take the " +
           std::to_string(tensor.bytes) + " bytes of its data_offsets";
    return false;
  }
  return true;
}

// The tensors must tile the data: sorted by offset, each begins where the one before ended.
bool coversData(const std::map<std::string, TensorEntry> &tensors, uint64_t dataBytes, std::string &what) {
  std::vector<std::pair<const std::string *, const TensorEntry *>> order;
  for (const auto &[name, tensor] : tensors)
    order.push_back({&name, &tensor});
  std::sort(order.begin(), order.end(), [](const auto &a, const auto &b) {
    return std::pair(a.second->offset, a.second->bytes) < std::pair(b.second->offset, b.second->bytes);
  });
  uint64_t position = 0;
  for (const auto &[name, tensor] : order) {
    if (tensor->offset != position) {
      what = "tensor " + quote(*name) + " begins at byte " + std::to_string(tensor->offset) +
             " of the data, expected " + std::to_string(position) +
             (tensor->offset < position ? " (overlap)" : " (hole)");
      return false;
    }
    position += tensor->bytes;
  }
  if (position != dataBytes) {
    what =
        "tensors end at byte " + std::to_string(position) + " of the data, the file has " + std::to_string(dataBytes);
    return false;
  }
  return true;
}

} // namespace

bool parseSafetensorsHeader(std::string_view header, const std::string &file, uint64_t dataOffset, uint64_t dataBytes,
                            std::map<std::string, TensorEntry> &tensors, std::string &error) {
  json root;
  if (!parseJsonObject(header, file, kHeaderLimits, root, error))
    return false;
  std::string what;
  for (auto item = root.cbegin(); item != root.cend(); ++item) {
    if (item.key() == "__metadata__")
      continue;
    TensorEntry tensor;
    if (!readEntry(*item, dataBytes, tensor, what)) {
      error = file + ": tensor " + quote(item.key()) + ": " + what;
      return false;
    }
    tensors.emplace(item.key(), std::move(tensor));
  }
  if (!coversData(tensors, dataBytes, what)) {
    error = file + ": " + what;
    return false;
  }
  for (auto &[name, tensor] : tensors)
    tensor.offset += dataOffset;
  return true;
}

bool readSafetensors(const std::string &path, std::map<std::string, TensorEntry> &tensors, std::string &error) {
  InputFile file;
  unsigned char prefix[8];
  if (!file.open(path, error) || !file.read(0, sizeof prefix, reinterpret_cast<char *>(prefix), error))
    return false;
  uint64_t headerBytes = 0;
  for (int i = 7; i >= 0; --i)
    headerBytes = headerBytes << 8 | prefix[i];
  uint64_t rest = file.size() - sizeof prefix;
  if (headerBytes > std::min(rest, kHeaderLimits.bytes)) {
    error = path + ": header of " + std::to_string(headerBytes) + " bytes, expected at most " +
            std::to_string(std::min(rest, kHeaderLimits.bytes)) + "; is this a safetensors file?";
    return false;
  }
  std::string header(headerBytes, '\0');
  return file.read(sizeof prefix, headerBytes, header.data(), error) &&
         parseSafetensorsHeader(header, path, sizeof prefix + headerBytes, rest - headerBytes, tensors, error);
}

std::string describeShape(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

} // namespace sinter
