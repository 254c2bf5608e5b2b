// Weight formats, one row each. Adding a row adds the format everywhere: the packer, the kernels, --quantize, the tests.

#include "dialects/Formats.h"

#include <iterator>

namespace sinter {

static constexpr Format kFormats[] = {
    {"f32", "32-bit floats", FormatClass::f32, 32, 1, false, 0, 1e-8, 1e-4},
    {"f16", "16-bit floats", FormatClass::f16, 16, 1, false, 0, 1e-5, 2e-3},
    {"bf16", "bfloat16", FormatClass::bf16, 16, 1, false, 0, 3e-4, 2.5e-2},
    {"q8", "8 bits, groups of 32, symmetric", FormatClass::codes, 8, 32, false, 128, 6e-3, 0.11},
    {"q8-64", "8 bits, groups of 64, symmetric", FormatClass::codes, 8, 64, false, 128, 1e-2, 0.13},
    {"q6", "6 bits, groups of 32, symmetric", FormatClass::codes, 6, 32, false, 32, 4e-2, 0.28},
    {"q4", "4 bits, groups of 32, symmetric", FormatClass::codes, 4, 32, false, 8, 0.55, 0.9},
    {"q4-64", "4 bits, groups of 64, symmetric", FormatClass::codes, 4, 64, false, 8, 0.65, 0.9},
    {"q4-128", "4 bits, groups of 128, symmetric", FormatClass::codes, 4, 128, false, 8, 0.8, 0.9},
    {"q4z", "4 bits, groups of 32, zero points", FormatClass::codes, 4, 32, true, 0, 0.4, 0.9},
    {"q4z-64", "4 bits, groups of 64, zero points", FormatClass::codes, 4, 64, true, 0, 0.5, 0.9},
    {"q4z-128", "4 bits, groups of 128, zero points", FormatClass::codes, 4, 128, true, 0, 0.7, 0.9},
};

int64_t Format::blockBytes() const {
  int64_t codeBytes = kTileRows * group * bits / 8;
  return isQuantized() ? codeBytes + headBytes() : codeBytes;
}

int64_t Format::packedBytes(int64_t rows, int64_t columns) const {
  return (rows + kTileRows - 1) / kTileRows * groups(columns) * blockBytes();
}

const Format *formatsBegin() { return std::begin(kFormats); }
const Format *formatsEnd() { return std::end(kFormats); }

const Format *findFormat(std::string_view name) {
  for (const Format &format : kFormats)
    if (format.name == name)
      return &format;
  return nullptr;
}

std::string formatNames() {
  std::string names;
  for (const Format &format : kFormats)
    names += (names.empty() ? "" : ", ") + std::string(format.name);
  return names;
}

} // namespace sinter
