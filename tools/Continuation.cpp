// Continuing a prompt, for `sinter run` and for executables that carry their model. The prompt is printed first and the
// model's text follows as it is made, so that what stands on the terminal in the end is one text. Without sampling
// options a model is run the way its own generation_config.json asks for; where that says nothing, the most likely
// token is taken each time. Nothing here parses command lines or writes JSON: self-contained executables are to stay
// small.

#include "tools/Continuation.h"

#include "tools/Interrupt.h"
#include "tools/Numbers.h"
#include "tools/OutputFile.h"

#include <chrono>
#include <sys/random.h>

namespace sinter {

using Clock = std::chrono::steady_clock;

namespace {
// One generation: what goes in, what comes out as it comes out, and when.
struct Generation {
  const ContinueOptions &options;
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

static std::vector<uint32_t> promptOf(const ContinueOptions &options, const Artifact &artifact) {
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
    throw Failure("the prompt is empty, and " + artifact.path() + " has no token to begin a text with");
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
static sinter_sampler samplerOf(const ContinueOptions &options, const sinter_generation_defaults &defaults,
                                uint64_t seed) {
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
static bool feed(const ContinueOptions &options, const Artifact &artifact, Session &session,
                 const std::vector<uint32_t> &ids) {
  size_t step = options.prefillStep ? options.prefillStep : artifact.info().prefill_tokens;
  for (size_t begin = 0; begin < ids.size() && !interrupted(); begin += step) {
    size_t count = std::min(step, ids.size() - begin);
    (step == 1 ? session.decode(ids[begin]) : session.prefill(ids.data() + begin, count)).orThrow();
  }
  return !interrupted();
}

static void writeLogits(const std::string &path, Session &session, uint32_t count) {
  const float *logits = session.logits();
  if (!logits) // they were on a device
    throw Failure(sinter_session_error(session.get()));
  OutputFile file(path);
  file.write(logits, count * sizeof(float));
  file.finish();
}

static const char *reasonToStop(const ContinueOptions &options, Session &session, uint32_t context,
                                const std::vector<uint32_t> &tokens) {
  if (interrupted())
    return "interrupted";
  if (options.maxTokens && tokens.size() >= *options.maxTokens)
    return "max_tokens";
  return session.position() >= context ? "context" : "eos";
}

static uint64_t randomSeed() {
  uint32_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
    seed = static_cast<uint32_t>(Clock::now().time_since_epoch().count());
  return seed;
}

Continuation continuePrompt(const ContinueOptions &options, Artifact &artifact, Clock::time_point started) {
  const sinter_model_info &info = artifact.info();
  sinter_encoder_info encoder;
  if (sinter_model_get_encoder(artifact.model().get(), &encoder) == SINTER_OK)
    throw Failure(artifact.path() + " is an encoder: it does not continue texts");
  std::vector<uint32_t> prompt = promptOf(options, artifact);
  for (uint32_t id : prompt)
    if (id >= info.vocab)
      throw Failure("token " + std::to_string(id) + " is not in the vocabulary of " + std::to_string(info.vocab));
  uint32_t context = options.context ? options.context : info.context;
  if (prompt.size() > context)
    throw Failure("the prompt has " + std::to_string(prompt.size()) + " tokens, the context holds " +
                  std::to_string(context));
  Session session = artifact.createSession(options.threads, options.context);
  uint64_t seed = options.seed ? *options.seed : randomSeed();
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
    writeLogits(options.logits, session, info.vocab);
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
  return {prompt,
          generation.tokens,
          generation.text,
          artifact.hasTokenizer(),
          stop,
          prefillRate,
          decodeRate,
          secondsBetween(started, loaded),
          made ? secondsBetween(started, generation.first) : 0,
          seed,
          info.isa,
          session.threads()};
}

void printStatistics(const Continuation &result) {
  std::fprintf(stderr,
               "loaded in %.1f ms, first token after %.1f ms; prompt: %zu tokens, %s tokens/s; generated: %zu tokens, "
               "%s tokens/s; stopped by %s; %s, %u threads, seed %llu\n",
               result.loadSeconds * 1e3, result.firstTokenSeconds * 1e3, result.prompt.size(),
               rounded(result.prefillRate).c_str(), result.tokens.size(), rounded(result.decodeRate).c_str(),
               result.stop, result.isa.c_str(), result.threads, static_cast<unsigned long long>(result.seed));
}

} // namespace sinter
