// A tile of 32 f32 rows -> blocks of codes, scales and zero points. Lanes are rows: sixteen neighbouring rows are
// quantized at once, so that every sum runs over columns within a lane, in the same order whatever the vector width,
// and the bytes are the same on every host (for which contraction to fused multiply-adds is off as well).
//
// 8 bits: the scale is absmax / 127. 4 and 6 bits: the scale (and zero point) that minimizes the squared error. Candidates
// around the largest value give codes; for fixed codes the best scale is a least-squares solution; the candidate with
// the least error is then refined after rounding to f16. The code range of symmetric formats is lopsided (-8 .. 7), so
// both signs of the scale are tried: a negative one gives the extra code to positive weights. Weighting errors by the
// weight's magnitude or square was measured and is worse (docs/formats.md).

#include "codegen/Quantize.h"
#include "codegen/targets/HostClones.h"

#include <cstring>
#include <iterator>

#pragma clang fp contract(off)

namespace sinter {

// Sixteen rows. Passed by reference only: there is no calling convention for them that all instruction sets share.
typedef float Lanes __attribute__((vector_size(64)));
typedef int32_t Ints __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));

#define INLINE static inline __attribute__((always_inline))

static constexpr int64_t kLanes = 16;
static constexpr int64_t kLargestGroup = 128;
// Adding and subtracting it rounds to the nearest integer (even in ties), and leaves that integer in the low bits.
static constexpr float kRounder = 12582912.0f; // 1.5 * 2^23
static constexpr int32_t kRounderBits = 0x4B400000;
static constexpr float kLargestHalf = 65504.0f;

// One group of columns of sixteen rows.
struct Group {
  Lanes x[kLargestGroup]; // 0 past `columns`
  int64_t size, columns;  // columns with padding, and without
};

// What a lane decodes to: scale * (code - zero). Exact in f16 once rounded.
struct Codebook {
  Lanes scale, zero;
};

INLINE void clamp(Lanes &value, float low, float high) {
  value = value < low ? Lanes{} + low : value;
  value = value > high ? Lanes{} + high : value;
}

INLINE void roundToInteger(Lanes &value) { value = (value + kRounder) - kRounder; }

INLINE void reciprocal(const Lanes &value, Lanes &result) { result = value == 0.0f ? Lanes{} : 1.0f / value; }

// f32 -> the nearest f16 (ties to even), as f32 and as bits. Finite inputs.
INLINE void roundToHalf(Lanes &value, Halves &bits) {
  clamp(value, -kLargestHalf, kLargestHalf);
  Ints raw = (Ints)value;
  Ints sign = raw & INT32_MIN;
  Ints magnitude = raw & INT32_MAX;
  // Normal halves: round the mantissa to 10 bits, then move the exponent from bias 127 to 15.
  Ints rounded = (magnitude + 0xfff + ((magnitude >> 13) & 1)) & ~0x1fff;
  // Subnormal ones are multiples of 2^-24, which is the last bit of floats in [0.5, 1).
  Lanes shifted = (Lanes)magnitude + 0.5f;
  Ints tiny = magnitude < 0x38800000; // 2^-14
  Lanes subnormal = shifted - 0.5f;
  Ints code = tiny ? (Ints)shifted - 0x3f000000 : (rounded >> 13) - (112 << 10);
  value = (Lanes)((tiny ? (Ints)subnormal : rounded) | sign);
  code |= (sign >> 16) & 0x8000;
  bits = __builtin_convertvector(code, Halves);
}

// The value of largest magnitude in each lane, with its sign.
INLINE void findExtreme(const Group &group, Lanes &value) {
  Lanes magnitude = {};
  value = Lanes{};
  for (int64_t k = 0; k < group.columns; ++k) {
    Lanes size = (Lanes)((Ints)group.x[k] & INT32_MAX);
    value = size > magnitude ? group.x[k] : value;
    magnitude = size > magnitude ? size : magnitude;
  }
}

//===-- Symmetric ------------------------------------------------------------------------------------------------===//

// For codes in [low, high] that inverse * x rounds to: sums of x * code and code^2.
INLINE void correlate(const Group &group, const Lanes &inverse, float low, float high, Lanes &xc, Lanes &cc) {
  xc = cc = Lanes{};
  for (int64_t k = 0; k < group.columns; ++k) {
    Lanes code = group.x[k] * inverse;
    clamp(code, low, high);
    roundToInteger(code);
    xc += code * group.x[k];
    cc += code * code;
  }
}

INLINE void squaredError(const Group &group, const Codebook &book, float low, float high, Lanes &error) {
  Lanes inverse;
  reciprocal(book.scale, inverse);
  error = Lanes{};
  for (int64_t k = 0; k < group.columns; ++k) {
    Lanes code = group.x[k] * inverse + book.zero;
    clamp(code, low, high);
    roundToInteger(code);
    Lanes difference = group.x[k] - book.scale * (code - book.zero);
    error += difference * difference;
  }
}

// Where the value of largest magnitude is put, in codes: -8 (-32) is the end of the range, further out clips it.
struct Candidates {
  const float *begin, *end;
};
static constexpr float kEnds4[] = {-6.5f, -6.9f, -7.2f, -7.4f, -7.6f, -7.8f, -8.0f, -8.2f, -8.4f, -8.7f, -9.0f,
                                  -9.5f, 5.9f,  6.2f,  6.5f,  6.7f,  6.9f,  7.1f,  7.3f,  7.6f,  8.0f,  8.5f};

static constexpr float kEnds6[] = {-30.5f, -31.0f, -31.4f, -31.8f, -32.2f, -32.6f, -33.2f, 30.5f, 31.0f, 31.4f, 32.0f};

INLINE void fitSymmetric(const Group &group, const Lanes &extreme, Candidates ends, float low, float high,
                         Lanes &scale) {
  Lanes unit;
  reciprocal(extreme, unit);
  Lanes best = {}, fitted = {};
  for (const float *end = ends.begin; end != ends.end; ++end) {
    Lanes inverse = unit * *end, xc, cc;
    correlate(group, inverse, low, high, xc, cc);
    Lanes solution = cc > 0.0f ? xc / cc : Lanes{};
    Lanes gain = solution * xc; // how much of the squared sum the codes explain
    fitted = gain > best ? solution : fitted;
    best = gain > best ? gain : best;
  }
  // Codes change when the scale is rounded; the best scale for the new codes may be another one.
  Lanes error;
  Halves bits;
  roundToHalf(fitted, bits);
  squaredError(group, {fitted, Lanes{}}, low, high, error);
  scale = fitted;
  for (int refinement = 0; refinement < 2; ++refinement) {
    Lanes inverse, xc, cc, next;
    reciprocal(fitted, inverse);
    correlate(group, inverse, low, high, xc, cc);
    fitted = cc > 0.0f ? xc / cc : fitted;
    roundToHalf(fitted, bits);
    squaredError(group, {fitted, Lanes{}}, low, high, next);
    scale = next < error ? fitted : scale;
    error = next < error ? next : error;
  }
}

//===-- With zero points -----------------------------------------------------------------------------------------===//

// The least-squares line x ~ scale * code + offset for the codes that `inverse * x + zero` rounds to, and the part of
// the squared sum that it explains.
INLINE void fitLine(const Group &group, const Lanes &inverse, const Lanes &zero, float high, Lanes &scale,
                    Lanes &offset, Lanes &gain) {
  Lanes c = {}, cc = {}, x = {}, xc = {};
  for (int64_t k = 0; k < group.columns; ++k) {
    Lanes code = group.x[k] * inverse + zero;
    clamp(code, 0, high);
    roundToInteger(code);
    c += code;
    cc += code * code;
    x += group.x[k];
    xc += code * group.x[k];
  }
  const float n = float(group.columns);
  Lanes determinant = n * cc - c * c;
  Ints solvable = determinant > 1e-6f * (n * cc);
  scale = solvable ? (n * xc - c * x) / determinant : Lanes{};
  offset = solvable ? (cc * x - c * xc) / determinant : Lanes{};
  gain = solvable ? scale * xc + offset * x : Lanes{} - 1.0f;
}

// Steps that the range is divided into, in the candidates: fewer than 15 leave codes unused, more clip both ends.
static constexpr float kSteps[] = {13.0f, 13.5f, 14.0f, 14.3f, 14.6f, 14.8f, 15.0f, 15.2f,
                                   15.4f, 15.7f, 16.0f, 16.5f, 17.0f, 17.5f, 18.0f, 19.0f};
// A zero point further out than this would lose its fraction in f16.
static constexpr float kLargestZero = 48.0f;

INLINE void fitAffine(const Group &group, float high, Codebook &book) {
  Lanes low = group.x[0], top = group.x[0];
  for (int64_t k = 1; k < group.columns; ++k) {
    low = group.x[k] < low ? group.x[k] : low;
    top = group.x[k] > top ? group.x[k] : top;
  }
  // Ranges far from zero are extended towards it, to keep the zero point small.
  low = low > 0.68f * top ? 0.68f * top : low;
  top = top < 0.68f * low ? 0.68f * low : top;
  Lanes inverseRange;
  reciprocal(top - low, inverseRange);

  // To begin with, the range itself.
  Codebook candidate{(top - low) / high, {}};
  Lanes inverse, error;
  Halves bits;
  auto consider = [&](bool first) __attribute__((always_inline)) {
    roundToHalf(candidate.scale, bits);
    clamp(candidate.zero, -kLargestZero, kLargestZero);
    roundToHalf(candidate.zero, bits);
    Lanes next;
    squaredError(group, candidate, 0, high, next);
    Ints better = first ? Ints{} - 1 : next < error;
    book.scale = better ? candidate.scale : book.scale;
    book.zero = better ? candidate.zero : book.zero;
    error = better ? next : error;
  };
  reciprocal(candidate.scale, inverse);
  candidate.zero = -low * inverse;
  consider(true);

  Lanes best = {}, scale, offset, gain;
  Codebook fitted = book;
  for (float steps : kSteps) {
    inverse = inverseRange * steps;
    Lanes zero = high * 0.5f - (low + top) * 0.5f * inverse; // the range's middle is the codes' middle
    fitLine(group, inverse, zero, high, scale, offset, gain);
    reciprocal(scale, inverse);
    Ints better = gain > best;
    fitted.scale = better ? scale : fitted.scale;
    fitted.zero = better ? -offset * inverse : fitted.zero;
    best = better ? gain : best;
  }
  candidate = fitted;
  consider(false);
  for (int refinement = 0; refinement < 2; ++refinement) {
    reciprocal(candidate.scale, inverse);
    fitLine(group, inverse, candidate.zero, high, scale, offset, gain);
    Ints solved = gain > 0.0f;
    reciprocal(scale, inverse);
    candidate.zero = solved ? -offset * inverse : candidate.zero;
    candidate.scale = solved ? scale : candidate.scale;
    consider(false);
  }
}

//===-- Blocks ---------------------------------------------------------------------------------------------------===//

// The final codes of column k, with what is added to make them unsigned.
INLINE void encode(const Group &group, int64_t k, const Lanes &inverse, const Lanes &zero, float low, float high,
                   Ints &code) {
  Lanes value = group.x[k] * inverse + zero;
  clamp(value, low, high);
  code = (Ints)(value + kRounder) - kRounderBits;
}

// Sixteen rows of one group: chooses the codebook, and stores scales, zeros and codes into their half of the block.
INLINE void quantizeGroup(const Format &format, const Group &group, int64_t half, uint8_t *block) {
  const float high = float(format.maxCode());
  const float low = format.bits == 8 ? 1.0f : 0.0f; // 8 bits: -127 .. 127, the range of activations
  Lanes extreme;
  findExtreme(group, extreme);

  Codebook book;
  if (format.hasZeros) {
    fitAffine(group, high, book);
  } else if (format.bits < 8) {
    const Candidates ends = format.bits == 4 ? Candidates{std::begin(kEnds4), std::end(kEnds4)}
                                             : Candidates{std::begin(kEnds6), std::end(kEnds6)};
    const float zero = float(format.impliedZero);
    fitSymmetric(group, extreme, ends, -zero, high - zero, book.scale);
    book.zero = Lanes{} + zero;
  } else {
    book.scale = (Lanes)((Ints)extreme & INT32_MAX) / 127.0f;
    book.zero = Lanes{} + float(format.impliedZero);
  }
  Halves scaleBits, zeroBits;
  roundToHalf(book.scale, scaleBits);
  if (format.hasZeros)
    roundToHalf(book.zero, zeroBits);
  uint8_t *at = block + half * sizeof(Halves);
  memcpy(at, &scaleBits, sizeof(Halves));
  if (format.hasZeros)
    memcpy(at + 2 * kTileRows, &zeroBits, sizeof(Halves));

  // Four bytes of a row make one lane of 32 bits.
  uint8_t *codes = block + format.headBytes() + half * sizeof(Ints);
  Lanes inverse;
  reciprocal(book.scale, inverse);
  const int64_t words = format.runWords(), runColumns = format.runColumns();
  for (int64_t first = 0; first < group.size; first += runColumns, codes += words * 4 * kTileRows) {
    Ints word[3] = {};
    for (int64_t k = 0; k < runColumns; ++k) {
      const int64_t quad = k / 4, byte = 8 * (k % 4);
      Ints code;
      encode(group, first + k, inverse, book.zero, low, high, code);
      if (words == 1)
        word[0] |= code << int32_t(byte + quad * format.bits);
      else if (quad < words)
        word[quad] |= code << int32_t(byte);
      else // two bits to each
        for (int64_t w = 0; w < words; ++w)
          word[w] |= (code >> int32_t(2 * w) & 3) << int32_t(byte + 6);
    }
    for (int64_t w = 0; w < words; ++w)
      memcpy(codes + w * 4 * kTileRows, &word[w], sizeof(Ints));
  }
}

SINTER_HOST_CLONES
void quantizeTile(const Format &format, const float *rows, int64_t columns, uint8_t *out) {
  const int64_t groups = format.groups(columns), blockBytes = format.blockBytes();
  Group group;
  group.size = format.group;
  for (int64_t g = 0; g < groups; ++g, out += blockBytes) {
    const int64_t begin = g * format.group;
    group.columns = columns - begin < format.group ? columns - begin : format.group;
    for (int64_t half = 0; half < kTileRows / kLanes; ++half) {
      const float *source = rows + half * kLanes * columns + begin;
      for (int64_t k = 0; k < group.columns; ++k)
        for (int64_t row = 0; row < kLanes; ++row)
          group.x[k][row] = source[row * columns + k];
      for (int64_t k = group.columns; k < group.size; ++k)
        group.x[k] = Lanes{};
      quantizeGroup(format, group, half, out);
    }
  }
}

} // namespace sinter
