// Ops of tx on rows, inside of a program, as dispatches of the kernels that decoders and encoders have.
#pragma once

#include "passes/ScheduleSymbols.h"

#include "dialects/tx/Tx.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/SetVector.h"

#include <functional>

namespace sinter {

class RowDispatches {
public:
  // `buffer` says where a value lies; what it returns has room for the most rows.
  RowDispatches(mlir::ImplicitLocOpBuilder &b, ScheduleSymbols &symbols, std::function<mlir::Value(mlir::Value)> buffer)
      : b(b), symbols(symbols), buffer(std::move(buffer)) {}

  static bool handles(mlir::Operation *op);
  mlir::LogicalResult form(mlir::Operation *op);

  // Numbers of rows that depend on run-time dimensions: element n of the `rows` buffer is the n-th.
  llvm::SetVector<mlir::Value> counts;

private:
  mlir::LogicalResult form(tx::NormOp op);
  mlir::LogicalResult form(tx::LinearOp op);
  mlir::LogicalResult form(tx::AttentionOp op);
  mlir::LogicalResult form(tx::SliceOp op);

  mlir::Value matrix(mlir::ArrayAttr params, bool interleave);
  mlir::Value vector(mlir::ArrayAttr params, int64_t add, bool interleave);
  mlir::Value ref(mlir::FlatSymbolRefAttr symbol, mlir::Type element);
  mlir::Value alloc(mlir::Type element, int64_t rows, int64_t columns);
  void addNorm(mlir::SmallVectorImpl<mlir::Value> &bindings, tx::NormAttr norm);
  mlir::SmallVector<mlir::Value> codes(mlir::Value rows, mlir::StringAttr format);
  mlir::SmallVector<mlir::Value> prepared(mlir::Value input, tx::NormAttr norm, llvm::StringRef format);
  llvm::StringRef formatOf(tx::LinearOp op);
  int64_t count(mlir::OpFoldResult number);
  void dispatch(mlir::Value like, kern::SpecInterface spec, mlir::ValueRange bindings, int64_t units, int64_t rowsPerUnit);

  mlir::ImplicitLocOpBuilder &b;
  ScheduleSymbols &symbols;
  std::function<mlir::Value(mlir::Value)> buffer;
  llvm::DenseMap<mlir::Attribute, mlir::Value> refs;
  llvm::DenseMap<std::pair<mlir::Value, mlir::Attribute>, mlir::SmallVector<mlir::Value>> quantized;
};

} // namespace sinter
