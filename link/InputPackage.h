// A package file as the linker sees it: checked, mapped, and cut in the pieces that sinter_model_open_parts takes.
#pragma once

#include "runtime/package_generated.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>

namespace sinter {

class InputPackage {
public:
  static llvm::Expected<InputPackage> open(const std::string &path);

  const package::Manifest &manifest() const { return *root; }
  llvm::ArrayRef<uint8_t> bytes() const; // all of it
  llvm::ArrayRef<uint8_t> head() const;  // header, manifest, tokenizer
  llvm::ArrayRef<uint8_t> code() const;  // all code sections
  llvm::ArrayRef<uint8_t> weights() const;
  llvm::ArrayRef<uint8_t> tokenizer() const; // empty: none

private:
  std::unique_ptr<llvm::MemoryBuffer> file;
  const package::Manifest *root = nullptr;
  uint64_t codeStart = 0, weightsStart = 0;
};

} // namespace sinter
