// A self-contained executable: a prebuilt program, and behind it the package, at a multiple of a page so that the
// program maps it from its own file as it would map a package. The program's record of where that is is filled in;
// nothing else is linked or changed, so this works for every platform and costs one copy of the file.

#include "link/Kinds.h"

#include "codegen/PackageWriter.h"
#include "runtime/tokenizer/tokenizer_generated.h"
#include "tools/standalone/PackagePlace.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstddef>
#include <cstring>
#include <sys/stat.h>

namespace sinter {

// Whether the tokenizer has steps that Unicode's tables are needed for.
static bool needsUnicode(llvm::ArrayRef<uint8_t> section) {
  if (section.empty())
    return false;
  const tokens::Tokenizer &tokenizer = *tokens::GetTokenizer(section.data());
  for (const auto *steps : {tokenizer.normalizer(), tokenizer.pre_tokenizer()})
    for (const tokens::Step *step : *steps)
      if (step->kind() != tokens::StepKind::prepend && step->kind() != tokens::StepKind::prepend_missing &&
          step->kind() != tokens::StepKind::replace && step->kind() != tokens::StepKind::strip &&
          step->kind() != tokens::StepKind::split && step->kind() != tokens::StepKind::bytes)
        return true;
  return false;
}

static llvm::Expected<size_t> findPlace(llvm::StringRef program, const std::string &path) {
  const llvm::StringRef magic(kPlaceMagic, sizeof(kPlaceMagic));
  size_t place = program.find(magic);
  if (place == llvm::StringRef::npos || program.size() - place < sizeof(PackagePlace) ||
      program.find(magic, place + 1) != llvm::StringRef::npos)
    return llvm::createStringError("%s: not a program that a package can be put behind", path.c_str());
  return place;
}

llvm::Error linkExecutable(const LinkOptions &options, const InputPackage &package, LinkedFiles &) {
  if (package.manifest().program())
    return llvm::createStringError(options.package + ": a program with named inputs cannot be an executable; make a "
                                                     "package or a library of it");
  std::string path = options.platformDirectory + "/program" + (needsUnicode(package.tokenizer()) ? "-unicode" : "") +
                     (options.staticProgram ? "-static" : "");
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> file = llvm::MemoryBuffer::getFile(path);
  if (!file)
    return llvm::createStringError(file.getError(), "%s: cannot be read; there are no executables for this platform",
                                   path.c_str());
  std::vector<uint8_t> program((*file)->getBuffer().bytes_begin(), (*file)->getBuffer().bytes_end());
  llvm::Expected<size_t> at = findPlace((*file)->getBuffer(), path);
  if (!at)
    return at.takeError();
  PackagePlace place;
  memcpy(place.magic, kPlaceMagic, sizeof(kPlaceMagic));
  place.offset = llvm::alignTo(program.size(), kSectionAlignment);
  place.size = package.bytes().size();
  const package::Encoder *encoder = package.manifest().encoder();
  place.task = !encoder ? kContinue : encoder->task() == package::Task::embed ? kEmbed : kClassify;
  memcpy(program.data() + *at, &place, sizeof(place));

  llvm::Expected<PackageWriter> output = PackageWriter::create(options.output, /*executable=*/true);
  if (!output)
    return output.takeError();
  if (llvm::Error error = output->write(program))
    return error;
  if (llvm::Error error = output->padTo(place.offset))
    return error;
  if (llvm::Error error = output->write(package.bytes()))
    return error;
  return output->finish();
}

} // namespace sinter
