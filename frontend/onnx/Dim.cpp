// Arithmetic on sizes. Everything is checked: coefficients come from files.

#include "frontend/onnx/Dim.h"

#include <algorithm>

namespace sinter::onnx_import {

void fail(const std::string &message) { throw ImportError{message, ""}; }

static int64_t checked(bool overflow, int64_t value) {
  if (overflow)
    fail("a size does not fit 64 bits");
  return value;
}
static int64_t mulChecked(int64_t a, int64_t b) {
  int64_t result;
  bool overflow = __builtin_mul_overflow(a, b, &result);
  return checked(overflow, result);
}
static int64_t addChecked(int64_t a, int64_t b) {
  int64_t result;
  bool overflow = __builtin_add_overflow(a, b, &result);
  return checked(overflow, result);
}

void Dim::add(const std::vector<uint32_t> &atoms, int64_t coefficient) {
  if (coefficient == 0)
    return;
  auto [found, isNew] = terms.try_emplace(atoms, coefficient);
  if (isNew)
    return;
  found->second = addChecked(found->second, coefficient);
  if (found->second == 0)
    terms.erase(found);
}

std::optional<int64_t> Dim::constant() const {
  if (terms.empty())
    return 0;
  if (terms.size() == 1 && terms.begin()->first.empty())
    return terms.begin()->second;
  return std::nullopt;
}

Dim operator+(const Dim &a, const Dim &b) {
  Dim result = a;
  for (const auto &[atoms, coefficient] : b.terms)
    result.add(atoms, coefficient);
  return result;
}

Dim operator-(const Dim &a, const Dim &b) { return a + b * Dim(-1); }

Dim operator*(const Dim &a, const Dim &b) {
  Dim result;
  for (const auto &[left, x] : a.terms)
    for (const auto &[right, y] : b.terms) {
      std::vector<uint32_t> atoms(left.size() + right.size());
      std::merge(left.begin(), left.end(), right.begin(), right.end(), atoms.begin());
      if (atoms.size() > 16 || result.terms.size() > 256)
        fail("a size is too complex");
      result.add(atoms, mulChecked(x, y));
    }
  return result;
}

// Long division by the last term of b, as of polynomials in one variable.
std::optional<Dim> Dim::divideExactly(const Dim &a, const Dim &b) {
  if (b.terms.empty())
    return std::nullopt;
  Dim quotient, rest = a;
  const auto &[divisor, y] = *b.terms.rbegin();
  for (int step = 0; !rest.terms.empty(); ++step) {
    const auto &[atoms, x] = *rest.terms.rbegin();
    if (step > 64 || (y == -1 && x == INT64_MIN) || x % y || !std::includes(atoms.begin(), atoms.end(), divisor.begin(), divisor.end()))
      return std::nullopt;
    std::vector<uint32_t> left;
    std::set_difference(atoms.begin(), atoms.end(), divisor.begin(), divisor.end(), std::back_inserter(left));
    Dim term;
    term.add(left, x / y);
    quotient = quotient + term;
    rest = rest - term * b;
  }
  return quotient;
}

Dim DimTable::make(Atom atom) {
  if (atom.kind != Atom::symbol && atom.kind != Atom::value)
    for (size_t i = 0; i < atoms.size(); ++i)
      if (atoms[i].kind == atom.kind && atoms[i].left == atom.left && atoms[i].right == atom.right)
        return Dim::atom(static_cast<uint32_t>(i));
  if (atoms.size() > 100000)
    fail("there are too many different sizes");
  atoms.push_back(std::move(atom));
  return Dim::atom(static_cast<uint32_t>(atoms.size() - 1));
}

Dim DimTable::symbol(const std::string &name, int64_t low, int64_t high) {
  for (size_t i = 0; i < atoms.size(); ++i)
    if (atoms[i].kind == Atom::symbol && atoms[i].name == name)
      return Dim::atom(static_cast<uint32_t>(i));
  return make({Atom::symbol, name, {}, {}, low, high, nullptr});
}

Dim DimTable::value(const void *opaque, int64_t low, int64_t high) {
  return make({Atom::value, "", {}, {}, low, high, opaque});
}

static int64_t floorDivide(int64_t a, int64_t b) { return a / b - (a % b && (a < 0) != (b < 0) ? 1 : 0); }

Dim DimTable::floorDiv(const Dim &a, const Dim &b) {
  if (b.is(0))
    fail("a size is divided by 0");
  if (a.constant() && b.constant() && *b.constant() > 0)
    return floorDivide(*a.constant(), *b.constant());
  if (std::optional<Dim> exact = Dim::divideExactly(a, b))
    return *exact;
  Range x = range(a), y = range(b);
  const int64_t divisor = std::max<int64_t>(y.low, 1);
  return make({Atom::floorDiv, "", a, b, std::min<int64_t>(floorDivide(x.low, divisor), 0),
               std::max<int64_t>(floorDivide(x.high, divisor), 0), nullptr});
}

Dim DimTable::mod(const Dim &a, const Dim &b) { return a - floorDiv(a, b) * b; }

Dim DimTable::min(const Dim &a, const Dim &b) {
  Range difference = range(a - b);
  if (difference.high <= 0)
    return a;
  if (difference.low >= 0)
    return b;
  Range x = range(a), y = range(b);
  return make({Atom::min, "", a, b, std::min(x.low, y.low), std::min(x.high, y.high), nullptr});
}

Dim DimTable::max(const Dim &a, const Dim &b) {
  Range difference = range(a - b);
  if (difference.low >= 0)
    return a;
  if (difference.high <= 0)
    return b;
  Range x = range(a), y = range(b);
  return make({Atom::max, "", a, b, std::max(x.low, y.low), std::max(x.high, y.high), nullptr});
}

DimTable::Range DimTable::range(const Dim &dim) const {
  Range result = {0, 0};
  for (const auto &[product, coefficient] : dim.terms) {
    Range term = {1, 1};
    for (uint32_t atom : product) {
      const int64_t low = atoms[atom].low, high = atoms[atom].high;
      const int64_t ends[] = {mulChecked(term.low, low), mulChecked(term.low, high), mulChecked(term.high, low),
                              mulChecked(term.high, high)};
      term = {*std::min_element(ends, ends + 4), *std::max_element(ends, ends + 4)};
    }
    const int64_t x = mulChecked(term.low, coefficient), y = mulChecked(term.high, coefficient);
    result = {addChecked(result.low, std::min(x, y)), addChecked(result.high, std::max(x, y))};
  }
  return result;
}

std::string DimTable::text(const Dim &dim) const {
  static const char *const signs[] = {"", " / ", " % ", ", ", ", ", "?"};
  std::string result;
  for (const auto &[product, coefficient] : dim.terms) {
    std::string term = product.empty() || coefficient != 1 ? std::to_string(coefficient) : "";
    for (uint32_t number : product) {
      const Atom &atom = atoms[number];
      std::string name = atom.kind == Atom::symbol  ? atom.name
                         : atom.kind == Atom::value ? "?"
                                                    : "(" + text(atom.left) + signs[atom.kind] + text(atom.right) + ")";
      if (atom.kind == Atom::min || atom.kind == Atom::max)
        name = (atom.kind == Atom::min ? "min" : "max") + name;
      term += (term.empty() ? "" : "*") + name;
    }
    result += (result.empty() ? "" : " + ") + term;
  }
  return result.empty() ? "0" : result;
}

} // namespace sinter::onnx_import
