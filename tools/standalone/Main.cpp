// The program in front of the package in a self-contained executable (`sinterc --output-kind exe`): what `sinter run`
// does, with the model that this file itself carries. It is built once and copied; only the record of where the package
// lies differs from copy to copy.

#include "tools/Interrupt.h"
#include "tools/Numbers.h"
#include "tools/standalone/Options.h"
#include "tools/standalone/PackagePlace.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/auxv.h>

namespace sinter {

// Volatile: its bytes are changed in the file.
static volatile PackagePlace place = {
    {'S', 'I', 'N', 'T', 'E', 'R', ' ', 'P', 'L', 'A', 'C', 'E', '\r', '\n', 1, 2}, 0, 0};

static std::string baseName(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static Artifact openSelf(const StandaloneOptions &options, const std::string &name) {
  ModelOptions where;
  where.offset = place.offset;
  where.size = place.size;
  where.isa = options.isa.empty() ? nullptr : options.isa.c_str();
  if (!where.offset)
    throw Failure("this program carries no model; sinterc --output-kind exe makes those that do");
  // Without /proc, the name that it was started by.
  const char *path = "/proc/self/exe";
  if (std::FILE *file = std::fopen(path, "rb"))
    std::fclose(file);
  else if (getauxval(AT_EXECFN))
    path = reinterpret_cast<const char *>(getauxval(AT_EXECFN));
  return Artifact(path, where, name);
}

static void printText(const char *key, const std::string &text) {
  std::printf("  \"%s\": \"", key);
  for (unsigned char c : text)
    if (c == '"' || c == '\\')
      std::printf("\\%c", c);
    else if (c < 0x20)
      std::printf("\\u%04x", c);
    else
      std::putchar(c);
  std::printf("\",\n");
}

static void printIds(const char *key, const std::vector<uint32_t> &ids) {
  std::printf("  \"%s\": [", key);
  for (size_t i = 0; i < ids.size(); ++i)
    std::printf("%s%u", i ? ", " : "", ids[i]);
  std::printf("],\n");
}

// The keys of `sinter run --json`.
static void printJson(const Continuation &result) {
  std::printf("{\n");
  printIds("prompt_tokens", result.prompt);
  printIds("tokens", result.tokens);
  if (result.hasText)
    printText("text", result.text);
  else
    std::printf("  \"text\": null,\n");
  printText("stop", result.stop);
  std::printf("  \"prefill_tokens_per_second\": %.6g,\n", result.prefillRate);
  std::printf("  \"decode_tokens_per_second\": %.6g,\n", result.decodeRate);
  std::printf("  \"load_seconds\": %.6g,\n", result.loadSeconds);
  std::printf("  \"first_token_seconds\": %.6g,\n", result.firstTokenSeconds);
  std::printf("  \"seed\": %llu,\n", static_cast<unsigned long long>(result.seed));
  printText("isa", result.isa);
  std::printf("  \"threads\": %u\n}", result.threads);
}

static int run(int argc, char **argv, const std::string &name) {
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  StandaloneOptions options = parseOptions(argc, argv);
  if (options.help) {
    std::fputs(helpText(name).c_str(), stdout);
    flushOutput();
    return 0;
  }
  Artifact artifact = openSelf(options, name);
  if (options.version) {
    const sinter_model_info &info = artifact.info();
    std::printf("%s: %s (%s), compiled by %s, runtime sinter %s\n", name.c_str(), info.name, info.family, info.compiler,
                sinter_version());
    flushOutput();
    return 0;
  }
  Continuation result = continuePrompt(options, artifact, started);
  if (options.json)
    printJson(result);
  std::printf("\n");
  flushOutput();
  if (options.verbose)
    printStatistics(result);
  return interrupted() ? kInterruptedExitCode : 0;
}

} // namespace sinter

int main(int argc, char **argv) {
  const std::string name = sinter::baseName(argc > 0 ? argv[0] : "sinter");
  try {
    return sinter::run(argc, argv, name);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
  }
  return 1;
}

// libstdc++'s own handler would bring its demangler along.
namespace __gnu_cxx {
void __verbose_terminate_handler() { std::abort(); }
} // namespace __gnu_cxx
