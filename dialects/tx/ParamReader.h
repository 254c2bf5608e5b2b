// Reads the bytes of tx.params from the model's files, as f32 rows. Files are mapped once; every range is checked against
// the file before use.
#pragma once

#include "dialects/tx/Tx.h"
#include "llvm/Support/Error.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace sinter::tx {

class ParamReader {
public:
  ParamReader();
  ~ParamReader();

  // Converts rows [begin, begin + count) of the param (a vector is one row) to f32 into out[count * columns].
  // Thread-safe. The pages read are dropped again, so that peak memory does not grow with the model.
  llvm::Error readRows(ParamOp param, int64_t begin, int64_t count, float *out);

private:
  struct MappedFile;
  llvm::Expected<MappedFile *> open(llvm::StringRef path);
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<MappedFile>> files;
};

} // namespace sinter::tx
