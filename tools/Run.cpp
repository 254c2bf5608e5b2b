// sinter run: continues a prompt. The prompt is printed first and the model's text follows as it is made, so that what
// stands on the terminal in the end is one text. Without sampling options a model is run the way its own
// generation_config.json asks for; where that says nothing, the most likely token is taken each time.

#include "tools/Artifact.h"
#include "tools/CommandLine.h"
#include "tools/Commands.h"
#include "tools/Interrupt.h"
#include "tools/Output.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <random>

namespace sinter {

using Clock = std::chrono::steady_clock;

namespace {
struct RunOptions {
  std::string file;
  std::optional<std::string> prompt, promptOption, promptIds;
  std::optional<float> temperature, topP, minP, repetitionPenalty;
  std::optional<uint32_t> topK, maxTokens;
  std::optional<uint64_t> seed;
  uint32_t threads = 0, context = 0, prefillStep = 0;
  std::string isa, logits;
  bool ignoreEos = false, json = false, verbose = false;
};

// One generation: what goes in, what comes out as it comes out, and when.
struct Generation {
  const RunOptions &options;
  std::optional<Detokenizer> detokenizer; // none: ids are printed
  std::vector<uint32_t> tokens;
  std::string text;
  Clock::time_point first, last;

  bool take(uint32_t id) {
    last = Clock::now();
    if (tokens.empty())
      first = last;
    tokens.push_back(id);
    show(detokenizer ? detokenizer->push(id) : " " + std::to_string(id));
    return interrupted() || std::ferror(stdout); // true stops
  }
  void show(const std::string &piece) {
    text += piece;
    if (!options.json) {
      std::fwrite(piece.data(), 1, piece.size(), stdout);
      std::fflush(stdout);
    }
  }
};
} // namespace

static double secondsBetween(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

static std::vector<uint32_t> promptOf(const RunOptions &options, const Artifact &artifact) {
  if (options.prompt.has_value() + options.promptOption.has_value() + options.promptIds.has_value() > 1)
    throw Failure("give one prompt: PROMPT, --prompt or --prompt-ids");
  if (options.promptIds)
    return parseIds(*options.promptIds);
  std::vector<uint32_t> ids;
  if (options.prompt || options.promptOption) {
    const std::string &prompt = options.prompt ? *options.prompt : *options.promptOption;
    ids = artifact.encode(prompt == "-" ? readText("-") : prompt);
  } else if (artifact.info().bos >= 0) {
    ids.push_back(static_cast<uint32_t>(artifact.info().bos)); // whatever the model likes to begin with
  }
  if (ids.empty())
    throw Failure("the prompt is empty, and " + options.file + " has no token to begin a text with");
  return ids;
}

static Detokenizer startText(const Artifact &artifact, uint32_t flags) {
  Detokenizer detokenizer;
  std::string error;
  if (!detokenizer.create(artifact.tokenizer(), SINTER_SKIP_SPECIAL | flags, error))
    throw Failure(artifact.path() + ": " + error);
  return detokenizer;
}

// What is shown of the prompt. Vocabularies are often padded: an id may have no token, and then has no text either.
static std::string textOf(const std::vector<uint32_t> &prompt, const Artifact &artifact) {
  std::string text;
  if (!artifact.hasTokenizer()) {
    for (uint32_t id : prompt)
      text += (text.empty() ? "" : " ") + std::to_string(id);
    return text;
  }
  Detokenizer detokenizer = startText(artifact, 0);
  for (uint32_t id : prompt)
    text += detokenizer.push(id);
  return text + detokenizer.finish();
}

// The model's own wishes, overridden by what was asked for. Naming any sampling option turns sampling on.
static sinter_sampler samplerOf(const RunOptions &options, const sinter_generation_defaults &defaults, uint64_t seed) {
  bool asked = options.topK || options.topP || options.minP;
  bool samples = options.temperature ? *options.temperature > 0 : asked || defaults.do_sample;
  sinter_sampler sampler = {};
  sampler.seed = seed;
  sampler.repetition_penalty = options.repetitionPenalty.value_or(std::max(0.0f, defaults.repetition_penalty));
  if (!samples)
    return sampler;
  sampler.temperature = options.temperature.value_or(defaults.temperature > 0 ? defaults.temperature : 1.0f);
  sampler.top_k = options.topK.value_or(static_cast<uint32_t>(std::max(0, defaults.top_k)));
  sampler.top_p = options.topP.value_or(std::max(0.0f, defaults.top_p));
  sampler.min_p = options.minP.value_or(std::max(0.0f, defaults.min_p));
  return sampler;
}

// In pieces of at most one prefill step, so that Ctrl-C works during long prompts. False if it came.
static bool feed(const RunOptions &options, const Artifact &artifact, Session &session,
                 const std::vector<uint32_t> &ids) {
  size_t step = options.prefillStep ? options.prefillStep : artifact.info().prefill_tokens;
  for (size_t begin = 0; begin < ids.size() && !interrupted(); begin += step) {
    size_t count = std::min(step, ids.size() - begin);
    (step == 1 ? session.decode(ids[begin]) : session.prefill(ids.data() + begin, count)).orThrow();
  }
  return !interrupted();
}

static void writeLogits(const std::string &path, const float *logits, uint32_t count) {
  std::FILE *stream = std::fopen(path.c_str(), "wb");
  if (!stream)
    throw Failure("cannot create " + path + ": " + std::strerror(errno));
  bool written = std::fwrite(logits, sizeof(float), count, stream) == count;
  if (std::fclose(stream) != 0 || !written)
    throw Failure("cannot write " + path + ": " + std::strerror(errno));
}

static const char *reasonToStop(const RunOptions &options, Session &session, uint32_t context,
                                const std::vector<uint32_t> &tokens) {
  if (interrupted())
    return "interrupted";
  if (options.maxTokens && tokens.size() >= *options.maxTokens)
    return "max_tokens";
  return session.position() >= context ? "context" : "eos";
}

static void run(const RunOptions &options) {
  Clock::time_point started = Clock::now();
  Artifact artifact(options.file, options.isa);
  const sinter_model_info &info = artifact.info();
  std::vector<uint32_t> prompt = promptOf(options, artifact);
  for (uint32_t id : prompt)
    if (id >= info.vocab)
      throw Failure("token " + std::to_string(id) + " is not in the vocabulary of " + std::to_string(info.vocab));
  uint32_t context = options.context ? options.context : info.context;
  if (prompt.size() > context)
    throw Failure("the prompt has " + std::to_string(prompt.size()) + " tokens, the context holds " +
                  std::to_string(context));
  Session session = artifact.createSession(options.threads, options.context);
  uint64_t seed = options.seed ? *options.seed : std::random_device()();
  sinter_sampler sampler = samplerOf(options, info.generation, seed);
  session.setSampler(sampler).orThrow();

  catchInterrupts();
  Generation generation = {options, std::nullopt, {}, "", {}, {}};
  if (artifact.hasTokenizer())
    generation.detokenizer = startText(artifact, SINTER_CONTINUE);
  if (!options.json) {
    std::string promptText = textOf(prompt, artifact);
    std::fwrite(promptText.data(), 1, promptText.size(), stdout);
    std::fflush(stdout);
  }

  Clock::time_point loaded = Clock::now();
  bool complete = feed(options, artifact, session, prompt);
  Clock::time_point filled = Clock::now();
  if (complete && !options.logits.empty())
    writeLogits(options.logits, session.logits(), info.vocab);
  uint32_t most = options.maxTokens.value_or(UINT32_MAX);
  if (complete && most > 0)
    session
        .generate(
            most, [&](uint32_t id) { return generation.take(id); }, options.ignoreEos)
        .orThrow();
  if (generation.detokenizer)
    generation.show(generation.detokenizer->finish());

  size_t made = generation.tokens.size();
  double prefillSeconds = secondsBetween(loaded, filled);
  double prefillRate = prefillSeconds > 0 ? static_cast<double>(prompt.size()) / prefillSeconds : 0;
  double decodeSeconds = secondsBetween(generation.first, generation.last); // for all tokens but the first
  double decodeRate = made > 1 && decodeSeconds > 0 ? static_cast<double>(made - 1) / decodeSeconds : 0;
  const char *stop = reasonToStop(options, session, context, generation.tokens);
  if (options.json) {
    printJson({{"prompt_tokens", prompt},
               {"tokens", generation.tokens},
               {"text", artifact.hasTokenizer() ? Json(generation.text) : Json(nullptr)},
               {"stop", stop},
               {"prefill_tokens_per_second", prefillRate},
               {"decode_tokens_per_second", decodeRate},
               {"load_seconds", secondsBetween(started, loaded)},
               {"seed", seed},
               {"isa", info.isa},
               {"threads", session.threads()}});
  } else {
    std::printf("\n");
    flushOutput();
  }
  if (options.verbose)
    std::fprintf(
        stderr,
        "loaded in %.1f ms; prompt: %zu tokens, %s tokens/s; generated: %zu tokens, %s tokens/s; stopped by %s; "
        "%s, %u threads, seed %llu\n",
        secondsBetween(started, loaded) * 1e3, prompt.size(), rounded(prefillRate).c_str(), made,
        rounded(decodeRate).c_str(), stop, info.isa, session.threads(), static_cast<unsigned long long>(seed));
  if (interrupted())
    throw CLI::RuntimeError(kInterruptedExitCode);
}

void addRunCommand(CLI::App &app) {
  auto options = std::make_shared<RunOptions>();
  RunOptions &o = *options;
  CLI::App *command = app.add_subcommand("run", "Continues a prompt, streaming the text");
  command->add_option("FILE", o.file, "a compiled model")->required()->type_name("");
  command->add_option("PROMPT", o.prompt, "text to continue; \"-\" reads standard input; none: the model begins")
      ->type_name("");
  command->add_option("--prompt", o.promptOption, "the same, as an option")->type_name("TEXT");
  command->add_option("--prompt-ids", o.promptIds, "token ids (1,2,3) instead of text; needs no tokenizer")
      ->type_name("IDS");
  command->add_option("--max-tokens", o.maxTokens, "stop after this many (default: at the model's end token)")
      ->check(wholeNumber(0, UINT32_MAX));
  command->add_flag("--ignore-eos", o.ignoreEos, "go on after the model's end token");

  command->add_option("--temperature", o.temperature, "0 always takes the most likely token")
      ->check(number({.least = 0, .phrase = "a number of 0 or more"}))
      ->group("Sampling (default: as the model's generation_config.json says)");
  const std::string sampling = command->get_option("--temperature")->get_group();
  command->add_option("--top-k", o.topK, "choose among the k most likely; 0: among all")
      ->check(wholeNumber(0, UINT32_MAX))
      ->group(sampling);
  command->add_option("--top-p", o.topP, "choose among the most likely that add up to p")
      ->check(number({.above = 0, .most = 1, .phrase = "a number above 0, at most 1"}))
      ->group(sampling);
  command->add_option("--min-p", o.minP, "drop tokens less likely than p times the most likely one")
      ->check(number({.least = 0, .most = 1, .phrase = "a number from 0 to 1"}))
      ->group(sampling);
  command->add_option("--repetition-penalty", o.repetitionPenalty, "above 1 makes earlier tokens less likely")
      ->check(number({.above = 0, .phrase = "a number above 0"}))
      ->group(sampling);
  command->add_option("--seed", o.seed, "the same seed gives the same text (default: random)")
      ->check(wholeNumber(0, UINT64_MAX))
      ->group(sampling);

  const std::string machine = "Machine";
  command->add_option("--threads", o.threads, "default: the processors this process may use")
      ->check(positive())
      ->group(machine);
  command->add_option("--context", o.context, "room for this many tokens (default: the model's)")
      ->check(positive())
      ->group(machine);
  command->add_option("--isa", o.isa, "use this code of the package, e.g. x86-64-avx2 (default: the best)")
      ->type_name("NAME")
      ->group(machine);
  command->add_option("--prefill-step", o.prefillStep, "feed the prompt this many tokens at a time")
      ->check(positive())
      ->group(machine);

  const std::string output = "Output";
  command->add_option("--logits", o.logits, "write the last prompt position's logits here, raw f32")
      ->type_name("FILE")
      ->group(output);
  command->add_flag("--json", o.json, "print prompt_tokens, tokens, text (of the tokens) and rates as JSON")
      ->group(output);
  command->add_flag("--verbose", o.verbose, "statistics on standard error")->group(output);
  command->footer("Examples:\n"
                  "  sinter run tales.sinter \"Once upon a time\"\n"
                  "  sinter run tales.sinter --temperature 0 --max-tokens 48 \"The little dog\"\n"
                  "  cat letter.txt | sinter run tales.sinter - --top-p 0.9 --seed 7\n"
                  "  sinter run tales.sinter --prompt-ids 1,389,391 --json\n");
  command->callback([options] { run(*options); });
}

} // namespace sinter
