// From options to an output of any kind. The package is made first, under a temporary name, whatever becomes of it: so
// there is one way of compiling, and what is linked was checked by the runtime's loader.

#include "tools/LinkOutput.h"

#include "codegen/PackageWriter.h"
#include "codegen/targets/Target.h"
#include "link/Link.h"
#include "runtime/package_layout.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"
#include "llvm/TargetParser/Triple.h"

#include <unistd.h>

namespace sinter {

static bool isPackage(const std::string &path) {
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> start =
      llvm::MemoryBuffer::getFileSlice(path, sizeof(kPackageMagic), 0);
  return start && (*start)->getBuffer() == llvm::StringRef(kPackageMagic, sizeof(kPackageMagic));
}

static uint16_t elfMachine(const Target &target) {
  switch (llvm::Triple(target.triple).getArch()) {
  case llvm::Triple::x86_64:
    return llvm::ELF::EM_X86_64;
  case llvm::Triple::aarch64:
    return llvm::ELF::EM_AARCH64;
  case llvm::Triple::arm:
  case llvm::Triple::thumb:
    return llvm::ELF::EM_ARM;
  default:
    return llvm::ELF::EM_NONE;
  }
}

// "host", the default, and "all" mean all of the platform's machine; what is named must be for it.
static llvm::Expected<std::string> targetsFor(const CompileOptions &options, uint16_t machine) {
  std::vector<const Target *> chosen;
  std::string problem, names;
  const bool all = options.targets == "all" || options.targets == "host";
  if (!parseTargets(all ? "all" : options.targets, chosen, problem))
    return llvm::createStringError(problem);
  for (const Target *target : chosen) {
    if (elfMachine(*target) == machine)
      names += (names.empty() ? "" : ",") + target->name.str();
    else if (!all)
      return llvm::createStringError("target " + target->name.str() + " is not for " + options.platform);
  }
  if (names.empty())
    return llvm::createStringError("there is no target for " + options.platform);
  return names;
}

// Options for the package that the output is made of.
static llvm::Expected<CompileOptions> packageOptions(const CompileOptions &options, const LinkOptions &link) {
  llvm::Expected<uint16_t> machine = platformMachine(link.platformDirectory);
  if (!machine)
    return machine.takeError();
  llvm::Expected<std::string> targets = targetsFor(options, *machine);
  if (!targets)
    return targets.takeError();
  CompileOptions result = options;
  result.targets = *targets;
  result.output = temporaryPackage(options.output);
  result.yardsticks = false; // nobody benchmarks them, and their code is 3 KB for each target
  return result;
}

static llvm::Error link(const CompileOptions &options, LinkOptions &how, CompileReport &report) {
  llvm::Expected<LinkedFiles> files = linkPackage(how);
  if (!files)
    return files.takeError();
  for (const std::string &file : {files->header, files->cppHeader, files->weights})
    if (!file.empty())
      report.furtherFiles.push_back(file);
  uint64_t size = 0;
  if (!llvm::sys::fs::file_size(options.output, size))
    report.outputBytes = size;
  return llvm::Error::success();
}

static llvm::Error run(const CompileOptions &options, Progress &progress, CompileReport &report) {
  LinkOptions how = {};
  how.kind = llvm::StringSwitch<OutputKind>(options.outputKind)
                 .Case("exe", OutputKind::executable)
                 .Case("static", OutputKind::staticLibrary)
                 .Default(OutputKind::sharedLibrary);
  how.output = options.output;
  how.platformDirectory = platformsDirectory() + "/" + options.platform;
  how.sysroot = options.sysroot;
  how.weightsInFile = options.weightsInFile;
  how.staticProgram = options.staticProgram;
  how.prefix = options.symbolPrefix;
  if (how.prefix.empty()) {
    llvm::StringRef stem = llvm::sys::path::stem(options.output);
    if (how.kind != OutputKind::executable)
      stem.consume_front("lib");
    how.prefix = prefixFor(stem);
  }
  removeStaleTemporaries(options.output);
  if (isPackage(options.model)) {
    how.package = options.model;
    progress.stage("link");
    return link(options, how, report);
  }
  llvm::Expected<CompileOptions> inner = packageOptions(options, how);
  if (!inner)
    return inner.takeError();
  how.package = inner->output;
  llvm::sys::RemoveFileOnSignal(inner->output);
  std::string problem;
  llvm::Error error = llvm::Error::success();
  if (!compile(*inner, progress, report, problem))
    error = llvm::joinErrors(std::move(error), llvm::createStringError(problem));
  if (!error) {
    progress.stage("link");
    error = link(options, how, report);
  }
  unlink(inner->output.c_str());
  llvm::sys::DontRemoveFileOnSignal(inner->output);
  return error;
}

// Makefile syntax: blanks and # are escaped by \, $ by itself.
static std::string escaped(llvm::StringRef path) {
  std::string result;
  for (char c : path) {
    if (c == ' ' || c == '#')
      result += '\\';
    if (c == '$')
      result += '$';
    result += c;
  }
  return result;
}

// Everything in the model's directory counts: a file that appears (shards, a tokenizer) changes what is compiled.
static llvm::Error writeDepfile(const CompileOptions &options) {
  std::vector<std::string> inputs;
  if (llvm::sys::fs::is_directory(options.model)) {
    std::error_code error;
    for (llvm::sys::fs::directory_iterator entry(options.model, error), end; !error && entry != end;
         entry.increment(error))
      if (llvm::sys::fs::is_regular_file(entry->path()))
        inputs.push_back(entry->path());
    if (error)
      return llvm::createStringError(error, "%s: cannot be listed", options.model.c_str());
    llvm::sort(inputs);
  }
  inputs.push_back(options.model);
  std::string text = escaped(options.output) + ":";
  for (const std::string &input : inputs)
    text += " \\\n  " + escaped(input);
  text += "\n";
  return writeFile(options.depfile, text);
}

bool compileAndLink(const CompileOptions &options, Progress &progress, CompileReport &report, std::string &error) {
  llvm::Error failure = llvm::Error::success();
  if (options.outputKind == "package" || !options.emit.empty() || options.output.empty()) {
    if (!compile(options, progress, report, error))
      failure = llvm::joinErrors(std::move(failure), llvm::createStringError(error));
  } else {
    failure = llvm::joinErrors(std::move(failure), run(options, progress, report));
  }
  if (!failure && !options.depfile.empty())
    failure = writeDepfile(options);
  if (!failure)
    return true;
  error = llvm::toString(std::move(failure));
  return false;
}

std::vector<std::string> platformChoices() {
  std::vector<std::string> names = platformNames();
  if (auto host = llvm::find(names, hostPlatform()); host != names.end())
    std::rotate(names.begin(), host, host + 1);
  return names;
}

} // namespace sinter
