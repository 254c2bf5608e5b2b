// The table of weight formats: the one place that knows their names, sizes and layout.
//
// All packed weights have the same shape, whatever the target: rows (N) in tiles of 32, zero-padded; columns (K) in
// groups. One block holds a tile's group, blocks of a tile follow one another along K:
//
//   packed[N / 32][K / group] { f16 scales[32]; f16 zeros[32] (hasZeros); codes }
//
// codes of 8 bits: u8 [group / 4][32 rows][4]; of 4 bits: u8 [group / 8][32 rows][4], where byte i of pair p holds
// k = 8p + i in its low nibble and k = 8p + 4 + i in its high nibble; of 6 bits: u8 [group / 16][3][32 rows][4], where
// byte i of line j of run r holds k = 16r + 4j + i in its low six bits, and the upper two bits of the three lines hold
// k = 16r + 12 + i, two bits each from the lowest on. weight = scale * (code - zero).
// Float formats have no groups: [N / 32][K][32 rows].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sinter {

// Rows per tile of every packed matrix.
inline constexpr int64_t kTileRows = 32;

enum class FormatClass : uint8_t { f32, f16, bf16, codes };

struct Format {
  std::string_view name;
  std::string_view summary; // one phrase for --help
  FormatClass kind;
  int bits;            // per weight, without scales
  int group;           // columns that share a scale; 1 for floats
  bool hasZeros;       // stored zero points; else the zero is `impliedZero`
  int impliedZero;     // code that means 0 in symmetric formats
  double klBound;      // --verify fails past this mean KL divergence (nats) to the reference; docs/formats.md derives it
  double errorBound;   // --verify fails past this relative error (L2) of a layer's output

  // Codes come in runs of `runWords` times four bytes of a row, which hold `runColumns` columns: 1 and 4 with 8 bits, 1
  // and 8 with 4, 3 and 16 with 6.
  int runWords() const { return bits == 6 ? 3 : 1; }
  int runColumns() const { return runWords() * 32 / bits; }
  // Bytes of a block before its codes.
  int64_t headBytes() const { return kTileRows * 2 * (hasZeros ? 2 : 1); }
  bool isQuantized() const { return kind == FormatClass::codes; }
  int maxCode() const { return (1 << bits) - 1; }
  int64_t paddedColumns(int64_t columns) const { return (columns + group - 1) / group * group; }
  int64_t groups(int64_t columns) const { return (columns + group - 1) / group; }
  // Bytes of one block: a tile's scales, zeros and codes for one group (one column for floats).
  int64_t blockBytes() const;
  int64_t packedBytes(int64_t rows, int64_t columns) const;
};

// nullptr if there is none of that name.
const Format *findFormat(std::string_view name);

// Iteration for help texts, tests and benchmarks: every row of the table.
const Format *formatsBegin();
const Format *formatsEnd();
struct FormatTable {
  const Format *begin() const { return formatsBegin(); }
  const Format *end() const { return formatsEnd(); }
};
inline FormatTable formats() { return {}; }

// "f32, f16, ...", for error messages.
std::string formatNames();

} // namespace sinter
