// sinter bench: how fast a package runs here. Ids are random but the same every time, so that models without a
// tokenizer can be measured and two runs do the same work. A first, unmeasured round brings pages and caches to rest;
// then medians. Profiles come from rounds of their own after them, so that the rates are those of undisturbed runs;
// what is shown is the round of median length, whole, so that its lines add up.

#include "tools/Artifact.h"
#include "tools/CommandLine.h"
#include "tools/Commands.h"
#include "tools/Interrupt.h"
#include "tools/Output.h"
#include "tools/Profile.h"
#include "tools/Progress.h"
#include "tools/Trace.h"

#include <algorithm>
#include <random>

namespace sinter {

namespace {
struct BenchOptions {
  std::string file, isa, trace;
  uint32_t promptTokens = 128, genTokens = 64, threads = 0, repeat = 5;
  bool json = false, profile = false;
};

// The two things that are measured, one after the other on one sequence.
struct Workload {
  std::vector<uint32_t> prompt, gen;
};

// Seconds of each round.
struct Times {
  std::vector<double> prefill, decode;
};

struct Recordings {
  std::vector<Recording> prefill, decode;
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
  if (!work.prompt.empty())
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
  size_t longest = std::max(sinter_dispatch_count(model, "prefill"), sinter_dispatch_count(model, "decode"));
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

static const Recording &median(std::vector<Recording> &recordings) {
  std::sort(recordings.begin(), recordings.end(),
            [](const Recording &a, const Recording &b) { return a.seconds < b.seconds; });
  return recordings[recordings.size() / 2];
}

static std::vector<double> rates(size_t tokens, const std::vector<double> &seconds) {
  std::vector<double> result;
  for (double time : seconds)
    result.push_back(static_cast<double>(tokens) / time);
  return result;
}

static void measure(const Artifact &artifact, Session &session, const Workload &work, const BenchOptions &options,
                    Times &times, Recordings &recordings) {
  const sinter_model *model = artifact.model().get();
  const bool recorded = options.profile || !options.trace.empty();
  const uint64_t rounds = 1 + uint64_t(options.repeat) + (recorded ? options.repeat : 0);
  Progress progress(!options.json);
  progress.stage("measuring");
  catchInterrupts();
  for (uint64_t round = 0; round < rounds && !interrupted(); ++round) {
    if (round <= options.repeat) {
      double prefill = timePrefill(session, work), decode = timeDecode(session, work);
      if (round > 0) {
        times.prefill.push_back(prefill);
        times.decode.push_back(decode);
      }
    } else {
      const size_t chunk = artifact.info().prefill_tokens, steps = (work.prompt.size() + chunk - 1) / chunk;
      recordings.prefill.push_back(record(session, eventsOf(model, steps), [&] { return timePrefill(session, work); }));
      recordings.decode.push_back(
          record(session, eventsOf(model, work.gen.size()), [&] { return timeDecode(session, work); }));
    }
    progress.update(round + 1, rounds);
  }
  if (interrupted())
    throw CLI::RuntimeError(kInterruptedExitCode);
}

static void bench(const BenchOptions &options) {
  uint64_t total = uint64_t(options.promptTokens) + options.genTokens;
  if (total == 0)
    throw Failure("nothing to measure: both --prompt-tokens and --gen-tokens are 0");
  Artifact artifact(options.file, options.isa);
  const sinter_model_info &info = artifact.info();
  if (total > info.context)
    throw Failure(std::to_string(options.promptTokens) + " prompt tokens and " + std::to_string(options.genTokens) +
                  " generated ones do not fit in the context of " + std::to_string(info.context));
  Session session = artifact.createSession(options.threads, 0);
  std::vector<uint32_t> ids = randomIds(static_cast<uint32_t>(total), info.vocab);
  const Workload work = {{ids.begin(), ids.begin() + options.promptTokens},
                         {ids.begin() + options.promptTokens, ids.end()}};

  Times times;
  Recordings recordings;
  measure(artifact, session, work, options, times, recordings);
  struct Phase {
    const char *name;
    uint32_t tokens;
    std::vector<double> rates;
    const Recording *recording; // null: not recorded
  };
  std::vector<Phase> phases;
  for (bool decode : {false, true}) {
    std::vector<Recording> &recorded = decode ? recordings.decode : recordings.prefill;
    if (uint32_t tokens = decode ? options.genTokens : options.promptTokens)
      phases.push_back({decode ? "decode" : "prefill", tokens, rates(tokens, decode ? times.decode : times.prefill),
                        recorded.empty() ? nullptr : &median(recorded)});
  }

  if (!options.trace.empty()) {
    std::vector<const Recording *> shown;
    for (const Phase &phase : phases)
      shown.push_back(phase.recording);
    writeTrace(options.trace, artifact.model().get(), shown);
  }
  uint32_t threads = session.threads();
  if (options.json) {
    Json told = {{"prompt_tokens", options.promptTokens},
                 {"gen_tokens", options.genTokens},
                 {"repeat", options.repeat},
                 {"threads", threads},
                 {"isa", info.isa},
                 {"prefill_tokens_per_second", nullptr},
                 {"decode_tokens_per_second", nullptr},
                 {"prefill_runs", Json::array()},
                 {"decode_runs", Json::array()}};
    for (const Phase &phase : phases) {
      told[std::string(phase.name) + "_tokens_per_second"] = median(phase.rates);
      told[std::string(phase.name) + "_runs"] = phase.rates;
      if (options.profile)
        told["profile"][phase.name] = toJson(summarize(artifact.model().get(), *phase.recording, phase.tokens));
    }
    printJson(told);
    return;
  }
  std::printf("%s: %s, %u threads, median of %u\n", info.name, info.isa, threads, options.repeat);
  for (const Phase &phase : phases)
    std::printf("%-8s %6u tokens  %9s tokens/s  (%s to %s)\n", phase.name, phase.tokens,
                rounded(median(phase.rates)).c_str(),
                rounded(*std::min_element(phase.rates.begin(), phase.rates.end())).c_str(),
                rounded(*std::max_element(phase.rates.begin(), phase.rates.end())).c_str());
  if (options.profile)
    for (const Phase &phase : phases)
      printProfile(phase.name, summarize(artifact.model().get(), *phase.recording, phase.tokens));
  flushOutput();
}

void addBenchCommand(CLI::App &app) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App *command = app.add_subcommand("bench", "Measures tokens per second");
  command->add_option("FILE", options->file, "a compiled model")->required()->type_name("");
  command->add_option("--prompt-tokens", options->promptTokens, "tokens prefilled at once, 0: skip")
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
  command->add_flag("--profile", options->profile,
                    "show where the time goes: by kind of dispatch, by kernel, by dispatch");
  command
      ->add_option("--trace", options->trace,
                   "write a time line of all threads to this file, for ui.perfetto.dev or chrome://tracing")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "print the medians, every round and the profile as JSON");
  command->footer("Examples:\n"
                  "  sinter bench tales.sinter --prompt-tokens 128 --gen-tokens 64 --threads 2\n"
                  "  sinter bench tales.sinter --profile --trace tales.json\n");
  command->callback([options] { bench(*options); });
}

} // namespace sinter
