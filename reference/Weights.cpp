// Small models (their params as f32 within kKeepBytes) are converted once. Larger ones are streamed: a product takes
// its param in blocks of rows, one block per thread at a time. Either way a block of output columns is one Eigen
// product, so the result does not depend on the number of threads.

#include "reference/Weights.h"

#include "llvm/Support/Parallel.h"

#include <mutex>

using namespace llvm;

namespace sinter::reference {

static int64_t paramRows(tx::ParamOp param) {
  return param.getTensorType().getRank() == 2 ? param.getTensorType().getDimSize(0) : 1;
}
static int64_t paramColumns(tx::ParamOp param) { return param.getTensorType().getShape().back(); }

Weights::Weights(mlir::ModuleOp module, tx::ParamReader &reader, uint64_t keepBytes) : module(module), reader(reader) {
  uint64_t bytes = 0;
  for (tx::ParamOp param : module.getOps<tx::ParamOp>())
    bytes += uint64_t(param.getTensorType().getNumElements()) * sizeof(float);
  keep = bytes <= keepBytes;
}

Expected<tx::ParamOp> Weights::find(mlir::FlatSymbolRefAttr name) {
  if (tx::ParamOp param = module.lookupSymbol<tx::ParamOp>(name.getAttr()))
    return param;
  return createStringError("reference: there is no tx.param @" + name.getValue());
}

Expected<const Rows *> Weights::kept(tx::ParamOp param) {
  std::unique_ptr<Rows> &slot = cache[param];
  if (!slot) {
    std::unique_ptr<Rows> rows = std::make_unique<Rows>(paramRows(param), paramColumns(param));
    if (Error error = reader.readRows(param, 0, rows->rows(), rows->data()))
      return std::move(error);
    slot = std::move(rows);
  }
  return slot.get();
}

Expected<Vector> Weights::vector(mlir::FlatSymbolRefAttr name) {
  Expected<tx::ParamOp> param = find(name);
  if (!param)
    return param.takeError();
  Vector result(paramColumns(*param));
  if (Error error = reader.readRows(*param, 0, 1, result.data()))
    return std::move(error);
  return result;
}

Error Weights::gather(mlir::FlatSymbolRefAttr name, ArrayRef<uint32_t> indices, Rows &out) {
  Expected<tx::ParamOp> param = find(name);
  if (!param)
    return param.takeError();
  out.resize(indices.size(), paramColumns(*param));
  for (auto [t, index] : llvm::enumerate(indices)) {
    if (int64_t(index) >= paramRows(*param))
      return createStringError("reference: id " + Twine(index) + " is past the " + Twine(paramRows(*param)) +
                               " rows of @" + name.getValue());
    if (Error error = reader.readRows(*param, index, 1, out.row(t).data()))
      return error;
  }
  return Error::success();
}

Error Weights::multiply(mlir::FlatSymbolRefAttr name, const Rows &input,
                        Eigen::Ref<Rows, 0, Eigen::OuterStride<>> out) {
  Expected<tx::ParamOp> param = find(name);
  if (!param)
    return param.takeError();
  const int64_t rows = paramRows(*param), columns = paramColumns(*param);
  const Rows *whole = nullptr;
  if (keep) {
    Expected<const Rows *> found = kept(*param);
    if (!found)
      return found.takeError();
    whole = *found;
  }
  const int64_t blockRows =
      std::max<int64_t>(1, std::min<int64_t>(kBlockBytes / int64_t(sizeof(float)) / columns, 512));
  std::mutex mutex;
  Error failure = Error::success();
  parallelFor(0, (rows + blockRows - 1) / blockRows, [&](size_t block) {
    const int64_t begin = int64_t(block) * blockRows, count = std::min(blockRows, rows - begin);
    if (whole) {
      out.middleCols(begin, count).noalias() = input * whole->middleRows(begin, count).transpose();
      return;
    }
    Rows part(count, columns);
    if (Error error = reader.readRows(*param, begin, count, part.data())) {
      std::lock_guard<std::mutex> lock(mutex);
      failure = joinErrors(std::move(failure), std::move(error));
      return;
    }
    out.middleCols(begin, count).noalias() = input * part.transpose();
  });
  return failure;
}

} // namespace sinter::reference
