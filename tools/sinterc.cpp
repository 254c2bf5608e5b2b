// sinterc: compiles a model directory into one package. This file reads the command line; Compiler.cpp does the work
// and Report.cpp prints what came of it.

#include "runtime/package_layout.h"
#include "tools/CommandLine.h"
#include "tools/Compiler.h"
#include "tools/LinkOutput.h"
#include "tools/Report.h"

using namespace sinter;

static std::string formatHelp() {
  std::string text = "Formats for --quantize and --embed-quantize:\n";
  for (const auto &[name, phrase] : formatSummaries())
    text += "  " + name + std::string(name.size() < 10 ? 10 - name.size() : 1, ' ') + phrase + "\n";
  auto addNames = [&](const std::vector<std::string> &names) {
    size_t width = 80;
    for (const std::string &name : names) {
      if (width + name.size() > 78)
        text += "\n ", width = 1;
      text += " " + name, width += name.size() + 1;
    }
  };
  text += "\nTargets for --target:\n  host (default: all levels of this machine's architecture), native (the best for this\n"
          "  machine), all (processors), or some of:";
  addNames(targetNames());
  text += "\n  or what stands for some of them, systems and processors:";
  addNames(targetAliasNames());
  return text + "\n\nExamples:\n"
                "  sinterc models/tales -o tales.sinter\n"
                "      4-bit weights, for every x86-64 processor; run it with: sinter run tales.sinter\n"
                "  sinterc models/tales -o tales.sinter --quantize q8 --verify\n"
                "      8-bit weights, compared layer by layer with the model itself\n"
                "  sinterc models/tales -o tales.sinter --context 128 --target native\n"
                "      less memory for the cache, code for this machine alone\n"
                "  sinterc models/tales -o tales --quantize q8 --output-kind exe\n"
                "      a program that needs nothing but libc; run it with: ./tales \"Once upon a time\"\n"
                "  sinterc tales.sinter -o libtales.a --output-kind static\n"
                "      a compiled model as a library: libtales.a, tales.h, tales.hpp\n"
                "  sinterc models/tales -o tales.sinter --target host,aarch64-linux\n"
                "      one package for x86-64 and 64-bit ARM, with one copy of the weights\n"
                "  sinterc models/tales --emit sched | less\n"
                "      the schedule; tx, kern, llvm and asm show the other stages\n";
}

static void compileAndReport(const CompileOptions &options, const ReportStyle &style) {
  if (options.output.empty() && options.emit.empty() && options.printAfter.empty())
    throw Failure("where should the package go? add -o FILE");
  if (!options.emit.empty() && options.verify)
    throw Failure("--verify needs a package, --emit " + options.emit + " writes none");
  if ((!options.emit.empty() || options.output.empty()) && (style.stats || style.json))
    throw Failure("--stats and --json report on a package, and none is written");
  CompileReport report;
  std::string error;
  Progress progress(!style.quiet && !style.json);
  bool compiled = compileAndLink(options, progress, report, error);
  progress.clear();
  if (!compiled)
    throw Failure(error);
  for (const std::string &warning : report.warnings)
    if (!style.quiet)
      std::fprintf(stderr, "sinterc: warning: %s\n", warning.c_str());
  if (options.emit.empty() && !options.output.empty())
    printReport(options, report, style);
  for (const Verification &verification : report.verifications)
    if (!verification.passed)
      throw Failure(options.output + " on " + verification.isa + " is further from the model than its formats allow");
}

// Options that belong to one kind of output are not passed over in silence for another.
static void checkKind(const CompileOptions &options) {
  const std::string &kind = options.outputKind;
  const bool library = kind == "static" || kind == "shared";
  if (kind != "package" && (!options.emit.empty() || options.output.empty()))
    throw Failure("--output-kind " + kind + " needs -o FILE and no --emit");
  if (kind != "package" && options.platform.empty())
    throw Failure("no platform's runtime is installed beside sinterc: only packages can be made");
  if (!options.depfile.empty() && (options.output.empty() || !options.emit.empty()))
    throw Failure("--depfile needs -o FILE and no --emit");
  if (options.staticProgram && kind != "exe")
    throw Failure("--static is for --output-kind exe");
  if (!library && (options.weightsInFile || !options.symbolPrefix.empty()))
    throw Failure("--weights and --symbol-prefix are for --output-kind static and shared");
  if (!options.sysroot.empty() && kind != "shared")
    throw Failure("--sysroot is for --output-kind shared");
}

// "NAME=VALUE" into its halves.
static std::pair<std::string, std::string> splitPair(const std::string &option, const std::string &text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    throw Failure(option + " is '" + text + "', expected NAME=VALUE");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

static void readDims(const std::string &option, const std::vector<std::string> &texts,
                     std::map<std::string, int64_t> &dims) {
  for (const std::string &text : texts) {
    auto [name, value] = splitPair(option, text);
    std::string problem = wholeNumber(0, UINT32_MAX)(value);
    if (!problem.empty())
      throw Failure(option + " " + text + ": " + problem);
    dims[name] = std::stoll(value);
  }
}

// What only one kind of model has a meaning for.
static void checkModel(const CLI::App &app, const std::string &model) {
  const bool onnx = model.size() > 5 && model.compare(model.size() - 5, 5, ".onnx") == 0;
  for (const char *name : {"--embed-quantize", "--context", "--prefill-tokens", "--kv", "--verify"})
    if (onnx && app.count(name))
      throw Failure(std::string(name) + " is for model directories; an .onnx file is compiled as it is");
  if (onnx && app.get_option("--output-kind")->as<std::string>() == "exe")
    throw Failure("--output-kind exe is for models that write text; sinter exec runs packages of .onnx files");
  for (const char *name : {"--dim", "--max-dim", "--input-value"})
    if (!onnx && app.count(name))
      throw Failure(std::string(name) + " is for .onnx files");
}

int main(int argc, char **argv) {
  CompileOptions options;
  ReportStyle style;
  std::vector<std::string> dims, maxDims, inputValues;
  CLI::App app("Compiles a Hugging Face model directory or an ONNX file into one file that sinter runs.", "sinterc");
  app.set_version_flag("--version", "sinterc " SINTER_VERSION);
  app.add_option("MODEL", options.model,
                 "directory with config.json, *.safetensors and, for text, tokenizer.json; an .onnx file; or, to be "
                 "linked, a package")
      ->required()
      ->type_name("");
  app.add_option("-o,--output", options.output, "the package to write; replaced if it exists")->type_name("FILE");
  app.add_option("--quantize", options.format,
                 "format of the layers' matrices, see below (default: q4; q8 for encoders and for weights that come as integers)")
      ->type_name("FORMAT")
      ->capture_default_str();
  app.add_option("--embed-quantize", options.embedFormat,
                 "format of embeddings and head (default: what goes well with --quantize)")
      ->type_name("FORMAT");
  app.add_option("--target", options.targets, "processors to compile for, separated by commas, see below")
      ->type_name("NAMES")
      ->capture_default_str();
  app.add_option("--context", options.context, "tokens a text may have (default: as trained, at most 4096)")
      ->check(wholeNumber(1, kMostContext));
  app.add_option("--prefill-tokens", options.prefillTokens, "tokens of a prompt that are computed at once (default: 256)")
      ->check(positive());
  app.add_option("--kv", options.cacheElement,
                 "element of the key/value cache (default: f32 with f32 weights, else f16)")
      ->check(CLI::IsMember({"f32", "f16", "q8"}));

  const std::string kind = "What is made";
  app.add_option("--output-kind", options.outputKind,
                 "package: for sinter run and the runtime; exe: a program with model and command line in one file; "
                 "static, shared: a library with a header, under a prefix of its own")
      ->check(CLI::IsMember({"package", "exe", "static", "shared"}))
      ->capture_default_str()
      ->group(kind);
  const std::vector<std::string> platforms = platformChoices();
  if (!platforms.empty())
    options.platform = platforms.front();
  app.add_option("--platform", options.platform, "what an exe or a library is for: one whose runtime is installed")
      ->check(CLI::IsMember(platforms))
      ->capture_default_str()
      ->group(kind);
  app.add_option("--symbol-prefix", options.symbolPrefix, "of a library's names (default: made of the output's name)")
      ->check(CLI::Validator(
          [](const std::string &text) {
            bool valid = !text.empty() && !std::isdigit(static_cast<unsigned char>(text[0]));
            for (unsigned char c : text)
              valid &= std::isalnum(c) || c == '_';
            return valid ? std::string() : "expected letters, digits and _, found '" + text + "'";
          },
          ""))
      ->type_name("NAME")
      ->group(kind);
  std::string weights = "embedded";
  app.add_option("--weights", weights, "of a library: embedded in it, or in a file beside it")
      ->check(CLI::IsMember({"embedded", "file"}))
      ->capture_default_str()
      ->group(kind);
  app.add_flag("--static", options.staticProgram, "an exe with libc inside")->group(kind);
  app.add_option("--sysroot", options.sysroot, "where a shared library finds the C library (default: this system)")
      ->type_name("DIR")
      ->group(kind);

  app.add_option("--depfile", options.depfile, "list the files that the output is made of, for make and ninja")
      ->type_name("FILE")
      ->group(kind);

  const std::string graphs = "Of .onnx files";
  app.add_option("--dim", dims, "fix a run-time dimension")->type_name("NAME=N")->group(graphs);
  app.add_option("--max-dim", maxDims,
                 "the most that a run-time dimension may be, which memory is planned for (default: 1 for names with "
                 "\"batch\", 512 for others)")
      ->type_name("NAME=N")
      ->group(graphs);
  app.add_option("--input-value", inputValues, "fix an input, for graphs whose shapes or branches depend on its value")
      ->type_name("NAME=FILE.npy")
      ->group(graphs);

  const std::string looking = "Checking and looking inside";
  app.add_flag("--verify", options.verify,
               "compare the package with a reference evaluation of the model, layer by layer; exit code 1 past the "
               "formats' bounds")
      ->group(looking);
  app.add_flag("--stats", style.stats, "sizes by format, kernels, barriers, seconds per stage, peak memory")
      ->group(looking);
  app.add_option("--emit", options.emit,
                 "print a stage instead of a package (to -o if given); kern, llvm, asm, spirv and metal are of "
                 "the last target")
      ->check(CLI::IsMember({"tx", "sched", "kern", "llvm", "asm", "spirv", "metal"}))
      ->group(looking);
  app.add_option("--print-ir-after", options.printAfter, "print the module to standard error after this pass")
      ->type_name("PASS")
      ->group(looking);
  app.add_flag("--json", style.json, "print the report as JSON")->group(looking);
  app.add_flag("-q,--quiet", style.quiet, "print nothing but errors");
  app.footer(formatHelp());
  app.callback([&] {
    options.weightsInFile = weights == "file";
    checkKind(options);
    checkModel(app, options.model);
    readDims("--dim", dims, options.dims);
    readDims("--max-dim", maxDims, options.maxDims);
    for (const std::string &text : inputValues)
      options.inputValues.insert(splitPair("--input-value", text));
    compileAndReport(options, style);
  });
  return runCommandLine(app, argc, argv);
}
