// Parses options by a table. sinter's commands have the same ones through CLI11, which would be half of a self-contained
// executable; a test compares the two.

#include "tools/standalone/Options.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace sinter {

namespace {

// What an argument must be; the bounds of numbers are part of the kind.
enum class Kind { flag, text, pooling, count, positive, fromZero, share, shareAboveZero, aboveZero };

struct Row {
  uint64_t tasks; // flags of PackageTask
  const char *name;
  Kind kind;
  const char *value; // as --help calls it
  const char *help;
  void (*set)(StandaloneOptions &options, const char *text, uint64_t whole, float number);
};

using O = StandaloneOptions;
constexpr uint64_t kEncode = kEmbed | kClassify, kAll = kContinue | kEncode;

// What options are for, in the order of --help. A row without a name is a heading.
const Row kRows[] = {
    {kContinue, "--prompt", Kind::text, "TEXT", "the same, as an option",
     [](O &o, const char *text, uint64_t, float) { o.run.promptOption = text; }},
    {kContinue, "--prompt-ids", Kind::text, "IDS", "token ids (1,2,3) instead of text",
     [](O &o, const char *text, uint64_t, float) { o.run.promptIds = text; }},
    {kContinue, "--max-tokens", Kind::count, "N", "stop after this many (default: at the model's end token)",
     [](O &o, const char *, uint64_t whole, float) { o.run.maxTokens = uint32_t(whole); }},
    {kContinue, "--ignore-eos", Kind::flag, "", "go on after the model's end token",
     [](O &o, const char *, uint64_t, float) { o.run.ignoreEos = true; }},
    {kEncode, "--file", Kind::text, "FILE", "a file with a text on each line; \"-\" reads standard input",
     [](O &o, const char *text, uint64_t, float) { o.encode.file = text; }},
    {kEncode, "--ids", Kind::text, "IDS", "token ids (101,7592,102) instead of a text; may be given several times",
     [](O &o, const char *text, uint64_t, float) { o.encode.ids.push_back(text); }},
    {kClassify, "--first", Kind::text, "TEXT", "a text that stands before each TEXT, for models of two",
     [](O &o, const char *text, uint64_t, float) { o.encode.first = text; }},
    {kEmbed, "--pooling", Kind::pooling, "NAME", "how token vectors become one (default: as the model says)",
     [](O &o, const char *text, uint64_t, float) { o.encode.pooling = text; }},
    {kEmbed, "--normalize", Kind::flag, "", "scale vectors to length 1, also where the model does not",
     [](O &o, const char *, uint64_t, float) { o.encode.normalize = true; }},
    {kContinue, nullptr, Kind::flag, "", "Sampling (default: as the model's generation_config.json says)", nullptr},
    {kContinue, "--temperature", Kind::fromZero, "X", "0 always takes the most likely token",
     [](O &o, const char *, uint64_t, float number) { o.run.temperature = number; }},
    {kContinue, "--top-k", Kind::count, "K", "choose among the k most likely; 0: among all",
     [](O &o, const char *, uint64_t whole, float) { o.run.topK = uint32_t(whole); }},
    {kContinue, "--top-p", Kind::shareAboveZero, "P", "choose among the most likely that add up to p",
     [](O &o, const char *, uint64_t, float number) { o.run.topP = number; }},
    {kContinue, "--min-p", Kind::share, "P", "drop tokens less likely than p times the most likely one",
     [](O &o, const char *, uint64_t, float number) { o.run.minP = number; }},
    {kContinue, "--repetition-penalty", Kind::aboveZero, "X", "above 1 makes earlier tokens less likely",
     [](O &o, const char *, uint64_t, float number) { o.run.repetitionPenalty = number; }},
    {kContinue, "--seed", Kind::count, "N", "the same seed gives the same text (default: random)",
     [](O &o, const char *, uint64_t whole, float) { o.run.seed = whole; }},
    {kAll, nullptr, Kind::flag, "", "Machine", nullptr},
    {kAll, "--threads", Kind::positive, "N", "default: the processors this process may use",
     [](O &o, const char *, uint64_t whole, float) { o.run.threads = o.encode.threads = uint32_t(whole); }},
    {kContinue, "--context", Kind::positive, "N", "room for this many tokens (default: the model's)",
     [](O &o, const char *, uint64_t whole, float) { o.run.context = uint32_t(whole); }},
    {kAll, "--isa", Kind::text, "NAME", "use this code, e.g. x86-64-avx2 (default: the best)",
     [](O &o, const char *text, uint64_t, float) { o.isa = text; }},
    {kContinue, "--prefill-step", Kind::positive, "N", "feed the prompt this many tokens at a time",
     [](O &o, const char *, uint64_t whole, float) { o.run.prefillStep = uint32_t(whole); }},
    {kAll, nullptr, Kind::flag, "", "Output", nullptr},
    {kContinue, "--logits", Kind::text, "FILE", "write the last prompt position's logits here, raw f32",
     [](O &o, const char *text, uint64_t, float) { o.run.logits = text; }},
    {kEmbed, "--similarity", Kind::flag, "", "print the cosines between the texts instead",
     [](O &o, const char *, uint64_t, float) { o.encode.similarity = true; }},
    {kEmbed, "--output", Kind::text, "FILE.npy", "write a NumPy file [texts, dimensions] instead of JSON",
     [](O &o, const char *text, uint64_t, float) { o.encode.output = text; }},
    {kEmbed, "--hidden", Kind::text, "FILE.npy", "also write one text's last hidden rows [tokens, width] to this file",
     [](O &o, const char *text, uint64_t, float) { o.encode.hidden = text; }},
    {kContinue, "--json", Kind::flag, "", "print prompt_tokens, tokens, text (of the tokens) and rates as JSON",
     [](O &o, const char *, uint64_t, float) { o.run.json = true; }},
    {kEmbed, "--json", Kind::flag, "", "print JSON, which is the default",
     [](O &o, const char *, uint64_t, float) { o.encode.json = true; }},
    {kClassify, "--json", Kind::flag, "", "print every label with its logit and probability as JSON",
     [](O &o, const char *, uint64_t, float) { o.encode.json = true; }},
    {kContinue, "--verbose", Kind::flag, "", "statistics on standard error",
     [](O &o, const char *, uint64_t, float) { o.verbose = true; }},
    {kAll, "--version", Kind::flag, "", "what this is",
     [](O &o, const char *, uint64_t, float) { o.version = true; }},
    {kAll, "--help", Kind::flag, "", "this text", [](O &o, const char *, uint64_t, float) { o.help = true; }},
};

struct Bounds {
  float least, most;
  bool above; // `least` itself is excluded
  const char *phrase;
};

Bounds boundsOf(Kind kind) {
  constexpr float kMost = 3.4e38f;
  switch (kind) {
  case Kind::share:
    return {0, 1, false, "a number from 0 to 1"};
  case Kind::shareAboveZero:
    return {0, 1, true, "a number above 0, at most 1"};
  case Kind::aboveZero:
    return {0, kMost, true, "a number above 0"};
  default:
    return {0, kMost, false, "a number of 0 or more"};
  }
}

} // namespace

static void wrongValue(const Row &row, const std::string &expected, const char *text) {
  throw Failure(std::string(row.name) + ": expected " + expected + ", found '" + text + "'");
}

static uint64_t wholeNumber(const Row &row, const char *text) {
  const uint64_t least = row.kind == Kind::positive, most = strcmp(row.name, "--seed") ? UINT32_MAX : UINT64_MAX;
  char *end = nullptr;
  errno = 0;
  uint64_t number = std::strtoull(text, &end, 10);
  // strtoull would take white space, signs and nothing at all.
  if (*text < '0' || *text > '9' || *end || errno || number < least || number > most)
    wrongValue(row, "a whole number from " + std::to_string(least) + " to " + std::to_string(most), text);
  return number;
}

static float realNumber(const Row &row, const char *text) {
  const Bounds bounds = boundsOf(row.kind);
  char *end = nullptr;
  float number = std::strtof(text, &end);
  if (end == text || *end || !(number >= bounds.least && number <= bounds.most) ||
      (bounds.above && number == bounds.least))
    wrongValue(row, bounds.phrase, text);
  return number;
}

static void apply(const Row &row, const char *text, StandaloneOptions &options) {
  switch (row.kind) {
  case Kind::pooling:
    for (const char *known : {"mean", "cls", "first", "last", "max"})
      if (!strcmp(text, known))
        return row.set(options, text, 0, 0);
    return wrongValue(row, "mean, cls, first, last or max", text);
  case Kind::flag:
  case Kind::text:
    return row.set(options, text, 0, 0);
  case Kind::count:
  case Kind::positive:
    return row.set(options, text, wholeNumber(row, text), 0);
  default:
    return row.set(options, text, 0, realNumber(row, text));
  }
}

static const Row &findRow(const std::string &name, PackageTask task) {
  for (const Row &row : kRows)
    if (row.name && row.tasks & task && (name == row.name || (name == "-h" && !strcmp(row.name, "--help"))))
      return row;
  throw Failure("there is no option " + name);
}

// "--name VALUE" or "--name=VALUE"; after "--" everything is text.
StandaloneOptions parseOptions(int argc, char **argv, PackageTask task) {
  StandaloneOptions options;
  bool only = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (only || argument.size() < 2 || argument[0] != '-') {
      if (options.run.prompt && task == kContinue)
        throw Failure("give one prompt, in quotes if it has spaces; found '" + argument + "' after another one");
      options.run.prompt = argument;
      options.encode.texts.push_back(argument);
      continue;
    }
    if (argument == "--") {
      only = true;
      continue;
    }
    const size_t equals = argument.find('=');
    const Row &row = findRow(argument.substr(0, equals), task);
    if (row.kind == Kind::flag && equals != std::string::npos)
      throw Failure(std::string(row.name) + " takes no value");
    const char *text = argv[i] + equals + 1;
    if (row.kind != Kind::flag && equals == std::string::npos) {
      if (i + 1 == argc)
        throw Failure(std::string(row.name) + " needs a value: " + row.value);
      text = argv[++i];
    }
    apply(row, text, options);
  }
  return options;
}

std::string helpText(const std::string &program, PackageTask task) {
  std::string text = task == kContinue ? "Continues a prompt, streaming the text."
                     : task == kEmbed  ? "Turns texts into vectors."
                                       : "Says which label the model gives to texts.";
  text += "\nUsage: " + program + " [OPTIONS] " + (task == kContinue ? "[PROMPT]" : "TEXT...") + "\n\n";
  if (task == kContinue)
    text += "  PROMPT                    text to continue; \"-\" reads standard input; none: the model begins\n\n";
  text += "Options:\n";
  for (const Row &row : kRows) {
    if (!(row.tasks & task))
      continue;
    if (!row.name) {
      text += std::string("\n") + row.help + ":\n";
      continue;
    }
    std::string name = std::string("  ") + row.name + (*row.value ? " " : "") + row.value;
    name.resize(std::max<size_t>(name.size() + 2, 28), ' ');
    text += name + row.help + "\n";
  }
  return text;
}

} // namespace sinter
