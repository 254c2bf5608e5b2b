// What a package may hold is checked in one place, the runtime's loader; a package for other machines only is in order
// too, and is what cross-compiled libraries are made of. The compiler writes code sections one after another, before
// the weights.

#include "link/InputPackage.h"

#include "runtime/package_layout.h"
#include "runtime/sinter.h"
#include "runtime/tokenizer/tokenizer_generated.h"

#include <algorithm>
#include <cstring>

namespace sinter {

llvm::Expected<InputPackage> InputPackage::open(const std::string &path) {
  sinter_model *model = nullptr;
  sinter_error error = {};
  sinter_status status = sinter_model_open(path.c_str(), nullptr, &model, &error);
  sinter_model_close(model);
  if (status != SINTER_OK && status != SINTER_ERROR_UNSUPPORTED)
    return llvm::createStringError(error.message);

  InputPackage package;
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> file =
      llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return llvm::createStringError(file.getError(), "%s: cannot be read", path.c_str());
  package.file = std::move(*file);
  PackageHeader header;
  if (package.file->getBufferSize() < sizeof(header))
    return llvm::createStringError("%s: changed while it was read", path.c_str());
  memcpy(&header, package.file->getBufferStart(), sizeof(header));
  package.root = package::GetManifest(package.file->getBufferStart() + header.manifestOffset);
  package.weightsStart = package.root->weights()->offset();
  package.codeStart = package.weightsStart;
  for (const package::Code *code : *package.root->codes())
    package.codeStart = std::min(package.codeStart, code->range()->offset());
  if (header.manifestOffset + header.manifestBytes > package.codeStart || package.codeStart == package.weightsStart ||
      (package.root->tokenizer() && package.root->tokenizer()->offset() > package.codeStart))
    return llvm::createStringError("%s: its sections are not in the order manifest, tokenizer, code, weights",
                                   path.c_str());
  // The loader leaves the tokenizer to those who use it; linkers look into it.
  const llvm::ArrayRef<uint8_t> tokenizer = package.tokenizer();
  flatbuffers::Verifier verifier(tokenizer.data(), tokenizer.size());
  if (!tokenizer.empty() && !tokens::VerifyTokenizerBuffer(verifier))
    return llvm::createStringError("%s: the tokenizer section is damaged: its tables do not verify", path.c_str());
  return package;
}

llvm::ArrayRef<uint8_t> InputPackage::bytes() const {
  return {reinterpret_cast<const uint8_t *>(file->getBufferStart()), file->getBufferSize()};
}
llvm::ArrayRef<uint8_t> InputPackage::head() const { return bytes().take_front(codeStart); }
llvm::ArrayRef<uint8_t> InputPackage::code() const { return bytes().slice(codeStart, weightsStart - codeStart); }
llvm::ArrayRef<uint8_t> InputPackage::weights() const { return bytes().drop_front(weightsStart); }
llvm::ArrayRef<uint8_t> InputPackage::tokenizer() const {
  const package::Range *range = root->tokenizer();
  return range && range->size() ? bytes().slice(range->offset(), range->size()) : llvm::ArrayRef<uint8_t>();
}

} // namespace sinter
