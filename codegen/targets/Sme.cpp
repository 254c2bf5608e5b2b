// kern.tile_product by the outer products of ARM's Scalable Matrix Extension, for every vector length. A tile of ZA has a
// row per token and a column per output; `sumopa` adds four columns of a product at once, `fmopa` one.
//
// What it reads is the layout that all targets share: a packed tile's codes of one quad are contiguous for neighbouring
// outputs, so they are the second operand as they lie. The first one, the same quad of neighbouring tokens, is made by ZA
// itself: rows of activations are loaded as horizontal slices of tile 0 and read back as vertical ones. Tiles 1 and 2 sum
// for two vectors of outputs. After each group of a quantized format the sums are read back, scaled, and added to the
// results in memory, in the same order and with the same roundings as codegen/kernels/QuantizedProduct.cpp does.
//
// The code runs in streaming mode, where other vector instructions than SME's own may be missing, so it is a function of
// its own that kernels call. LLVM enters and leaves the mode and takes care of ZA: what a caller may have in there is
// saved by __arm_tpidr2_save, which is part of the image (kSmeSupport). LLVM 22 forgets to save the return address around
// that call where a function does nothing else that needs a frame; "frame-pointer"="all" makes it have one.

#include "codegen/targets/Sme.h"

#include "codegen/kernels/KernelBuilder.h"
#include "codegen/targets/DotLowering.h"
#include "dialects/Formats.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace sinter {

const char kSmeSupport[] = R"(
  .arch_extension sme
  .p2align 2
  .type __arm_tpidr2_save, %function
__arm_tpidr2_save: // commits the caller's lazy save of ZA; changes x14 to x16 only
  mrs x14, TPIDR2_EL0
  cbz x14, 2f
  ldrh w16, [x14, #8]
  ldr x14, [x14]
  cbz x14, 2f
  mov w15, wzr
1:
  cmp w15, w16
  b.hs 2f
  str za[w15, 0], [x14]
  addsvl x14, x14, #1
  add w15, w15, #1
  b 1b
2:
  ret
)";

namespace {

// Tiles of ZA: one that turns rows of activations into columns, and those that sum.
constexpr int32_t kTurning = 0, kSumming[] = {1, 2};

// The arguments of the function, in order; those of a float format have null scales and sums.
struct Arguments {
  Value weights, rows, scales, sums, out, firstRow, count, tile;
};

class SmeProduct {
public:
  SmeProduct(OpBuilder &builder, kern::TileProductOp op, const Format &format)
      : b(op.getLoc(), builder), format(format), columns(op.getColumns()),
        rowBytes(cast<MemRefType>(op.getRows().getType()).getShape().back() * 4) {}

  void build(Block &entry) {
    auto argument = [&](int64_t i) -> Value { return entry.getArgument(i); };
    args = {argument(0), argument(1), argument(2), argument(3), argument(4), argument(5), argument(6), argument(7)};
    b.setInsertionPointToStart(&entry);
    lanes = mul(LLVM::vscale::create(b, i64()), 4);
    Value tileBytes = constant(format.packedBytes(kTileRows, columns));
    firstWeight = at(args.weights, arith::MulIOp::create(b, args.tile, tileBytes));
    loop(constant(0), args.count, lanes, [&](Value row) {
      Value rows = min(sub(args.count, row), lanes);
      loop(constant(0), constant(kTileRows), mul(lanes, 2), [&](Value output) {
        block = {row, rows, output};
        if (format.isQuantized())
          buildQuantized();
        else
          buildFloats();
      });
    });
    func::ReturnOp::create(b);
  }

private:
  // Rows [row, row + rows) by two vectors of outputs from `output` on.
  struct ResultBlock {
    Value row, rows, output;
  };

  // ---- Integers, 64 bits
  Type i64() { return b.getI64Type(); }
  Value constant(int64_t value) { return arith::ConstantOp::create(b, b.getI64IntegerAttr(value)); }
  Value i32(int32_t value) { return LLVM::ConstantOp::create(b, b.getI32Type(), b.getI32IntegerAttr(value)); }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value mul(Value x, int64_t y) { return arith::MulIOp::create(b, x, constant(y)); }
  Value min(Value x, Value y) { return arith::MinUIOp::create(b, x, y); }
  void loop(Value from, Value to, Value step, function_ref<void(Value)> body) {
    scf::ForOp forOp = scf::ForOp::create(b, from, to, step);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(forOp.getBody());
    body(forOp.getInductionVar());
  }

  // ---- Vectors of the machine's length
  VectorType vectorOf(int64_t perPiece, Type element) { return VectorType::get({perPiece}, element, {true}); }
  VectorType words() { return vectorOf(4, b.getI32Type()); }
  VectorType floats() { return vectorOf(4, b.getF32Type()); }
  VectorType bytes() { return vectorOf(16, b.getI8Type()); }
  VectorType predicate(int64_t perPiece) { return vectorOf(perPiece, b.getI1Type()); }
  Value intrinsic(StringRef name, Type result, ValueRange operands) {
    return callIntrinsic(b, b.getLoc(), name, result, operands);
  }
  void intrinsic(StringRef name, ValueRange operands) {
    LLVM::CallIntrinsicOp::create(b, b.getLoc(), b.getStringAttr(name), operands);
  }
  // Lanes i with from + i < to.
  Value lanesBelow(Value from, Value to, int64_t perPiece) {
    return intrinsic("llvm.aarch64.sve.whilelt.nxv" + std::to_string(perPiece) + "i1.i64", predicate(perPiece),
                     {from, to});
  }
  Value splat(VectorType type, Value scalar) { return vector::BroadcastOp::create(b, type, scalar); }
  Value fma(Value x, Value y, Value z) { return LLVM::FMulAddOp::create(b, x, y, z); }

  // ---- Memory
  Value at(Value pointer, Value byte) {
    return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer, ArrayRef<LLVM::GEPArg>{byte});
  }
  Value loadScalar(Value pointer, Value index, Type type) {
    return LLVM::LoadOp::create(b, type, at(pointer, mul(index, 4)));
  }
  Value loadLanes(VectorType type, Value pointer, Value lanesOfIt) {
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(type));
    return LLVM::MaskedLoadOp::create(b, type, pointer, lanesOfIt, zero, b.getI32IntegerAttr(1));
  }
  // Floats of 16 or 32 bits, as 32.
  Value loadFloats(FormatClass kind, Value pointer, Value lanesOfIt) {
    if (kind == FormatClass::f32)
      return loadLanes(floats(), pointer, lanesOfIt);
    if (kind == FormatClass::f16)
      return arith::ExtFOp::create(b, floats(), loadLanes(vectorOf(4, b.getF16Type()), pointer, lanesOfIt));
    Value upper = arith::ExtUIOp::create(b, words(), loadLanes(vectorOf(4, b.getI16Type()), pointer, lanesOfIt));
    upper = arith::ShLIOp::create(b, upper, splat(words(), i32(16)));
    return arith::BitcastOp::create(b, floats(), upper);
  }
  // Where results of a row go: vector v of its outputs.
  Value resultAt(Value row, int v) { return at(args.out, mul(add(mul(row, kTileRows), outputOf(v)), 4)); }

  // ---- The block of results at hand
  Value outputOf(int v) { return v ? add(block.output, lanes) : block.output; }
  Value outputLanes(int v) { return lanesBelow(outputOf(v), constant(kTileRows), 4); }
  void clearTiles() { intrinsic("llvm.aarch64.sme.zero", {i32(0x66)}); } // tiles 1 and 2: every fourth of 8 bits
  Value readRow(int32_t tile, Value row) {
    return intrinsic("llvm.aarch64.sme.read.horiz.nxv4i32", words(), {zeroWords(), allWords(), i32(tile), index(row)});
  }
  Value zeroWords() { return arith::ConstantOp::create(b, b.getZeroAttr(words())); }
  Value allWords() { return splat(predicate(4), LLVM::ConstantOp::create(b, b.getI1Type(), b.getBoolAttr(true))); }
  Value index(Value value) { return arith::TruncIOp::create(b, b.getI32Type(), value); }

  // Calls body(i, quad or column i of all rows of the block) for the words [from, from + count) of each row, whose first
  // byte is `start`. `step` of them at a time.
  void forEachColumn(Value start, int64_t count, int64_t step, function_ref<void(Value, ArrayRef<Value>)> body) {
    Value end = constant(count);
    loop(constant(0), end, lanes, [&](Value from) {
      Value some = lanesBelow(from, end, 4);
      loop(constant(0), block.rows, constant(1), [&](Value row) {
        Value place = mul(add(add(args.firstRow, block.row), row), rowBytes);
        Value source = at(args.rows, add(place, add(start, mul(from, 4))));
        intrinsic("llvm.aarch64.sme.ld1w.horiz", {some, source, i32(kTurning), index(row)});
      });
      loop(constant(0), min(lanes, sub(end, from)), constant(step), [&](Value i) {
        SmallVector<Value> turned;
        for (int64_t s = 0; s < step; ++s)
          turned.push_back(intrinsic("llvm.aarch64.sme.read.vert.nxv4i32", words(),
                                     {zeroWords(), allWords(), i32(kTurning), index(add(i, constant(s)))}));
        body(add(from, i), turned);
      });
    });
  }

  void buildFloats() {
    clearTiles();
    int64_t elementBytes = format.bits / 8;
    Value rowLanes = lanesBelow(constant(0), block.rows, 4);
    forEachColumn(constant(0), columns, 1, [&](Value column, ArrayRef<Value> turned) {
      Value activations = arith::BitcastOp::create(b, floats(), turned.front());
      for (int v : {0, 1}) {
        Value place = mul(add(mul(column, kTileRows), outputOf(v)), elementBytes);
        Value weights = loadFloats(format.kind, at(firstWeight, place), outputLanes(v));
        intrinsic("llvm.aarch64.sme.mopa.nxv4f32",
                  {i32(kSumming[v]), rowLanes, outputLanes(v), activations, weights});
      }
    });
    loop(constant(0), block.rows, constant(1), [&](Value i) {
      for (int v : {0, 1})
        LLVM::MaskedStoreOp::create(b, readRow(kSumming[v], i), resultAt(add(block.row, i), v), outputLanes(v),
                                    b.getI32IntegerAttr(1));
    });
  }

  void buildQuantized() {
    loop(constant(0), block.rows, constant(1), [&](Value i) {
      for (int v : {0, 1})
        LLVM::MaskedStoreOp::create(b, zeroWords(), resultAt(add(block.row, i), v), outputLanes(v),
                                    b.getI32IntegerAttr(1));
    });
    int64_t groups = format.groups(columns), runQuads = format.runColumns() / 4;
    Value rowLanes = lanesBelow(constant(0), mul(block.rows, 4), 16);
    loop(constant(0), constant(groups), constant(1), [&](Value group) {
      clearTiles();
      Value head = at(firstWeight, mul(group, format.blockBytes())), codes = at(head, constant(format.headBytes()));
      forEachColumn(mul(group, format.group), format.group / 4, runQuads, [&](Value quad, ArrayRef<Value> turned) {
        Value line = mul(arith::DivUIOp::create(b, quad, constant(runQuads)), format.runWords());
        for (int v : {0, 1}) {
          Value output = mul(outputOf(v), 4), some = lanesBelow(output, constant(kTileRows * 4), 16);
          SmallVector<Value> words;
          for (int64_t word = 0; word < format.runWords(); ++word) {
            Value place = add(mul(add(line, constant(word)), kTileRows * 4), output);
            words.push_back(loadLanes(bytes(), at(codes, place), some));
          }
          for (auto [q, weights] : llvm::enumerate(kern::unpackQuads(b, format, words)))
            intrinsic("llvm.aarch64.sme.sumopa.wide.nxv16i8",
                      {i32(kSumming[v]), rowLanes, some, vector::BitCastOp::create(b, bytes(), turned[q]), weights});
        }
      });
      addGroup(group, groups, head);
    });
  }

  // Scales what one group gave and adds it to the results.
  void addGroup(Value group, int64_t groups, Value head) {
    Value scales[2], offsets[2];
    for (int v : {0, 1}) {
      Value place = at(head, mul(outputOf(v), 2)), some = outputLanes(v);
      scales[v] = loadFloats(FormatClass::f16, place, some);
      if (format.hasZeros)
        offsets[v] = arith::MulFOp::create(
            b, scales[v], loadFloats(FormatClass::f16, at(place, constant(2 * kTileRows)), some));
    }
    loop(constant(0), block.rows, constant(1), [&](Value i) {
      Value row = add(block.row, i), entry = add(mul(add(args.firstRow, row), groups), group);
      Value scale = splat(floats(), loadScalar(args.scales, entry, b.getF32Type())), start, offset;
      if (format.hasZeros)
        offset = splat(floats(), arith::NegFOp::create(b, loadScalar(args.sums, entry, b.getF32Type())));
      else
        start = splat(words(), loadScalar(args.sums, entry, b.getI32Type()));
      for (int v : {0, 1}) {
        Value dot = readRow(kSumming[v], i), place = resultAt(row, v), some = outputLanes(v);
        if (start)
          dot = arith::AddIOp::create(b, dot, start);
        Value scaled = arith::MulFOp::create(b, arith::SIToFPOp::create(b, floats(), dot), scale);
        Value sum = fma(scaled, scales[v], loadLanes(floats(), place, some));
        if (offset)
          sum = fma(offsets[v], offset, sum);
        LLVM::MaskedStoreOp::create(b, sum, place, some, b.getI32IntegerAttr(1));
      }
    });
  }

  ImplicitLocOpBuilder b;
  const Format &format;
  const int64_t columns, rowBytes;
  Arguments args;
  Value lanes, firstWeight;
  ResultBlock block;
};

// Replaces the op by a call of a function that is made once per format and shape.
struct LowerTileProduct : OpRewritePattern<kern::TileProductOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(kern::TileProductOp op, PatternRewriter &rewriter) const override {
    const Format &format = *findFormat(op.getFormat());
    Location loc = op.getLoc();
    ModuleOp module = op->getParentOfType<ModuleOp>();
    int64_t rowWords = cast<MemRefType>(op.getRows().getType()).getShape().back();
    std::string name = ("tile_product_" + op.getFormat() + "_" + Twine(op.getColumns()) + "_" + Twine(rowWords)).str();
    Type pointer = LLVM::LLVMPointerType::get(getContext()), i64 = rewriter.getI64Type();
    if (!module.lookupSymbol(name)) {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToEnd(module.getBody());
      SmallVector<Type> types(5, pointer);
      types.append(3, i64);
      func::FuncOp function = func::FuncOp::create(rewriter, loc, name, rewriter.getFunctionType(types, {}));
      function.setPrivate();
      function->setAttr("llvm.linkage", LLVM::LinkageAttr::get(getContext(), LLVM::Linkage::Internal));
      for (StringRef attribute : {"arm_locally_streaming", "arm_new_za"})
        function->setAttr(attribute, rewriter.getUnitAttr());
      Attribute framePointer = rewriter.getStrArrayAttr({"frame-pointer", "all"});
      function->setAttr("passthrough", rewriter.getArrayAttr({rewriter.getStringAttr("noinline"), framePointer}));
      SmeProduct(rewriter, op, format).build(*function.addEntryBlock());
    }

    rewriter.setInsertionPoint(op);
    auto pointerTo = [&](Value memref) -> Value {
      Value address = memref::ExtractAlignedPointerAsIndexOp::create(rewriter, loc, memref);
      Value number = arith::IndexCastOp::create(rewriter, loc, i64, address);
      return LLVM::IntToPtrOp::create(rewriter, loc, pointer, number);
    };
    Value none = LLVM::ZeroOp::create(rewriter, loc, pointer);
    bool quantized = !op.getScales().empty();
    SmallVector<Value> operands = {pointerTo(op.getWeights()), pointerTo(op.getRows()),
                                   quantized ? pointerTo(op.getScales()[0]) : none,
                                   quantized ? pointerTo(op.getScales()[1]) : none, pointerTo(op.getOut())};
    for (Value number : {op.getFirstRow(), op.getCount(), op.getTile()})
      operands.push_back(arith::IndexCastOp::create(rewriter, loc, i64, number));
    func::CallOp::create(rewriter, loc, module.lookupSymbol<func::FuncOp>(name), operands);
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void addSmePatterns(RewritePatternSet &patterns) { patterns.add<LowerTileProduct>(patterns.getContext()); }

} // namespace sinter
