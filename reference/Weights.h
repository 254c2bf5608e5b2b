// The params of a module as f32, for the evaluator: kept if the model is small, streamed if not.
#pragma once

#include "reference/Evaluator.h"
#include "reference/Math.h"
#include "llvm/ADT/DenseMap.h"

namespace sinter::reference {

class Weights {
public:
  // Params that take up to this much as f32, all together, are converted once and kept. Beyond it every use converts
  // again, in blocks of kBlockBytes per thread, so that memory does not grow with the model.
  static constexpr uint64_t kKeepBytes = uint64_t(512) << 20;
  static constexpr int64_t kBlockBytes = int64_t(8) << 20;

  Weights(mlir::ModuleOp module, tx::ParamReader &reader, uint64_t keepBytes = kKeepBytes);

  llvm::Expected<Vector> vector(mlir::FlatSymbolRefAttr name);
  // out[i, :] = the param's row indices[i].
  llvm::Error gather(mlir::FlatSymbolRefAttr name, llvm::ArrayRef<uint32_t> indices, Rows &out);
  // out = input * param^T, [tokens, rows of the param].
  llvm::Error multiply(mlir::FlatSymbolRefAttr name, const Rows &input, Eigen::Ref<Rows, 0, Eigen::OuterStride<>> out);

private:
  llvm::Expected<tx::ParamOp> find(mlir::FlatSymbolRefAttr name);
  llvm::Expected<const Rows *> kept(tx::ParamOp param);

  mlir::ModuleOp module;
  tx::ParamReader &reader;
  bool keep;
  llvm::DenseMap<mlir::Operation *, std::unique_ptr<Rows>> cache;
};

} // namespace sinter::reference
