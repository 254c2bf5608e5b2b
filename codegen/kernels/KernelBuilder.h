// What builders of kernels write with: a function to fill, and short names for the ops they need most. Every shape is
// static except the number of tokens, so remainders are vectors of an odd static width (twelve floats are a
// vector<12xf32>), which LLVM splits well; there is no masking.
#pragma once

#include "codegen/targets/Target.h"
#include "dialects/Formats.h"
#include "dialects/kern/Kern.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <functional>

namespace sinter::kern {

// Names of attributes on a kernel's function.
inline constexpr llvm::StringLiteral kKernelAttr = "kern.kernel";
inline constexpr llvm::StringLiteral kScratchBytesAttr = "kern.scratch_bytes";

// The quads of columns that a run of a quantized format holds, one vector each, in order. `words` are the run's packed
// bytes: as many vectors as format.runWords(), four bytes per row. Of any
// width, scalable or not.
llvm::SmallVector<mlir::Value> unpackQuads(mlir::ImplicitLocOpBuilder &b, const Format &format, mlir::ValueRange words);

// Creates `func.func @name(%begin: index, %end: index) attributes {kern.kernel, kern.scratch_bytes}` at the end of a
// module and inserts into it. Call finish() last.
class KernelBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<mlir::Value>;

  KernelBuilder(mlir::ModuleOp module, llvm::StringRef name, const Target &target);
  // Writes the scratch size and the return.
  void finish();

  const Target &target() const { return theTarget; }
  // Units [begin, end) are this call's.
  Value begin() { return function.getArgument(0); }
  Value end() { return function.getArgument(1); }
  // Floats, i32s in one register of the target: 4, 8 or 16.
  int64_t lanes() const { return theTarget.vectorBytes / 4; }

  // -- Types and constants
  mlir::VectorType vectorType(int64_t width, mlir::Type element) { return mlir::VectorType::get({width}, element); }
  Value index(int64_t value);
  Value i32(int32_t value);
  Value f32(float value);
  Value splat(int64_t width, int32_t value); // vector<width x i32>
  Value splat(int64_t width, float value);   // vector<width x f32>
  Value lanesFromZero(int64_t width);        // 0, 1, 2 ... as vector<width x i32>

  // -- Index arithmetic, folded where both sides are constants
  Value add(Value a, Value b);
  Value add(Value a, int64_t b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value mul(Value a, int64_t b);
  Value div(Value a, int64_t b); // of non-negative values, rounded down
  Value rem(Value a, int64_t b);
  Value min(Value a, Value b);
  Value max(Value a, Value b);

  // -- Memory
  // Binding `number` as a flat array of `element`; the same binding may be seen with several types.
  Value binding(int64_t number, mlir::Type element);
  // Binding `number` as rows: memref<?x stride x element>.
  Value bindingRows(int64_t number, int64_t stride, mlir::Type element);
  // A new piece of the thread's scratch memory, aligned to 64 bytes.
  Value scratch(llvm::ArrayRef<int64_t> shape, mlir::Type element);
  // The same bytes with another element type and shape: `scratchView(m, ...)` of a value made by scratch().
  Value scratchView(Value scratch, llvm::ArrayRef<int64_t> shape, mlir::Type element);
  Value scalar(Scalar which);

  // `width` consecutive elements as they are; width 1 gives vector<1 x element>.
  Value load(Value memref, mlir::ValueRange at, int64_t width);
  Value loadScalar(Value memref, mlir::ValueRange at);
  // `width` consecutive f32, f16 or bf16 as vector<width x f32>.
  Value loadF32(Value memref, mlir::ValueRange at, int64_t width);
  void store(Value vector, Value memref, mlir::ValueRange at);
  void storeScalar(Value value, Value memref, mlir::ValueRange at);
  // `count` consecutive elements as `width` copies each. Targets that multiply by one lane of a register get all of them in
  // one load now; the others load element `i` when broadcasts(i) is called. f32 or i32.
  std::function<Value(int64_t)> loadBroadcasts(Value memref, mlir::ValueRange at, int64_t count, int64_t width);
  // Stores a vector of f32 as the memref's element type (f16 and bf16 round to nearest even).
  void storeF32(Value vector, Value memref, mlir::ValueRange at);
  // Elements base + offsets[i] of a flat buffer, where offsets is a vector of i32.
  Value gather(Value memref, Value base, Value offsets);
  // Stores element i at `at` with i added to index `dimension`; f32 as the memref's element type.
  void scatterF32(Value vector, Value memref, mlir::ValueRange at, int64_t dimension);
  // Hints that the cache line at an element will be read soon; never faults.
  void prefetch(Value memref, mlir::ValueRange at);

  // -- Control flow. Bodies run at build time, with the insertion point inside the loop.
  void loop(Value lower, Value upper, int64_t step, llvm::function_ref<void(Value i)> body);
  Values loop(Value lower, Value upper, int64_t step, mlir::ValueRange carried,
              llvm::function_ref<Values(Value i, mlir::ValueRange carried)> body);
  void ifThen(Value condition, llvm::function_ref<void()> then);
  Values ifElse(Value condition, llvm::function_ref<Values()> then, llvm::function_ref<Values()> otherwise);
  // Steps over `extent` elements in full vectors of `width` (a loop), then the remainder in one vector of its own
  // width: body(index, width of this step).
  void vectors(int64_t extent, int64_t width, llvm::function_ref<void(Value i, int64_t width)> body);
  // The same with carried values. The remainder sees them too and must return the same types.
  Values vectors(int64_t extent, int64_t width, mlir::ValueRange carried,
                 llvm::function_ref<Values(Value i, int64_t width, mlir::ValueRange carried)> body);

  // -- Vectors
  Value broadcast(Value scalar, int64_t width);
  Value bitcast(Value vector, mlir::Type element); // vector.bitcast: the width follows from the bits
  Value toBytes(Value vector);                     // vector<n x i32> to vector<n x i8>, the low bits
  // vector<n x i32>, the low bytes of four to a word, the first one lowest; `filler` is what the last word lacks.
  Value quads(Value codes, int32_t filler);
  Value toFloats(Value vector);                    // vector<n x i32 or i8>, signed, to vector<n x f32>
  Value slice(Value vector, int64_t from, int64_t width);
  // Lanes past the vector's width are taken from `filler`, a vector of the wider type.
  Value widen(Value vector, Value filler);
  // Sum and maximum of the lanes as a scalar, by halving (kern.reduce): the order is the same on every
  // target.
  Value sumLanes(Value vector);
  Value maxLanes(Value vector);

  // -- Arithmetic on f32 scalars or vectors
  Value addf(Value a, Value b);
  Value subf(Value a, Value b);
  Value mulf(Value a, Value b);
  Value divf(Value a, Value b);
  Value maxf(Value a, Value b);
  Value fma(Value a, Value b, Value c); // a * b + c, one rounding where the target has FMA
  Value negf(Value a);
  Value activation(tx::Activation kind, Value x);
  Values unpackQuads(const Format &format, mlir::ValueRange words) { return kern::unpackQuads(*this, format, words); }
  // What codes up to `maxCode` are less by in the target's dot products: 128 if it wants them signed and they may be
  // larger than 127, else 0. The zero point is less by as much.
  int64_t codeShift(int64_t maxCode) const { return theTarget.signedCodes && maxCode > 127 ? 128 : 0; }
  // Takes that off.
  Value shiftCodes(Value codes, int64_t maxCode);
  // acc[i] + sum of codes[4i + j] * activations[4i + j], of shifted codes.
  Value dot(Value acc, Value codes, Value activations, int64_t maxCode);

private:
  const Target &theTarget;
  mlir::func::FuncOp function;
  int64_t scratchBytes = 0;
};

} // namespace sinter::kern
