// Short names for the scalar code that ops are made of. Values are of compute types (Tensor.h): f32, f64, integers, i1 and
// index; whether an integer has a sign is said where it matters.
#pragma once

#include "frontend/onnx/Tensor.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace sinter::onnx_import {

// A tensor inside of loops.
struct Mem {
  mlir::Value memref;
  ElemRef elem;
  mlir::SmallVector<mlir::Value> sizes; // index
};

class Code : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using Values = mlir::SmallVector<mlir::Value>;
  using mlir::ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  // -- Constants
  Value index(int64_t value);
  Value number(mlir::Type type, double value); // of any type but index
  Value like(Value x, double value) { return number(x.getType(), value); }
  Value f32(double value) { return number(getF32Type(), value); }
  Value i64(int64_t value);
  Value boolean(bool value);

  // -- Arithmetic on two values of one type, floats or integers (index included)
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value div(Value a, Value b, bool isUnsigned = false); // integers towards zero; the divisor 0 gives 0
  Value rem(Value a, Value b, bool isUnsigned = false); // the same
  Value min(Value a, Value b, bool isUnsigned = false); // NaN if one is
  Value max(Value a, Value b, bool isUnsigned = false);
  Value neg(Value a);
  Value abs(Value a, bool isUnsigned = false);
  // Comparisons give i1; those of floats are false for NaN, but `ne`.
  Value eq(Value a, Value b);
  Value ne(Value a, Value b);
  Value lt(Value a, Value b, bool isUnsigned = false);
  Value le(Value a, Value b, bool isUnsigned = false);
  Value both(Value a, Value b) { return mlir::arith::AndIOp::create(*this, a, b); }
  Value either(Value a, Value b) { return mlir::arith::OrIOp::create(*this, a, b); }
  Value invert(Value a);
  Value select(Value condition, Value a, Value b);
  Value clamp(Value x, Value low, Value high, bool isUnsigned = false) {
    return min(max(x, low, isUnsigned), high, isUnsigned);
  }
  Value floor(Value x);
  Value ceil(Value x);
  Value round(Value x); // half to even
  Value truncate(Value x);
  Value exp(Value x) { return mlir::math::ExpOp::create(*this, x); }
  Value log(Value x) { return mlir::math::LogOp::create(*this, x); }
  Value sqrt(Value x) { return mlir::math::SqrtOp::create(*this, x); }
  Value tanh(Value x) { return mlir::math::TanhOp::create(*this, x); }
  Value erf(Value x) { return mlir::math::ErfOp::create(*this, x); }
  Value sigmoid(Value x);

  // -- Conversions
  Value convert(Value x, ElemRef from, ElemRef to);        // between compute types, as Cast does
  Value toIndex(Value x, bool isUnsigned = false);         // of an integer
  Value fromIndex(Value x, mlir::Type type);               // to an integer or float
  Value fromStorage(Value x, ElemRef elem);
  Value toStorage(Value x, ElemRef elem);

  // -- Memory
  Value load(const Mem &memory, mlir::ValueRange at);
  void store(Value value, const Mem &memory, mlir::ValueRange at);
  // Element `at` of a flat index; sizes are the tensor's own.
  Value loadFlat(const Mem &memory, Value at);
  void storeFlat(Value value, const Mem &memory, Value at);
  // A tensor of integers as indices, from a tensor of any rank: element `at`.
  Value loadIndex(const Mem &memory, mlir::ValueRange at) {
    return toIndex(load(memory, at), memory.elem->isUnsigned());
  }
  // An index that counts from the end if it is negative, made to lie in [0, size).
  Value wrap(Value index, Value size);

  // -- Control flow
  Values loop(Value low, Value high, mlir::ValueRange carried,
              llvm::function_ref<Values(Value i, mlir::ValueRange carried)> body);
  void loop(Value low, Value high, llvm::function_ref<void(Value i)> body);
  // All indices of a space, in row-major order.
  Values loopNest(mlir::ValueRange sizes, mlir::ValueRange carried,
                  llvm::function_ref<Values(mlir::ValueRange at, mlir::ValueRange carried)> body);
  void loopNest(mlir::ValueRange sizes, llvm::function_ref<void(mlir::ValueRange at)> body);
  // The iterations that threads share; once per kernel.
  void parallel(mlir::ValueRange sizes, llvm::function_ref<void(mlir::ValueRange at)> body);
  void ifThen(Value condition, llvm::function_ref<void()> then);
  Value ifElse(mlir::Type type, Value condition, llvm::function_ref<Value()> then, llvm::function_ref<Value()> otherwise);

  // -- Index spaces
  Value product(mlir::ValueRange sizes);
  Value linearize(mlir::ValueRange at, mlir::ValueRange sizes);
  Values delinearize(Value flat, mlir::ValueRange sizes);
};

// Float arithmetic that may be reordered, so that reductions become vectors: of sums in loops.
mlir::Value addReordered(Code &code, mlir::Value a, mlir::Value b);

} // namespace sinter::onnx_import
