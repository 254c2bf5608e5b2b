// Reads the bytes of tx.params from the model's files, as f32 rows. Files are opened once; every range is checked against
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
  // Thread-safe. Memory does not grow with the model.
  llvm::Error readRows(ParamOp param, int64_t begin, int64_t count, float *out);

  // Bytes [begin, begin + count) of the param as they are. Thread-safe.
  llvm::Error readBytes(ParamOp param, uint64_t begin, uint64_t count, uint8_t *out);

private:
  struct OpenFile;
  llvm::Expected<OpenFile *> open(llvm::StringRef path);
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<OpenFile>> files;
};

} // namespace sinter::tx
