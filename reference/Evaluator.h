// The specification, executed: runs tx IR as it is with Eigen, in f32, op by op, without regard for speed beyond the
// obvious. Accepts the frontend's form and what the tx passes make of it.
#pragma once

#include "dialects/tx/ParamReader.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <Eigen/Core>
#include <map>
#include <memory>
#include <string>

namespace sinter {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>; // [tokens, columns]

class Evaluator {
public:
  // `module` must have @forward; it and `reader` outlive the evaluator.
  Evaluator(mlir::ModuleOp module, tx::ParamReader &reader);
  ~Evaluator();

  // Appends tokens and yields what @forward returns: a decoder's logits after each of them, [tokens, vocab]. `tap` (may be empty) is called with each
  // value whose op carries a `tap` attribute, in order.
  llvm::Expected<Rows> forward(llvm::ArrayRef<uint32_t> ids,
                               llvm::function_ref<void(llvm::StringRef, const Rows &)> tap = {});
  // The same for functions of two inputs of ids, such as an encoder's tokens and their types; as many of both.
  llvm::Expected<Rows> forward(llvm::ArrayRef<uint32_t> ids, llvm::ArrayRef<uint32_t> types,
                               llvm::function_ref<void(llvm::StringRef, const Rows &)> tap = {});
  // Forgets the sequence.
  void reset();

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace sinter
