// sinter bench: how fast a package runs here. Ids are random but the same every time, so that models without a
// tokenizer can be measured and two runs do the same work. A first, unmeasured round brings pages and caches to rest;
// then medians.

#include "tools/Artifact.h"
#include "tools/CommandLine.h"
#include "tools/Commands.h"
#include "tools/Interrupt.h"
#include "tools/Output.h"
#include "tools/Progress.h"

#include <algorithm>
#include <random>

namespace sinter {

namespace {
struct BenchOptions {
  std::string file, isa;
  uint32_t promptTokens = 128, genTokens = 64, threads = 0, repeat = 5;
  bool json = false;
};

struct Rates {
  double prefill = 0, decode = 0; // tokens per second; 0: not measured
};
} // namespace

static std::vector<uint32_t> randomIds(uint32_t count, uint32_t vocab) {
  std::mt19937 random(1); // its output is fixed by the standard; distributions are not
  std::vector<uint32_t> ids(count);
  for (uint32_t &id : ids)
    id = random() % vocab;
  return ids;
}

static Rates measure(Session &session, const std::vector<uint32_t> &prompt, const std::vector<uint32_t> &gen) {
  using Clock = std::chrono::steady_clock;
  Rates rates;
  session.reset();
  Clock::time_point begin = Clock::now();
  if (!prompt.empty())
    session.prefill(prompt).orThrow();
  Clock::time_point middle = Clock::now();
  for (uint32_t id : gen)
    session.decode(id).orThrow();
  Clock::time_point end = Clock::now();
  rates.prefill = static_cast<double>(prompt.size()) / std::chrono::duration<double>(middle - begin).count();
  rates.decode = static_cast<double>(gen.size()) / std::chrono::duration<double>(end - middle).count();
  return rates;
}

static double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
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
  std::vector<uint32_t> prompt(ids.begin(), ids.begin() + options.promptTokens);
  std::vector<uint32_t> gen(ids.begin() + options.promptTokens, ids.end());

  std::vector<double> prefill, decode;
  {
    Progress progress(!options.json);
    progress.stage("measuring");
    catchInterrupts();
    for (uint32_t round = 0; round <= options.repeat && !interrupted(); ++round) {
      Rates rates = measure(session, prompt, gen);
      progress.update(round + 1, options.repeat + 1);
      if (round == 0)
        continue;
      prefill.push_back(rates.prefill);
      decode.push_back(rates.decode);
    }
  }
  if (interrupted())
    throw CLI::RuntimeError(kInterruptedExitCode);
  uint32_t threads = session.threads();
  if (options.json) {
    printJson({{"prompt_tokens", options.promptTokens},
               {"gen_tokens", options.genTokens},
               {"repeat", options.repeat},
               {"threads", threads},
               {"isa", info.isa},
               {"prefill_tokens_per_second", prompt.empty() ? Json(nullptr) : Json(median(prefill))},
               {"decode_tokens_per_second", gen.empty() ? Json(nullptr) : Json(median(decode))},
               {"prefill_runs", prompt.empty() ? Json::array() : Json(prefill)},
               {"decode_runs", gen.empty() ? Json::array() : Json(decode)}});
    return;
  }
  std::printf("%s: %s, %u threads, median of %u\n", info.name, info.isa, threads, options.repeat);
  auto line = [](const char *what, uint32_t tokens, const std::vector<double> &runs) {
    std::printf("%-8s %6u tokens  %9s tokens/s  (%s to %s)\n", what, tokens, rounded(median(runs)).c_str(),
                rounded(*std::min_element(runs.begin(), runs.end())).c_str(),
                rounded(*std::max_element(runs.begin(), runs.end())).c_str());
  };
  if (!prompt.empty())
    line("prefill", options.promptTokens, prefill);
  if (!gen.empty())
    line("decode", options.genTokens, decode);
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
  command->add_flag("--json", options->json, "print the medians and every round as JSON");
  command->footer("Example:\n  sinter bench tales.sinter --prompt-tokens 128 --gen-tokens 64 --threads 2\n");
  command->callback([options] { bench(*options); });
}

} // namespace sinter
