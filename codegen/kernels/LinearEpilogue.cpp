// Finishes a tile of results on its way to memory. Rows are padded to 32 floats, so every store is whole; the residual
// may be the buffer that is written, since each element is read just before it is stored.

#include "codegen/kernels/LinearEpilogue.h"

namespace sinter::kern {

using namespace mlir;

// Calls body(row of the tile, output of the tile, result) for each register of results.
static void forEachResult(KernelBuilder &b, const ResultTile &tile, ValueRange results,
                          function_ref<void(int64_t, int64_t, Value)> body) {
  int64_t vectors = tile.outputs / b.lanes();
  for (int64_t t = 0; t < tile.rows; ++t)
    for (int64_t v = 0; v < vectors; ++v)
      body(t, v * b.lanes(), results[t * vectors + v]);
}

void emitKeepGate(KernelBuilder &b, const LinearEpilogue &epilogue, const ResultTile &tile, ValueRange results) {
  // Biases of a gated product alternate by tiles, as its weights do.
  Value firstBias = b.add(b.mul(tile.unit, 2 * kTileRows), tile.output);
  forEachResult(b, tile, results, [&](int64_t t, int64_t output, Value result) {
    if (epilogue.bias)
      result = b.addf(result, b.load(epilogue.bias, b.add(firstBias, output), b.lanes()));
    b.store(result, epilogue.gate, {b.index(t), b.add(tile.output, output)});
  });
}

void emitEpilogue(KernelBuilder &b, const LinearEpilogue &epilogue, const ResultTile &tile, ValueRange results) {
  Value firstColumn = b.add(b.mul(tile.unit, kTileRows), tile.output);
  Value firstBias = epilogue.glu ? b.add(b.mul(tile.unit, 2 * kTileRows), b.add(tile.output, kTileRows)) : firstColumn;
  forEachResult(b, tile, results, [&](int64_t t, int64_t output, Value result) {
    Value row = b.add(tile.row, t), column = b.add(firstColumn, output);
    if (epilogue.bias)
      result = b.addf(result, b.load(epilogue.bias, b.add(firstBias, output), b.lanes()));
    if (epilogue.glu) {
      Value gate = b.load(epilogue.gate, {b.index(t), b.add(tile.output, output)}, b.lanes());
      result = b.mulf(b.activation(epilogue.glu.getValue(), gate), result);
    }
    if (epilogue.act)
      result = b.activation(epilogue.act.getValue(), result);
    if (epilogue.residual)
      result = b.addf(result, b.load(epilogue.residual, {row, column}, b.lanes()));
    b.store(result, epilogue.out, {row, column});
  });
}

} // namespace sinter::kern
