// sinter run: continues a prompt (Continuation.cpp). This file has its options.

#include "tools/CommandLine.h"
#include "tools/Commands.h"
#include "tools/Continuation.h"
#include "tools/Interrupt.h"
#include "tools/Output.h"

namespace sinter {

namespace {
struct RunOptions : ContinueOptions {
  std::string file, isa, device = "cpu";
  bool verbose = false;
};
} // namespace

static void run(const RunOptions &options) {
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  Artifact artifact(options.file, options.isa, chooseDevice(options.device));
  Continuation result = continuePrompt(options, artifact, started);
  if (options.json) {
    printJson({{"prompt_tokens", result.prompt},
               {"tokens", result.tokens},
               {"text", result.hasText ? Json(result.text) : Json(nullptr)},
               {"stop", result.stop},
               {"prefill_tokens_per_second", result.prefillRate},
               {"decode_tokens_per_second", result.decodeRate},
               {"load_seconds", result.loadSeconds},
               {"first_token_seconds", result.firstTokenSeconds},
               {"seed", result.seed},
               {"isa", result.isa},
                {"device", artifact.info().device},
               {"threads", result.threads}});
  } else {
    std::printf("\n");
    flushOutput();
  }
  if (options.verbose)
    printStatistics(result);
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
  addDeviceOption(command, o.device)->group(machine);
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
