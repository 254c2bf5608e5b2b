// A relocatable object of nothing but data: ELF header, the sections' bytes, symbols, names, section headers. Written
// by hand because LLVM's object streamers hold all of an object in memory, and weights are larger than that. There are
// no relocations, so the same code serves every machine.

#include "link/DataObject.h"

#include "llvm/Object/ELFTypes.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

namespace sinter {

namespace {

// Strings behind one another, each ended by 0; the empty one is at 0.
struct StringTable {
  std::string bytes = std::string(1, 0);
  uint32_t add(llvm::StringRef text) {
    uint32_t at = uint32_t(bytes.size());
    bytes += text.str() + '\0';
    return at;
  }
};

template <class T> llvm::ArrayRef<uint8_t> bytesOf(llvm::ArrayRef<T> values) {
  return {reinterpret_cast<const uint8_t *>(values.data()), values.size() * sizeof(T)};
}

template <class ELFT> class ObjectWriter {
public:
  ObjectWriter(PackageWriter &file, const ElfKind &kind) : file(file), kind(kind), start(file.position()) {}

  llvm::Error write(llvm::ArrayRef<DataSection> sections) {
    headers.resize(1);
    uint64_t end = sizeof(Ehdr);
    std::vector<Sym> symbols(1);
    memset(&symbols[0], 0, sizeof(Sym));
    memset(&headers[0], 0, sizeof(Shdr));
    for (const DataSection &section : sections) {
      Shdr header = makeHeader(section.name, llvm::ELF::SHT_PROGBITS, section.bytes.size(), section.alignment, end);
      header.sh_flags = llvm::ELF::SHF_ALLOC | (section.executable ? llvm::ELF::SHF_EXECINSTR : 0);
      Sym symbol;
      memset(&symbol, 0, sizeof(symbol));
      symbol.st_name = strings.add(section.symbol);
      symbol.setBindingAndType(llvm::ELF::STB_GLOBAL, llvm::ELF::STT_OBJECT);
      symbol.setVisibility(llvm::ELF::STV_HIDDEN);
      symbol.st_shndx = uint16_t(headers.size());
      symbol.st_size = section.bytes.size();
      symbols.push_back(symbol);
      headers.push_back(header);
    }
    // Tells linkers that nothing here wants an executable stack.
    headers.push_back(makeHeader(".note.GNU-stack", llvm::ELF::SHT_PROGBITS, 0, 1, end));
    Shdr table = makeHeader(".symtab", llvm::ELF::SHT_SYMTAB, symbols.size() * sizeof(Sym), 8, end);
    table.sh_link = uint32_t(headers.size() + 1);
    table.sh_info = 1; // the first that is not local
    table.sh_entsize = sizeof(Sym);
    headers.push_back(table);
    headers.push_back(makeHeader(".strtab", llvm::ELF::SHT_STRTAB, strings.bytes.size(), 1, end));
    Shdr own = makeHeader(".shstrtab", llvm::ELF::SHT_STRTAB, 0, 1, end); // its name is the last one added
    own.sh_size = names.bytes.size();
    end += names.bytes.size();
    headers.push_back(own);

    if (llvm::Error error = file.write(bytesOf(llvm::ArrayRef<Ehdr>(makeElfHeader(llvm::alignTo(end, 8))))))
      return error;
    for (size_t i = 0; i < sections.size(); ++i)
      if (llvm::Error error = place(headers[i + 1].sh_offset, sections[i].bytes))
        return error;
    const size_t tail = sections.size() + 2; // behind the null and the note
    if (llvm::Error error = place(headers[tail].sh_offset, bytesOf(llvm::ArrayRef<Sym>(symbols))))
      return error;
    if (llvm::Error error = place(headers[tail + 1].sh_offset, text(strings)))
      return error;
    if (llvm::Error error = place(headers[tail + 2].sh_offset, text(names)))
      return error;
    return place(llvm::alignTo(end, 8), bytesOf(llvm::ArrayRef<Shdr>(headers)));
  }

private:
  using Ehdr = typename ELFT::Ehdr;
  using Shdr = typename ELFT::Shdr;
  using Sym = typename ELFT::Sym;

  static llvm::ArrayRef<uint8_t> text(const StringTable &table) {
    return {reinterpret_cast<const uint8_t *>(table.bytes.data()), table.bytes.size()};
  }

  Shdr makeHeader(llvm::StringRef name, uint32_t type, uint64_t size, uint64_t alignment, uint64_t &end) {
    Shdr header;
    memset(&header, 0, sizeof(header));
    header.sh_name = names.add(name);
    header.sh_type = type;
    header.sh_addralign = alignment;
    end = llvm::alignTo(end, alignment);
    header.sh_offset = end;
    header.sh_size = size;
    end += size;
    return header;
  }

  Ehdr makeElfHeader(uint64_t sectionHeaders) const {
    Ehdr header;
    memset(&header, 0, sizeof(header));
    memcpy(header.e_ident, llvm::ELF::ElfMagic, 4);
    header.e_ident[llvm::ELF::EI_CLASS] = ELFT::Is64Bits ? llvm::ELF::ELFCLASS64 : llvm::ELF::ELFCLASS32;
    header.e_ident[llvm::ELF::EI_DATA] = llvm::ELF::ELFDATA2LSB;
    header.e_ident[llvm::ELF::EI_VERSION] = llvm::ELF::EV_CURRENT;
    header.e_type = llvm::ELF::ET_REL;
    header.e_machine = kind.machine;
    header.e_version = llvm::ELF::EV_CURRENT;
    header.e_flags = kind.flags;
    header.e_ehsize = sizeof(Ehdr);
    header.e_shoff = sectionHeaders;
    header.e_shentsize = sizeof(Shdr);
    header.e_shnum = uint16_t(headers.size());
    header.e_shstrndx = uint16_t(headers.size() - 1);
    return header;
  }

  llvm::Error place(uint64_t offset, llvm::ArrayRef<uint8_t> bytes) {
    if (llvm::Error error = file.padTo(start + offset))
      return error;
    return file.write(bytes);
  }

  PackageWriter &file;
  const ElfKind &kind;
  const uint64_t start;
  std::vector<Shdr> headers;
  StringTable names, strings;
};

} // namespace

llvm::Expected<ElfKind> readElfKind(llvm::StringRef object, const std::string &path) {
  using Header64 = llvm::object::ELF64LE::Ehdr;
  using Header32 = llvm::object::ELF32LE::Ehdr;
  if (object.size() < sizeof(Header64) || !object.starts_with(llvm::ELF::ElfMagic) ||
      object[llvm::ELF::EI_DATA] != llvm::ELF::ELFDATA2LSB)
    return llvm::createStringError("%s: not a little-endian ELF object", path.c_str());
  if (object[llvm::ELF::EI_CLASS] == llvm::ELF::ELFCLASS64) {
    const auto *header = reinterpret_cast<const Header64 *>(object.data());
    return ElfKind{true, header->e_machine, header->e_flags};
  }
  const auto *header = reinterpret_cast<const Header32 *>(object.data());
  return ElfKind{false, header->e_machine, header->e_flags};
}

llvm::Error writeDataObject(PackageWriter &file, const ElfKind &kind, llvm::ArrayRef<DataSection> sections) {
  if (kind.is64)
    return ObjectWriter<llvm::object::ELF64LE>(file, kind).write(sections);
  return ObjectWriter<llvm::object::ELF32LE>(file, kind).write(sections);
}

} // namespace sinter
