// Sizes that are known when the model runs: polynomials with integer coefficients over atoms, in a normal form, so that
// equal sizes compare equal and -1 of a Reshape divides out. Free of LLVM.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sinter::onnx_import {

// Thrown by everything in this folder; caught at its border. The text is one line.
struct ImportError {
  std::string message, needed; // `needed`: an input whose value must be known
};
[[noreturn]] void fail(const std::string &message);

class Dim {
public:
  Dim() = default;
  Dim(int64_t constant) { add({}, constant); }
  static Dim atom(uint32_t number) {
    Dim result;
    result.add({number}, 1);
    return result;
  }

  bool operator==(const Dim &other) const { return terms == other.terms; }
  bool operator!=(const Dim &other) const { return terms != other.terms; }
  bool operator<(const Dim &other) const { return terms < other.terms; }
  std::optional<int64_t> constant() const;
  bool is(int64_t value) const { return constant() == value; }

  friend Dim operator+(const Dim &a, const Dim &b);
  friend Dim operator-(const Dim &a, const Dim &b);
  friend Dim operator*(const Dim &a, const Dim &b);
  // a / b where it leaves no remainder whatever the atoms are.
  static std::optional<Dim> divideExactly(const Dim &a, const Dim &b);

  // Product of atoms, ascending -> coefficient. No coefficient is 0.
  using Terms = std::map<std::vector<uint32_t>, int64_t>;
  Terms terms;

private:
  void add(const std::vector<uint32_t> &atoms, int64_t coefficient);
};

// What atoms are.
struct Atom {
  enum Kind { symbol, floorDiv, mod, min, max, value } kind;
  std::string name;   // of a symbol
  Dim left, right;    // of the others
  int64_t low, high;  // what it lies in
  const void *opaque; // of `value`: an mlir::Value
};

class DimTable {
public:
  Dim symbol(const std::string &name, int64_t low, int64_t high);
  Dim value(const void *opaque, int64_t low, int64_t high);
  // Rounded down; `b` is positive when the model runs.
  Dim floorDiv(const Dim &a, const Dim &b);
  Dim ceilDiv(const Dim &a, const Dim &b) { return floorDiv(a + b - 1, b); }
  Dim mod(const Dim &a, const Dim &b);
  Dim min(const Dim &a, const Dim &b);
  Dim max(const Dim &a, const Dim &b);

  struct Range {
    int64_t low, high;
  };
  Range range(const Dim &dim) const;
  std::string text(const Dim &dim) const; // "2*batch*sequence + 1"

  std::deque<Atom> atoms;

private:
  Dim make(Atom atom);
};

} // namespace sinter::onnx_import
