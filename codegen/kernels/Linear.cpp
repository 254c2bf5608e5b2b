// The linear kernel: a packed matrix times the step's rows, with what is fused before and behind. A unit is one tile of
// 32 outputs (or a tile of gates and its tile of ups). Within it, the step's tokens are taken in blocks as high as the
// target's register tile, and what remains in lower ones; a tile's weights come from memory once and stay in the cache
// for all blocks. With one token there is one block, and the weights stream by.

#include "codegen/kernels/Kernels.h"
#include "codegen/kernels/LinearEpilogue.h"
#include "codegen/kernels/Product.h"

#include <algorithm>

namespace sinter::kern {

using namespace mlir;
using Values = KernelBuilder::Values;

namespace {

// Tokens of one kern.tile_product.
constexpr int64_t kProductRows = 64;

class Linear {
public:
  Linear(KernelBuilder &b, LinearAttr spec)
      : b(b), spec(spec), format(*findFormat(spec.getFormat())), product{format, spec.getColumns()},
        tiles(format.isQuantized() ? b.target().quantizedTiles : b.target().floatTiles),
        fused(spec.getFusedRows() || (spec.getNorm() && !format.isQuantized())),
        oneToken(fused || spec.getSingle() || spec.getRowFromScalar()) {}

  void build() {
    bind();
    b.loop(b.begin(), b.end(), 1, [&](Value unit) {
      if (oneToken)
        return emitBlock(unit, b.index(0), tiles.back());
      Value last = b.scalar(Scalar::tokens), done = b.index(0);
      if (int64_t perUnit = spec.getTokensPerUnit()) {
        Value blocks = b.div(b.add(last, perUnit - 1), perUnit);
        done = b.mul(arith::RemUIOp::create(b, unit, blocks), perUnit);
        last = b.min(b.add(done, perUnit), last);
        unit = arith::DivUIOp::create(b, unit, blocks);
      }
      if (b.target().tileProducts)
        return emitTileProducts(unit, done, last);
      for (const RegisterTile &tile : tiles) {
        Value whole = b.mul(b.div(b.sub(last, done), tile.tokens), tile.tokens);
        Value until = b.add(done, whole);
        b.loop(done, until, tile.tokens, [&](Value token) { emitBlock(unit, token, tile); });
        done = until;
      }
    });
  }

private:
  // Takes the bindings in the order of LinearAttr::getBindings.
  void bind() {
    int64_t next = 0;
    int64_t width = spec.getColumns(), stride = rowStride(width);
    int64_t outStride = rowStride(spec.getOutRows() ? spec.getOutRows() : spec.getRows());
    int64_t padded = format.paddedColumns(width), groups = format.groups(width);
    Type f32 = b.getF32Type(), i32 = b.getI32Type(), sumType = format.hasZeros ? f32 : i32;

    FloatRow input;
    if (format.isQuantized() && !fused) {
      product.codes = b.bindingRows(next++, padded / 4, i32);
      product.scales = b.bindingRows(next++, groups, f32);
      product.sums = b.bindingRows(next++, groups, sumType);
    } else {
      input = {b.bindingRows(next++, stride, f32), inputRow()};
      product.floats = input.buffer;
    }
    RowNorm norm = {spec.getNorm()};
    if (norm.spec) {
      norm.weight = b.binding(next++, f32);
      if (norm.spec.getBias())
        norm.bias = b.binding(next++, f32);
    }
    product.weights = b.binding(next, weightType());
    if (format.isQuantized())
      product.weightScales = b.binding(next, b.getF16Type());
    ++next;
    epilogue.act = spec.getAct();
    if (spec.getBias())
      epilogue.bias = b.binding(next++, f32);
    if (spec.getResidual())
      epilogue.residual = b.bindingRows(next++, outStride, f32);
    epilogue.out = b.bindingRows(next++, outStride, f32);
    if ((epilogue.glu = spec.getGlu()))
      epilogue.gate = b.scratch({oneToken ? 1 : tiles.front().tokens, kTileRows}, f32);

    if (fused && format.isQuantized()) {
      Value codes = b.scratch({1, padded}, b.getI8Type());
      product.codes = b.scratchView(codes, {1, padded / 4}, i32);
      product.scales = b.scratch({1, groups}, f32);
      product.sums = b.scratch({1, groups}, sumType);
      emitQuantizeRow(b, input, width, norm, format, {codes, product.scales, product.sums, b.index(0)});
      firstRow = b.index(0);
    } else if (norm.spec) {
      product.floats = b.scratch({1, stride}, f32);
      emitNormalizeRow(b, input, width, norm, {product.floats, b.index(0)});
      firstRow = b.index(0);
    } else {
      firstRow = inputRow();
    }
  }

  Value inputRow() { return spec.getRowFromScalar() ? b.scalar(Scalar::row) : b.index(0); }

  Type weightType() {
    switch (format.kind) {
    case FormatClass::f32:
      return b.getF32Type();
    case FormatClass::f16:
      return b.getF16Type();
    case FormatClass::bf16:
      return b.getBF16Type();
    case FormatClass::codes:
      return b.getI8Type();
    }
    llvm_unreachable("every class of formats is above");
  }

  // The tokens of one register tile from `token` on, all outputs of the unit.
  void emitBlock(Value unit, Value token, const RegisterTile &registers) {
    b.loop(b.index(0), b.index(kTileRows), registers.outputs, [&](Value output) {
      ResultTile results = {registers.tokens, registers.outputs, token, unit, output};
      ProductTile tile = {registers.tokens, registers.outputs, b.add(firstRow, token), unit, output};
      if (epilogue.glu) {
        tile.tile = b.mul(unit, 2);
        emitKeepGate(b, epilogue, results, emitProduct(b, product, tile));
        tile.tile = b.add(tile.tile, 1);
      }
      emitEpilogue(b, epilogue, results, emitProduct(b, product, tile));
    });
  }

  // Tokens [from, until) by kern.tile_product: results go to scratch, and from there through the epilogue.
  void emitTileProducts(Value unit, Value from, Value until) {
    int64_t matrices = epilogue.glu ? 2 : 1;
    Values results;
    for (int64_t i = 0; i < matrices; ++i)
      results.push_back(b.scratch({kProductRows, kTileRows}, b.getF32Type()));
    b.loop(from, until, kProductRows, [&](Value token) {
      Value rows = b.min(b.sub(until, token), b.index(kProductRows)), first = b.add(firstRow, token);
      for (int64_t i = 0; i < matrices; ++i) {
        Value tile = b.add(b.mul(unit, matrices), i), input = format.isQuantized() ? product.codes : product.floats;
        Values scales = format.isQuantized() ? Values{product.scales, product.sums} : Values();
        TileProductOp::create(b, format.name, product.columns, product.weights, tile, input, first, rows, scales,
                              results[i]);
      }
      b.loop(b.index(0), rows, 1, [&](Value row) {
        ResultTile tile = {1, kTileRows, b.add(token, row), unit, b.index(0)};
        auto load = [&](Value from) {
          Values values;
          for (int64_t output = 0; output < kTileRows; output += b.lanes())
            values.push_back(b.load(from, {row, b.index(output)}, b.lanes()));
          return values;
        };
        if (epilogue.glu)
          emitKeepGate(b, epilogue, tile, load(results.front()));
        emitEpilogue(b, epilogue, tile, load(results.back()));
      });
    });
  }

  KernelBuilder &b;
  LinearAttr spec;
  const Format &format;
  ProductOperands product;
  LinearEpilogue epilogue;
  const llvm::ArrayRef<RegisterTile> tiles;
  const bool fused, oneToken;
  Value firstRow; // of the input, for token 0
};

} // namespace

void buildLinear(KernelBuilder &b, LinearAttr spec) { Linear(b, spec).build(); }

} // namespace sinter::kern
