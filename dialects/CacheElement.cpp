// The table of cache elements. Sizes follow from two facts about each: how wide an element is, and whether tokens have
// scales.

#include "dialects/CacheElement.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace sinter {

namespace {

struct CacheElement {
  llvm::StringLiteral name;
  Type (*type)(Builder &);
  bool hasScales; // f32 [16] before the codes, which are laid out by quads of columns
};

const CacheElement kElements[] = {
    {"f32", [](Builder &b) -> Type { return b.getF32Type(); }, false},
    {"f16", [](Builder &b) -> Type { return b.getF16Type(); }, false},
    {"q8", [](Builder &b) -> Type { return b.getI8Type(); }, true},
};

const CacheElement *find(Type type) {
  Builder builder(type.getContext());
  for (const CacheElement &element : kElements)
    if (element.type(builder) == type)
      return &element;
  return nullptr;
}

} // namespace

StringRef cacheElementName(Type element) {
  const CacheElement *found = find(element);
  return found ? StringRef(found->name) : StringRef();
}

Type cacheElementOfName(MLIRContext *context, StringRef name) {
  Builder builder(context);
  for (const CacheElement &element : kElements)
    if (element.name == name)
      return element.type(builder);
  return Type();
}

StringRef cacheElementNames() { return "f32, f16 or q8"; }

int64_t cacheRowElements(Type element, int64_t headDim) {
  const CacheElement *found = find(element);
  return found && found->hasScales ? (headDim + 3) / 4 * 4 : headDim;
}

int64_t cacheHeadBytes(Type element, int64_t headDim) {
  const CacheElement *found = find(element);
  int64_t bytes = kCacheTile * cacheRowElements(element, headDim) * element.getIntOrFloatBitWidth() / 8;
  return bytes + (found && found->hasScales ? kCacheTile * 4 : 0);
}

} // namespace sinter
