// Yardsticks: what bounds a model's speed, and nothing else. `read` streams memory with the loads and prefetches of a
// product of one token. `dot` and `fma` are the register tiles of prefill without what surrounds them: the weights come
// from the first-level cache, activations stay in registers, no scales, no epilogue. So their rates are what a kernel
// made of the same instructions could reach at best.

#include "codegen/kernels/KernelBuilder.h"
#include "codegen/kernels/Kernels.h"
#include "codegen/kernels/Product.h"

using namespace mlir;

namespace sinter::kern {

using Values = KernelBuilder::Values;

namespace {

// Columns by fours that `dot` writes out: as many as the products of one group, so that targets which keep sums in 16 bits
// for some products can.
constexpr int64_t kQuads = 8;
// The same for `fma`, in single columns.
constexpr int64_t kColumns = 8;
constexpr int64_t kCodes = 15; // largest of 4 bits

// Sums must not be optimized away.
void keep(KernelBuilder &b, ValueRange sums) {
  Value sum = sums.front();
  bool floats = cast<VectorType>(sum.getType()).getElementType().isF32();
  for (Value other : sums.drop_front())
    sum = floats ? b.addf(sum, other) : arith::AddIOp::create(b, sum, other).getResult();
  int64_t lanes = b.lanes();
  b.store(sum, b.scratch({lanes}, cast<VectorType>(sum.getType()).getElementType()), b.index(0));
}

void buildRead(KernelBuilder &b, YardstickAttr spec) {
  constexpr int64_t kStep = 512, kLine = 64;
  const int64_t bytes = b.target().vectorBytes, sumCount = 8;
  Value data = b.binding(0, b.getI8Type());
  Value first = b.mul(b.begin(), spec.getUnitBytes()), last = b.mul(b.end(), spec.getUnitBytes());
  Values zero(sumCount, b.splat(b.lanes(), 0));
  keep(b, b.loop(first, last, kStep, zero, [&](Value at, ValueRange before) {
    Values sums(before);
    for (int64_t offset = 0; offset < kStep; offset += bytes) {
      if (offset % kLine == 0)
        b.prefetch(data, b.add(at, kPrefetchBytes + offset));
      Value piece = b.bitcast(b.load(data, b.add(at, offset), bytes), b.getI32Type());
      Value &sum = sums[offset / bytes % sumCount];
      sum = arith::AddIOp::create(b, sum, piece);
    }
    return sums;
  }));
}

// The loop of `dot` and `fma`: rounds over pieces of the shared bytes, for every unit the same number of times.
void loopRounds(KernelBuilder &b, YardstickAttr spec, int64_t roundBytes, int64_t roundMultiplyAdds, Value zero, int64_t sums,
                llvm::function_ref<Values(Value at, ValueRange sums)> round) {
  const int64_t rounds = (spec.getUnitMultiplyAdds() + roundMultiplyAdds / 2) / roundMultiplyAdds;
  const int64_t pieces = spec.getSharedBytes() / roundBytes;
  Values start(sums, zero);
  keep(b, b.loop(b.mul(b.begin(), rounds), b.mul(b.end(), rounds), 1, start, [&](Value i, ValueRange before) {
    return round(b.mul(b.rem(i, pieces), roundBytes), before);
  }));
}

void buildDot(KernelBuilder &b, YardstickAttr spec) {
  const RegisterTile tile = b.target().quantizedTiles.front();
  const int64_t lanes = b.lanes(), vectors = tile.outputs / lanes;
  Value data = b.binding(0, b.getI8Type()), quads = b.binding(0, b.getI32Type());
  Values activations;
  for (int64_t t = 0; t < tile.tokens; ++t)
    activations.push_back(b.bitcast(b.broadcast(b.loadScalar(quads, b.index(t)), lanes), b.getI8Type()));
  loopRounds(b, spec, kQuads * tile.outputs * 4, kQuads * 4 * tile.outputs * tile.tokens, b.splat(lanes, 0),
             tile.tokens * vectors, [&](Value at, ValueRange before) {
               Values sums(before);
               for (int64_t q = 0; q < kQuads; ++q)
                 for (int64_t v = 0; v < vectors; ++v) {
                   Value codes = b.load(data, b.add(at, (q * vectors + v) * 4 * lanes), 4 * lanes);
                   for (int64_t t = 0; t < tile.tokens; ++t) {
                     Value &sum = sums[t * vectors + v];
                     sum = b.dot(sum, codes, activations[t], kCodes);
                   }
                 }
               return sums;
             });
}

void buildFma(KernelBuilder &b, YardstickAttr spec) {
  const RegisterTile tile = b.target().floatTiles.front();
  const int64_t lanes = b.lanes(), vectors = tile.outputs / lanes, registers = b.target().registers;
  // Activations stay in registers beside the sums and the weights at hand; products may need one more.
  const int64_t tokens = std::min<int64_t>(tile.tokens, (registers - 1 - vectors) / (vectors + 1));
  Value data = b.binding(0, b.getF32Type());
  Values activations;
  for (int64_t t = 0; t < tokens; ++t)
    activations.push_back(b.broadcast(b.loadScalar(data, b.index(t)), lanes));
  loopRounds(b, spec, kColumns * tile.outputs * 4, kColumns * tile.outputs * tokens, b.splat(lanes, 0.0f), tokens * vectors,
             [&](Value at, ValueRange before) {
               Values sums(before);
               Value first = b.div(at, 4);
               for (int64_t k = 0; k < kColumns; ++k)
                 for (int64_t v = 0; v < vectors; ++v) {
                   Value weights = b.load(data, b.add(first, (k * vectors + v) * lanes), lanes);
                   for (int64_t t = 0; t < tokens; ++t) {
                     Value &sum = sums[t * vectors + v];
                     sum = b.fma(weights, activations[t], sum);
                   }
                 }
               return sums;
             });
}

} // namespace

void buildYardstick(KernelBuilder &b, YardstickAttr spec) {
  switch (spec.getKind()) {
  case YardstickKind::read:
    return buildRead(b, spec);
  case YardstickKind::dot:
    return buildDot(b, spec);
  case YardstickKind::fma:
    return buildFma(b, spec);
  }
}

} // namespace sinter::kern
