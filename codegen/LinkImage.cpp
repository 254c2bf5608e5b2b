// Links an object file to a shared object, with LLD in this process, and checks what the runtime relies on: one segment
// holds code and constants, its addresses are file offsets, and nothing is left to relocate or to import. Such a file
// runs wherever it is mapped, and is still an ELF file that disassemblers and profilers understand.

#include "codegen/LinkImage.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <mutex>

LLD_HAS_DRIVER(elf)

namespace sinter {

using llvm::object::ELF64LEFile;

// Nothing may be undefined, writable or padded to pages.
static constexpr const char *kFlags[] = {"ld.lld",          "-shared",           "-zdefs",         "-zrodynamic",
                                         "-znorelro",       "-znoseparate-code", "--no-rosegment", "--hash-style=sysv",
                                         "--build-id=none", "--strip-all"};

llvm::Error runElfLinker(llvm::ArrayRef<const char *> args, llvm::StringRef what) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  lld::Result result = lld::lldMain(args, stream, stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0)
    return llvm::createStringError("%s: linking failed: %s", what.str().c_str(),
                                   llvm::StringRef(messages).trim().str().c_str());
  return llvm::Error::success();
}

static llvm::Error linkKernels(llvm::StringRef input, llvm::StringRef output, llvm::StringRef script,
                               llvm::StringRef what) {
  std::string in = input.str(), out = output.str(), scriptArg = script.str();
  llvm::SmallVector<const char *> args(std::begin(kFlags), std::end(kFlags));
  args.append({"-T", scriptArg.c_str(), "-o", out.c_str(), in.c_str()});
  return runElfLinker(args, what);
}

// Constants go between the headers and the code; unwind tables go away.
static constexpr llvm::StringLiteral kScript =
    R"(PHDRS { image PT_LOAD FILEHDR PHDRS FLAGS(5); dynamic PT_DYNAMIC FLAGS(4); }
SECTIONS {
  . = SIZEOF_HEADERS;
  .dynsym : { *(.dynsym) } :image
  .hash : { *(.hash) } :image
  .dynstr : { *(.dynstr) } :image
  .dynamic : { *(.dynamic) } :image :dynamic
  .rodata : ALIGN(64) { *(.rodata .rodata.*) } :image
  .text : ALIGN(64) { *(.text .text.*) } :image
  /DISCARD/ : { *(.eh_frame) *(.comment) *(.note.*) *(.gnu.*) }
}
)";

static llvm::Error wrong(llvm::StringRef what, const llvm::Twine &found) {
  return llvm::createStringError("%s: the linked image %s", what.str().c_str(), found.str().c_str());
}

static llvm::Error check(const ELF64LEFile &file, llvm::StringRef what) {
  llvm::Expected<ELF64LEFile::Elf_Phdr_Range> segments = file.program_headers();
  if (!segments)
    return segments.takeError();
  int loaded = 0;
  for (const ELF64LEFile::Elf_Phdr &segment : *segments) {
    if (segment.p_type != llvm::ELF::PT_LOAD)
      continue;
    ++loaded;
    if (segment.p_offset != 0 || segment.p_vaddr != 0 || segment.p_filesz != segment.p_memsz)
      return wrong(what, "has a segment whose addresses are not its file offsets");
    if (segment.p_flags != (llvm::ELF::PF_R | llvm::ELF::PF_X))
      return wrong(what, "has a writable segment");
  }
  if (loaded != 1)
    return wrong(what, "has " + llvm::Twine(loaded) + " loaded segments, expected 1");
  llvm::Expected<ELF64LEFile::Elf_Shdr_Range> sections = file.sections();
  if (!sections)
    return sections.takeError();
  for (const ELF64LEFile::Elf_Shdr &section : *sections) {
    bool relocates = section.sh_type == llvm::ELF::SHT_REL || section.sh_type == llvm::ELF::SHT_RELA;
    if (relocates && section.sh_size)
      return wrong(what, "has relocations");
    if ((section.sh_flags & llvm::ELF::SHF_ALLOC) && section.sh_addr != section.sh_offset)
      return wrong(what, "has a section whose address is not its file offset");
    if ((section.sh_flags & llvm::ELF::SHF_WRITE) && section.sh_size)
      return wrong(what, "has writable data");
  }
  return llvm::Error::success();
}

static llvm::Error readEntries(const ELF64LEFile &file, llvm::StringRef what, llvm::StringMap<uint64_t> &entries) {
  llvm::Expected<ELF64LEFile::Elf_Shdr_Range> sections = file.sections();
  if (!sections)
    return sections.takeError();
  for (const ELF64LEFile::Elf_Shdr &section : *sections) {
    if (section.sh_type != llvm::ELF::SHT_DYNSYM)
      continue;
    llvm::Expected<ELF64LEFile::Elf_Sym_Range> symbols = file.symbols(&section);
    llvm::Expected<llvm::StringRef> names = file.getStringTableForSymtab(section);
    if (!symbols || !names)
      return llvm::joinErrors(symbols.takeError(), names.takeError());
    for (const ELF64LEFile::Elf_Sym &symbol : symbols->drop_front()) {
      llvm::Expected<llvm::StringRef> name = symbol.getName(*names);
      if (!name)
        return name.takeError();
      if (symbol.st_shndx == llvm::ELF::SHN_UNDEF)
        return wrong(what, "imports '" + *name + "'");
      if (symbol.getType() == llvm::ELF::STT_FUNC)
        entries[*name] = symbol.st_value;
    }
  }
  return llvm::Error::success();
}

llvm::Expected<LinkedImage> linkImage(llvm::ArrayRef<char> object, llvm::StringRef what) {
  // LLD works on files.
  llvm::SmallString<128> folder;
  if (std::error_code error = llvm::sys::fs::createUniqueDirectory("sinter-link", folder))
    return llvm::createStringError(error, "%s: cannot make a temporary folder", what.str().c_str());
  auto removal = llvm::scope_exit([&] { llvm::sys::fs::remove_directories(folder); });
  auto path = [&](llvm::StringRef name) {
    llvm::SmallString<128> result = folder;
    llvm::sys::path::append(result, name);
    return result;
  };
  llvm::SmallString<128> input = path("kernels.o"), script = path("kernels.ld"), output = path("kernels.so");
  for (auto [name, text] :
       {std::pair(input, llvm::StringRef(object.data(), object.size())), std::pair(script, llvm::StringRef(kScript))})
    if (llvm::Error error = llvm::writeToOutput(name, [text = text](llvm::raw_ostream &out) {
          out << text;
          return llvm::Error::success();
        }))
      return std::move(error);
  if (llvm::Error error = linkKernels(input, output, script, what))
    return std::move(error);

  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> linked = llvm::MemoryBuffer::getFile(output);
  if (!linked)
    return llvm::createStringError(linked.getError(), "%s: cannot read the linked image", what.str().c_str());
  llvm::StringRef bytes = (*linked)->getBuffer();
  llvm::Expected<ELF64LEFile> file = ELF64LEFile::create(bytes);
  if (!file)
    return file.takeError();
  LinkedImage image;
  image.bytes.assign(bytes.bytes_begin(), bytes.bytes_end());
  if (llvm::Error error = check(*file, what))
    return std::move(error);
  if (llvm::Error error = readEntries(*file, what, image.entries))
    return std::move(error);
  return image;
}

} // namespace sinter
