// sinterc: compiles a model directory into one package. This file reads the command line; Compiler.cpp does the work
// and Report.cpp prints what came of it.

#include "runtime/package_layout.h"
#include "tools/CommandLine.h"
#include "tools/Compiler.h"
#include "tools/Report.h"

using namespace sinter;

static std::string formatHelp() {
  std::string text = "Formats for --quantize and --embed-quantize:\n";
  for (const auto &[name, phrase] : formatSummaries())
    text += "  " + name + std::string(name.size() < 10 ? 10 - name.size() : 1, ' ') + phrase + "\n";
  text += "\nTargets for --target:\n  all, native (the best for this machine), or some of:\n ";
  for (const std::string &name : targetNames())
    text += " " + name;
  return text + "\n\nExamples:\n"
                "  sinterc models/tales -o tales.sinter\n"
                "      4-bit weights, for every x86-64 processor; run it with: sinter run tales.sinter\n"
                "  sinterc models/tales -o tales.sinter --quantize q8 --verify\n"
                "      8-bit weights, compared layer by layer with the model itself\n"
                "  sinterc models/tales -o tales.sinter --context 128 --target native\n"
                "      less memory for the cache, code for this machine alone\n"
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
  bool compiled = compile(options, progress, report, error);
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

int main(int argc, char **argv) {
  CompileOptions options;
  ReportStyle style;
  CLI::App app("Compiles a Hugging Face model directory into one file that sinter runs.", "sinterc");
  app.set_version_flag("--version", "sinterc " SINTER_VERSION);
  app.add_option("MODEL", options.model, "directory with config.json, *.safetensors and, for text, tokenizer.json")
      ->required()
      ->type_name("");
  app.add_option("-o,--output", options.output, "the package to write; replaced if it exists")->type_name("FILE");
  app.add_option("--quantize", options.format, "format of the layers' matrices, see below")
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
  app.add_option("--prefill-tokens", options.prefillTokens, "tokens of a prompt that are computed at once")
      ->check(positive())
      ->capture_default_str();
  app.add_option("--kv", options.cacheElement,
                 "element of the key/value cache (default: f32 with f32 weights, else f16)")
      ->check(CLI::IsMember({"f32", "f16"}));

  const std::string looking = "Checking and looking inside";
  app.add_flag("--verify", options.verify,
               "compare the package with a reference evaluation of the model, layer by layer; exit code 1 past the "
               "formats' bounds")
      ->group(looking);
  app.add_flag("--stats", style.stats, "sizes by format, kernels, barriers, seconds per stage, peak memory")
      ->group(looking);
  app.add_option("--emit", options.emit,
                 "print a stage instead of a package (to -o if given); kern, llvm and asm are of the last target")
      ->check(CLI::IsMember({"tx", "sched", "kern", "llvm", "asm"}))
      ->group(looking);
  app.add_option("--print-ir-after", options.printAfter, "print the module to standard error after this pass")
      ->type_name("PASS")
      ->group(looking);
  app.add_flag("--json", style.json, "print the report as JSON")->group(looking);
  app.add_flag("-q,--quiet", style.quiet, "print nothing but errors");
  app.footer(formatHelp());
  app.callback([&] { compileAndReport(options, style); });
  return runCommandLine(app, argc, argv);
}
