// The program in front of the package in a self-contained executable (`sinterc --output-kind exe`): what `sinter run`
// does, or for an encoder `sinter embed` or `sinter classify`, with the model that this file itself carries. It is built once and copied; only the record of where the package
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
    {'S', 'I', 'N', 'T', 'E', 'R', ' ', 'P', 'L', 'A', 'C', 'E', '\r', '\n', 1, 2}, 0, 0, 0};

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

static void printQuoted(const std::string &text) {
  std::putchar('"');
  for (unsigned char c : text)
    if (c == '"' || c == '\\')
      std::printf("\\%c", c);
    else if (c < 0x20)
      std::printf("\\u%04x", c);
    else
      std::putchar(c);
  std::putchar('"');
}

static void printText(const char *key, const std::string &text) {
  std::printf("  \"%s\": ", key);
  printQuoted(text);
  std::printf(",\n");
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

static void printTextFacts(const EncoderText &text) {
  std::printf("{\"text\": ");
  printQuoted(text.text);
  std::printf(", \"tokens\": %zu, \"truncated\": %s", text.ids.size(), text.truncated ? "true" : "false");
}

// The keys of `sinter embed`.
static void printEmbeddings(const Artifact &artifact, const Embeddings &result) {
  std::printf("{\n");
  printText("model", artifact.info().name);
  printText("pooling", result.pooling);
  std::printf("  \"normalized\": %s,\n  \"dimensions\": %zu,\n  \"embeddings\": [", result.normalized ? "true" : "false",
              result.vectors.front().size());
  for (size_t i = 0; i < result.vectors.size(); ++i) {
    std::printf(i ? ",\n    " : "\n    ");
    printTextFacts(result.texts[i]);
    std::printf(", \"embedding\": [");
    for (size_t k = 0; k < result.vectors[i].size(); ++k)
      std::printf("%s%.17g", k ? ", " : "", double(result.vectors[i][k]));
    std::printf("]}");
  }
  std::printf("\n  ]\n}\n");
}

static void printRow(const LabeledRow &row) {
  std::printf("\"label\": ");
  printQuoted(row.label().name);
  std::printf(", \"probability\": %.17g, \"labels\": {", row.label().probability);
  for (size_t i = 0; i < row.labels.size(); ++i) {
    std::printf(i ? ", " : "");
    printQuoted(row.labels[i].key);
    std::printf(": {\"logit\": %.17g, \"probability\": %.17g}", double(row.labels[i].logit), row.labels[i].probability);
  }
  std::printf("}");
}

// The keys of `sinter classify --json`.
static void printLabelsAsJson(const Artifact &artifact, const std::vector<LabeledText> &texts) {
  const bool whole = encoderOf(artifact).task == SINTER_CLASSIFY;
  std::printf("{\n");
  printText("model", artifact.info().name);
  std::printf("  \"texts\": [");
  for (size_t i = 0; i < texts.size(); ++i) {
    std::printf(i ? ",\n    " : "\n    ");
    printTextFacts(texts[i].text);
    std::printf(whole ? ", " : ", \"tags\": [");
    for (size_t t = 0; t < texts[i].rows.size(); ++t) {
      const LabeledRow &row = texts[i].rows[t];
      if (!whole) {
        std::printf("%s{\"id\": %u, ", t ? ", " : "", row.id);
        if (artifact.hasTokenizer()) {
          std::printf("\"token\": ");
          printQuoted(row.token);
          std::printf(", ");
        }
      }
      printRow(row);
      std::printf(whole ? "" : "}");
    }
    std::printf(whole ? "}" : "]}");
  }
  std::printf("\n  ]\n}\n");
}

static void encode(const EmbedOptions &options, Artifact &artifact, PackageTask task) {
  if (task == kClassify) {
    const std::vector<LabeledText> texts = classifyTexts(artifact, options);
    options.json ? printLabelsAsJson(artifact, texts) : printLabels(artifact, texts);
  } else if (Embeddings result = embedTexts(artifact, options); !writeEmbeddings(result, options)) {
    printEmbeddings(artifact, result);
  }
  flushOutput();
}

static int run(int argc, char **argv, const std::string &name) {
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  const PackageTask task = PackageTask(uint64_t(place.task));
  StandaloneOptions options = parseOptions(argc, argv, task);
  if (options.help) {
    std::fputs(helpText(name, task).c_str(), stdout);
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
  if (task != kContinue) {
    encode(options.encode, artifact, task);
    return 0;
  }
  Continuation result = continuePrompt(options.run, artifact, started);
  if (options.run.json)
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
