// A model as a library. The package's bytes become sections of an object: what comes before the code and the weights
// read-only, the code executable, each used where the linker puts it. Linked with the runtime into one object,
// everything public gets the model's prefix and everything else becomes local, so that any number of models, and of
// Sinter's versions, live in one program. Weights stay an object of their own: they are streamed, never held in memory.

#include "link/Kinds.h"

#include "codegen/LinkImage.h"
#include "link/DataObject.h"
#include "runtime/linked.h"
#include "runtime/package_layout.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cstddef>
#include <deque>

namespace sinter {

namespace fs = llvm::sys::fs;

namespace {

// The folder in which pieces are made, beside the output because they may be large.
struct WorkFolder {
  llvm::SmallString<256> path;
  ~WorkFolder() {
    if (!path.empty())
      fs::remove_directories(path);
  }
  std::string file(llvm::StringRef name) const { return (path + "/" + name).str(); }
};

} // namespace

// Whether the copy of the runtime in a library gives this function to programs. Those that open other packages stay in.
static bool isPublic(llvm::StringRef symbol) {
  return symbol.starts_with("sinter_") && !symbol.starts_with("sinter_model_open") &&
         (!symbol.starts_with("sinter_linked_") || symbol == "sinter_linked_open");
}

static std::string publicName(llvm::StringRef symbol, const std::string &prefix) {
  symbol.consume_front("sinter_linked_") || symbol.consume_front("sinter_");
  return prefix + "_" + symbol.str();
}

static llvm::Error writeObject(const std::string &path, const ElfKind &kind, llvm::ArrayRef<DataSection> sections) {
  llvm::Expected<PackageWriter> file = PackageWriter::create(path);
  if (!file)
    return file.takeError();
  if (llvm::Error error = writeDataObject(*file, kind, sections))
    return error;
  return file->finish();
}

// Renames what is public and hides the rest of a relocatable object.
static llvm::Error givePrefix(const std::string &path, const std::string &prefix) {
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> file = llvm::MemoryBuffer::getFile(path);
  if (!file)
    return llvm::createStringError(file.getError(), "%s: cannot be read", path.c_str());
  llvm::Expected<std::unique_ptr<llvm::object::ObjectFile>> object =
      llvm::object::ObjectFile::createELFObjectFile((*file)->getMemBufferRef());
  if (!object)
    return object.takeError();
  llvm::objcopy::ConfigManager config;
  config.Common.InputFilename = config.Common.OutputFilename = path;
  std::deque<std::string> names; // the renaming refers to them
  auto ignore = [](llvm::Error error) { return error; };
  for (const llvm::object::SymbolRef &symbol : (*object)->symbols()) {
    llvm::Expected<llvm::StringRef> name = symbol.getName();
    llvm::Expected<uint32_t> flags = symbol.getFlags();
    if (!name || !flags)
      return llvm::joinErrors(name.takeError(), flags.takeError());
    const bool undefined = *flags & llvm::object::SymbolRef::SF_Undefined;
    if (!(*flags & llvm::object::SymbolRef::SF_Global) || !name->starts_with("sinter_") ||
        !(undefined || isPublic(*name)))
      continue;
    names.push_back(publicName(*name, prefix));
    config.Common.SymbolsToRename[*name] = names.back();
    if (llvm::Error error = config.Common.SymbolsToKeepGlobal.addMatcher(
            llvm::objcopy::NameOrPattern::create(*name, llvm::objcopy::MatchStyle::Literal, ignore)))
      return error;
  }
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  if (llvm::Error error = llvm::objcopy::executeObjcopyOnBinary(config, **object, stream))
    return error;
  return writeFile(path, llvm::StringRef(bytes.data(), bytes.size()));
}

static llvm::Error writeArchive(const LinkOptions &options, llvm::ArrayRef<std::pair<std::string, std::string>> files) {
  std::vector<llvm::NewArchiveMember> members;
  for (const auto &[path, name] : files) {
    llvm::Expected<llvm::NewArchiveMember> member = llvm::NewArchiveMember::getFile(path, /*Deterministic=*/true);
    if (!member)
      return member.takeError();
    member->MemberName = name;
    members.push_back(std::move(*member));
  }
  return llvm::writeArchive(options.output, members, llvm::SymtabWritingMode::NormalSymtab,
                            llvm::object::Archive::K_GNU, /*Deterministic=*/true, /*Thin=*/false);
}

// Where the C library that a shared library needs is found: by its file, so that nothing of a compiler is needed.
static llvm::Expected<std::string> findLibc(const LinkOptions &options) {
  const std::string platform = llvm::sys::path::filename(options.platformDirectory).str();
  for (const std::string &folder :
       {options.sysroot + "/lib/" + platform, options.sysroot + "/usr/lib/" + platform,
        options.sysroot + "/usr/" + platform + "/lib", options.sysroot + "/lib64", options.sysroot + "/lib"})
    if (fs::exists(folder + "/libc.so.6"))
      return folder + "/libc.so.6";
  return llvm::createStringError("there is no libc.so.6 for " + platform + (options.sysroot.empty() ? "" : " in ") +
                                 options.sysroot + ": name the system's root folder with --sysroot");
}

static llvm::Error linkShared(const LinkOptions &options, const WorkFolder &work, llvm::ArrayRef<std::string> objects) {
  llvm::Expected<std::string> libc = findLibc(options);
  if (!libc)
    return libc.takeError();
  const std::string script = work.file("exports.map"), name = llvm::sys::path::filename(options.output).str(),
                    output = work.file("library.so");
  if (llvm::Error error = writeFile(script, "{ global: " + options.prefix + "_*; local: *; };\n"))
    return error;
  std::vector<const char *> args = {
      "ld.lld",      "-shared",          "--gc-sections",    "-zdefs",        "-znow",
      "-zrelro",     "--hash-style=gnu", "--build-id=none",  "-znoexecstack", "--strip-all",
      "-soname",     name.c_str(),       "--version-script", script.c_str(),  "-o",
      output.c_str()};
  for (const std::string &object : objects)
    args.push_back(object.c_str());
  args.push_back(libc->c_str());
  if (llvm::Error error = runElfLinker(args, options.output))
    return error;
  if (std::error_code error = fs::rename(output, options.output))
    return llvm::createStringError(error, "%s: cannot be written", options.output.c_str());
  return llvm::Error::success();
}

// Weights beside a library: a header of their own, then the section as it is.
static llvm::Error writeWeightsFile(const std::string &path, const InputPackage &package) {
  PackageHeader header = {};
  memcpy(header.magic, kWeightsMagic, sizeof(header.magic));
  header.version = kPackageVersion;
  header.headerBytes = sizeof(header);
  header.fileBytes = kSectionAlignment + package.weights().size();
  header.manifestOffset = kSectionAlignment;
  header.manifestBytes = package.weights().size();
  header.manifestChecksum = package.manifest().weights_checksum();
  header.headerChecksum = checksum64(&header, offsetof(PackageHeader, headerChecksum));
  llvm::Expected<PackageWriter> file = PackageWriter::create(path);
  if (!file)
    return file.takeError();
  if (llvm::Error error =
          file->write(llvm::ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(&header), sizeof(header))))
    return error;
  if (llvm::Error error = file->padTo(kSectionAlignment))
    return error;
  if (llvm::Error error = file->write(package.weights()))
    return error;
  return file->finish();
}

static llvm::Error linkObjects(const LinkOptions &options, const InputPackage &package, const WorkFolder &work) {
  const std::string runtime = options.platformDirectory + "/sinter_runtime.o",
                    opening = options.platformDirectory +
                              (options.weightsInFile ? "/sinter_linked_file.o" : "/sinter_linked.o"),
                    parts = work.file("parts.o"), weights = work.file("weights.o"), model = work.file("model.o");
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> runtimeFile = llvm::MemoryBuffer::getFile(runtime);
  if (!runtimeFile)
    return llvm::createStringError(runtimeFile.getError(), "%s: cannot be read", runtime.c_str());
  llvm::Expected<ElfKind> kind = readElfKind((*runtimeFile)->getBuffer(), runtime);
  if (!kind)
    return kind.takeError();

  sinter_linked_facts_record facts = {package.head().size(), package.code().size(), package.weights().size(), {}};
  const llvm::StringRef name = llvm::StringRef(options.prefix).take_front(sizeof(facts.name) - 1);
  memcpy(facts.name, name.data(), name.size());
  const std::string end = "." + options.prefix;
  // Code of 64-bit ARM reaches its constants by pages (adrp), so that it has to start at one.
  const uint64_t codeAlignment = kind->machine == llvm::ELF::EM_AARCH64 ? kSectionAlignment : 64;
  if (llvm::Error error = writeObject(
          parts, *kind,
          {{".rodata" + end, false, 64, package.head(), "sinter_linked_head"},
           {".rodata" + end + ".facts", false, 8,
            llvm::ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(&facts), sizeof(facts)), "sinter_linked_facts"},
           {".text" + end, true, codeAlignment, package.code(), "sinter_linked_code"}}))
    return error;
  const char *args[] = {"ld.lld",        "-r",         "--force-group-allocation", "-o", model.c_str(), opening.c_str(),
                        runtime.c_str(), parts.c_str()};
  if (llvm::Error error = runElfLinker(args, options.output))
    return error;
  if (llvm::Error error = givePrefix(model, options.prefix))
    return error;
  std::vector<std::pair<std::string, std::string>> members = {{model, options.prefix + ".o"}};
  if (!options.weightsInFile) {
    if (llvm::Error error =
            writeObject(weights, *kind,
                        {{".rodata" + end + ".weights", false, 64, package.weights(), options.prefix + "_weights"}}))
      return error;
    members.push_back({weights, options.prefix + "_weights.o"});
  }
  if (options.kind == OutputKind::staticLibrary)
    return writeArchive(options, members);
  std::vector<std::string> objects;
  for (const auto &[path, member] : members)
    objects.push_back(path);
  return linkShared(options, work, objects);
}

llvm::Error linkLibrary(const LinkOptions &options, const InputPackage &package, LinkedFiles &files) {
  llvm::Expected<uint16_t> machine = platformMachine(options.platformDirectory);
  if (!machine)
    return machine.takeError();
  WorkFolder work;
  work.path = temporaryFolder(options.output);
  if (std::error_code error = fs::create_directory(work.path, /*IgnoreExisting=*/false))
    return llvm::createStringError(error, "%s: cannot be written", options.output.c_str());
  llvm::SmallString<256> folder(options.output);
  llvm::sys::path::remove_filename(folder);
  auto beside = [&](const char *ending) {
    llvm::SmallString<256> path = folder;
    llvm::sys::path::append(path, options.prefix + ending);
    return path.str().str();
  };
  files.header = beside(".h");
  files.cppHeader = beside(".hpp");
  if (options.weightsInFile)
    files.weights = beside(".weights");
  // The library comes last: where it is new, so is everything that belongs to it.
  llvm::Expected<std::string> header = libraryHeader(options, package);
  if (!header)
    return header.takeError();
  if (llvm::Error error = writeFile(files.header, *header))
    return error;
  if (llvm::Error error = writeFile(files.cppHeader, libraryCppHeader(options)))
    return error;
  if (options.weightsInFile)
    if (llvm::Error error = writeWeightsFile(files.weights, package))
      return error;
  return linkObjects(options, package, work);
}

llvm::Expected<LinkedFiles> linkPackage(const LinkOptions &options) {
  llvm::Expected<InputPackage> package = InputPackage::open(options.package);
  if (!package)
    return package.takeError();
  LinkedFiles files;
  llvm::Error error = options.kind == OutputKind::executable ? linkExecutable(options, *package, files)
                                                             : linkLibrary(options, *package, files);
  if (error)
    return std::move(error);
  return files;
}

} // namespace sinter
