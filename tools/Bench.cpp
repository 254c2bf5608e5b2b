// sinter bench: how fast a package runs here. Ids are random but the same every time, so that models without a
// tokenizer can be measured and two runs do the same work. A first, unmeasured round brings pages and caches to rest;
// then medians. Profiles come from rounds of their own after them, so that the rates are those of undisturbed runs;
// what is shown is the round of median length, whole, so that its lines add up. The machine's limits are measured
// before the first round and after the last, because machines have better and worse minutes, and not between rounds,
// because that would leave caches cold.

#include "tools/Artifact.h"
#include "tools/CommandLine.h"
#include "tools/Commands.h"
#include "tools/Interrupt.h"
#include "tools/Limits.h"
#include "tools/Output.h"
#include "tools/Profile.h"
#include "tools/Progress.h"
#include "tools/Trace.h"

#include <algorithm>
#include <optional>
#include <random>

namespace sinter {

namespace {
struct BenchOptions {
  std::string file, isa, device = "cpu", trace;
  uint32_t promptTokens = 128, genTokens = 64, threads = 0, repeat = 5;
  bool json = false, profile = false, limits = false, genGiven = false;
};

// The two things that are measured, one after the other on one sequence.
struct Workload {
  std::vector<uint32_t> prompt, gen;
  bool encoder; // the prompt is a text for an encoder, and nothing is generated
};

// What was found out about one of the two.
struct Phase {
  const char *name;
  uint32_t tokens;
  Demand demand;               // of all tokens
  std::vector<double> seconds; // of each round
  std::vector<Recording> recordings;

  std::vector<double> rates() const; // tokens per second of each round
  double perToken(uint64_t amount) const { return static_cast<double>(amount) / tokens; }
  double bytesPerToken() const { return perToken(demand.weightBytes + demand.cacheBytes); }
  double multiplyAddsPerToken() const { return perToken(demand.int8MultiplyAdds + demand.floatMultiplyAdds); }
};

struct Findings {
  Phase prefill, decode;
  std::optional<Limits> limits;
  size_t limitsBufferBytes = 0;

  // Those that were measured.
  std::vector<const Phase *> phases() const {
    std::vector<const Phase *> result;
    for (const Phase *phase : {&prefill, &decode})
      if (phase->tokens)
        result.push_back(phase);
    return result;
  }
};
} // namespace

static std::vector<uint32_t> randomIds(uint32_t count, uint32_t vocab) {
  std::mt19937 random(1); // its output is fixed by the standard; distributions are not
  std::vector<uint32_t> ids(count);
  for (uint32_t &id : ids)
    id = random() % vocab;
  return ids;
}

static double secondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

static double timePrefill(Session &session, const Workload &work) {
  session.reset();
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  sinter_encoding encoding;
  if (work.encoder)
    session.encode(work.prompt, {}, encoding).orThrow();
  else if (!work.prompt.empty())
    session.prefill(work.prompt).orThrow();
  return secondsSince(begin);
}

static double timeDecode(Session &session, const Workload &work) {
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  for (uint32_t id : work.gen)
    session.decode(id).orThrow();
  return secondsSince(begin);
}

// Events that one thread sees in `steps` steps.
static size_t eventsOf(const sinter_model *model, size_t steps) {
  size_t longest = std::max({sinter_dispatch_count(model, "prefill"), sinter_dispatch_count(model, "decode"),
                             sinter_dispatch_count(model, "encode")});
  return steps * (longest + 1 + sinter_dispatch_count(model, "head") + 1);
}

template <class Run> static Recording record(Session &session, size_t events, Run run) {
  Recorder recorder(session, events);
  double seconds = run();
  Recording recording = recorder.take();
  recording.seconds = seconds;
  return recording;
}

static double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::vector<double> Phase::rates() const {
  std::vector<double> result;
  for (double time : seconds)
    result.push_back(tokens / time);
  return result;
}

// The recording of median length.
static const Recording &shown(const Phase &phase) {
  std::vector<const Recording *> sorted;
  for (const Recording &recording : phase.recordings)
    sorted.push_back(&recording);
  std::sort(sorted.begin(), sorted.end(),
            [](const Recording *a, const Recording *b) { return a->seconds < b->seconds; });
  return *sorted[sorted.size() / 2];
}

// Rounds of one kind, with the progress of all kinds shown.
template <class Run> static void repeat(uint64_t count, Progress &progress, uint64_t &done, uint64_t total, Run run) {
  for (uint64_t round = 0; round < count && !interrupted(); ++round) {
    run(round);
    progress.update(++done, total);
  }
}

static void measure(const Artifact &artifact, Session &session, const Workload &work, const BenchOptions &options,
                    Findings &findings) {
  const sinter_model *model = artifact.model().get();
  const uint64_t rounds = options.repeat, limitRounds = options.limits ? rounds : 0;
  const uint64_t recordedRounds = options.profile || !options.trace.empty() ? rounds : 0;
  const uint64_t total = 1 + rounds + recordedRounds + 2 * limitRounds;
  uint64_t done = 0;
  Progress progress(!options.json);
  progress.stage("measuring");
  catchInterrupts();
  std::optional<LimitsMeter> meter;
  if (options.limits)
    meter.emplace(artifact, session);

  repeat(limitRounds, progress, done, total, [&](uint64_t) { meter->measure(); });
  repeat(1 + rounds, progress, done, total, [&](uint64_t round) {
    double prefill = timePrefill(session, work), decode = timeDecode(session, work);
    if (round == 0)
      return;
    findings.prefill.seconds.push_back(prefill);
    findings.decode.seconds.push_back(decode);
  });
  repeat(recordedRounds, progress, done, total, [&](uint64_t) {
    const size_t chunk = artifact.info().prefill_tokens, steps = (work.prompt.size() + chunk - 1) / chunk;
    findings.prefill.recordings.push_back(
        record(session, eventsOf(model, steps), [&] { return timePrefill(session, work); }));
    findings.decode.recordings.push_back(
        record(session, eventsOf(model, work.gen.size()), [&] { return timeDecode(session, work); }));
  });
  repeat(limitRounds, progress, done, total, [&](uint64_t) { meter->measure(); });
  if (interrupted())
    throw CLI::RuntimeError(kInterruptedExitCode);
  if (meter) {
    findings.limits = meter->median();
    findings.limitsBufferBytes = meter->bufferBytes();
  }
}

namespace {
// What part of the limits a phase uses. Products count by their kind: 8-bit ones against the peak of those.
struct Shares {
  Shares(const Phase &phase, const Limits &limits)
      : read(median(phase.rates()) * phase.bytesPerToken() / limits.readBytes),
        int8(median(phase.rates()) * phase.perToken(phase.demand.int8MultiplyAdds) / limits.int8MultiplyAdds),
        floats(median(phase.rates()) * phase.perToken(phase.demand.floatMultiplyAdds) / limits.floatMultiplyAdds) {}
  double read, int8, floats;
};
} // namespace

static Json describe(const Findings &findings, const BenchOptions &options, const Artifact &artifact,
                     uint32_t threads) {
  Json told = {{"prompt_tokens", options.promptTokens},
               {"gen_tokens", options.genTokens},
               {"repeat", options.repeat},
               {"threads", threads},
               {"isa", artifact.info().isa},
               {"device", artifact.info().device},
               {"prefill_tokens_per_second", nullptr},
               {"decode_tokens_per_second", nullptr},
               {"prefill_runs", Json::array()},
               {"decode_runs", Json::array()}};
  if (const std::optional<Limits> &limits = findings.limits)
    told["limits"] = {{"read_gigabytes_per_second", limits->readBytes * 1e-9},
                      {"int8_gigaoperations_per_second", 2 * limits->int8MultiplyAdds * 1e-9},
                      {"float_gigaoperations_per_second", 2 * limits->floatMultiplyAdds * 1e-9},
                      {"read_buffer_bytes", findings.limitsBufferBytes}};
  for (const Phase *phase : findings.phases()) {
    const std::string name = phase->name;
    told[name + "_tokens_per_second"] = median(phase->rates());
    told[name + "_runs"] = phase->rates();
    told[name + "_bytes_per_token"] = phase->bytesPerToken();
    told[name + "_multiply_adds_per_token"] = phase->multiplyAddsPerToken();
    if (findings.limits) {
      const Shares shares(*phase, *findings.limits);
      told[name + "_share_of_read"] = shares.read;
      told[name + "_share_of_int8"] = shares.int8;
      told[name + "_share_of_float"] = shares.floats;
    }
    if (options.profile)
      told["profile"][name] = toJson(summarize(artifact.model().get(), shown(*phase), phase->tokens));
  }
  return told;
}

static void print(const Findings &findings, const BenchOptions &options, const Artifact &artifact, uint32_t threads) {
  std::printf("%s: %s, %u threads, median of %u\n", artifact.info().name, artifact.info().isa, threads, options.repeat);
  for (const Phase *phase : findings.phases()) {
    const std::vector<double> rates = phase->rates();
    std::printf("%-8s %6u tokens  %9s tokens/s  (%s to %s)\n", phase->name, phase->tokens,
                rounded(median(rates)).c_str(), rounded(*std::min_element(rates.begin(), rates.end())).c_str(),
                rounded(*std::max_element(rates.begin(), rates.end())).c_str());
  }
  for (const Phase *phase : findings.phases())
    std::printf("%-8s reads %s, %s million multiply-adds per token\n", phase->name,
                inUnits(static_cast<uint64_t>(phase->bytesPerToken())).c_str(),
                rounded(phase->multiplyAddsPerToken() * 1e-6).c_str());
  if (const std::optional<Limits> &limits = findings.limits) {
    std::printf("machine  read %s GB/s, int8 %s GOPS, float %s GOPS\n", rounded(limits->readBytes * 1e-9).c_str(),
                rounded(2 * limits->int8MultiplyAdds * 1e-9).c_str(),
                rounded(2 * limits->floatMultiplyAdds * 1e-9).c_str());
    for (const Phase *phase : findings.phases()) {
      const Shares shares(*phase, *limits);
      std::printf("%-8s uses %.1f%% of read, %.1f%% of int8, %.1f%% of float\n", phase->name, 100 * shares.read,
                  100 * shares.int8, 100 * shares.floats);
    }
  }
  if (options.profile)
    for (const Phase *phase : findings.phases())
      printProfile(phase->name, summarize(artifact.model().get(), shown(*phase), phase->tokens));
  flushOutput();
}

static void bench(BenchOptions options) {
  Artifact artifact(options.file, options.isa, chooseDevice(options.device));
  sinter_encoder_info encoder;
  const bool encodes = sinter_model_get_encoder(artifact.model().get(), &encoder) == SINTER_OK;
  if (encodes && options.genGiven && options.genTokens)
    throw Failure(options.file + " is an encoder: it generates no tokens");
  if (encodes)
    options.genTokens = 0;
  uint64_t total = uint64_t(options.promptTokens) + options.genTokens;
  if (total == 0)
    throw Failure("nothing to measure: both --prompt-tokens and --gen-tokens are 0");
  const sinter_model_info &info = artifact.info();
  if (total > info.context)
    throw Failure(std::to_string(options.promptTokens) + " prompt tokens and " + std::to_string(options.genTokens) +
                  " generated ones do not fit in the context of " + std::to_string(info.context));
  Session session = artifact.createSession(options.threads, 0);
  std::vector<uint32_t> ids = randomIds(static_cast<uint32_t>(total), info.vocab);
  const Workload work = {{ids.begin(), ids.begin() + options.promptTokens},
                         {ids.begin() + options.promptTokens, ids.end()},
                         encodes};

  Findings findings;
  findings.prefill = {encodes ? "encode" : "prefill", options.promptTokens, demandOfPrefill(artifact, 0, options.promptTokens), {}, {}};
  findings.decode = {
      "decode", options.genTokens, demandOfDecode(artifact, options.promptTokens, options.genTokens), {}, {}};
  measure(artifact, session, work, options, findings);

  if (!options.trace.empty()) {
    std::vector<const Recording *> recordings;
    for (const Phase *phase : findings.phases())
      recordings.push_back(&shown(*phase));
    writeTrace(options.trace, artifact.model().get(), recordings);
  }
  if (options.json)
    printJson(describe(findings, options, artifact, session.threads()));
  else
    print(findings, options, artifact, session.threads());
}

void addBenchCommand(CLI::App &app) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App *command = app.add_subcommand("bench", "Measures tokens per second");
  command->add_option("FILE", options->file, "a compiled model")->required()->type_name("");
  command->add_option("--prompt-tokens", options->promptTokens, "tokens prefilled, or encoded, at once, 0: skip")
      ->capture_default_str()
      ->check(wholeNumber(0, UINT32_MAX));
  command->add_option("--gen-tokens", options->genTokens, "tokens decoded one by one after them, 0: skip")
      ->capture_default_str()
      ->check(wholeNumber(0, UINT32_MAX));
  command->add_option("--threads", options->threads, "default: the processors this process may use")->check(positive());
  command->add_option("--repeat", options->repeat, "measured rounds, after one that is not")
      ->capture_default_str()
      ->check(positive());
  command->add_option("--isa", options->isa, "use this code of the package, e.g. x86-64-avx2")->type_name("NAME");
  addDeviceOption(command, options->device);
  command->add_flag("--limits", options->limits,
                    "also measure the machine's read bandwidth and arithmetic, and what part of them is used");
  command->add_flag("--profile", options->profile,
                    "show where the time goes: by kind of dispatch, by kernel, by dispatch");
  command
      ->add_option("--trace", options->trace,
                   "write a time line of all threads to this file, for ui.perfetto.dev or chrome://tracing")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "print the medians, every round and the profile as JSON");
  command->footer("Examples:\n"
                  "  sinter bench tales.sinter --prompt-tokens 128 --gen-tokens 64 --threads 2\n"
                  "  sinter bench tales.sinter --limits\n"
                  "  sinter bench tales.sinter --profile --trace tales.json\n");
  command->callback([options, command] {
    options->genGiven = command->count("--gen-tokens") > 0;
    bench(*options);
  });
}

} // namespace sinter
