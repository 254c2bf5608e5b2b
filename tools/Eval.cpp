// sinter eval: perplexity of a text, and with --against how far a package is from another one of the same model (a
// quantized one from the f32 one): mean KL divergence and how often both find the same token most likely. Each document
// is a sequence of its own; its first token is given, every later one is scored.

#include "runtime/tokenizer/eval_documents.h"
#include "tools/Artifact.h"
#include "tools/CommandLine.h"
#include "tools/Commands.h"
#include "tools/Interrupt.h"
#include "tools/Output.h"
#include "tools/Progress.h"

#include <cmath>

namespace sinter {

namespace {
struct EvalOptions {
  std::string file, text, against, isa, device = "cpu";
  uint32_t threads = 0, context = 0;
  bool json = false;
};

struct Score {
  double nll = 0; // nats, of all scored tokens together
  double kl = 0;  // nats, summed over positions
  uint64_t tokens = 0, agreed = 0, documents = 0;
};

// Logits of a few positions at a time.
struct LogitRows {
  std::vector<float> values; // [tokens][vocab]
  uint32_t vocab;
  const float *row(size_t index) const { return values.data() + index * vocab; }
};
} // namespace

static double logSumExp(const float *logits, uint32_t count) {
  double largest = *std::max_element(logits, logits + count);
  double sum = 0;
  for (uint32_t i = 0; i < count; ++i)
    sum += std::exp(logits[i] - largest);
  return largest + std::log(sum);
}

static double divergence(const float *reference, const float *logits, uint32_t count) {
  double referenceSum = logSumExp(reference, count), sum = logSumExp(logits, count), kl = 0;
  for (uint32_t i = 0; i < count; ++i) {
    double logP = reference[i] - referenceSum;
    kl += std::exp(logP) * (logP - (logits[i] - sum));
  }
  return kl;
}

static uint32_t mostLikely(const float *logits, uint32_t count) {
  return static_cast<uint32_t>(std::max_element(logits, logits + count) - logits);
}

// Appends ids to the sequence and keeps the logits after each.
static void scoreRows(Session &session, const std::vector<uint32_t> &ids, LogitRows &rows) {
  rows.values.resize(ids.size() * rows.vocab);
  auto keep = [&](size_t index, const float *logits) {
    std::copy(logits, logits + rows.vocab, rows.values.begin() + static_cast<std::ptrdiff_t>(index * rows.vocab));
  };
  session.score(ids, keep).orThrow();
}

static void scoreDocument(Session &session, Session &other, const std::vector<uint32_t> &ids, uint32_t vocab,
                          Score &score) {
  constexpr size_t kStep = 64; // bounds the memory for logits
  LogitRows rows = {{}, vocab}, reference = {{}, vocab};
  session.reset();
  if (other)
    other.reset();
  for (size_t begin = 0; begin + 1 < ids.size() && !interrupted(); begin += kStep) {
    size_t count = std::min(kStep, ids.size() - 1 - begin); // nothing follows the last token
    std::vector<uint32_t> step(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                               ids.begin() + static_cast<std::ptrdiff_t>(begin + count));
    scoreRows(session, step, rows);
    if (other)
      scoreRows(other, step, reference);
    for (size_t i = 0; i < count; ++i) {
      const float *logits = rows.row(i);
      score.nll += logSumExp(logits, vocab) - logits[ids[begin + i + 1]];
      if (other) {
        score.kl += divergence(reference.row(i), logits, vocab);
        score.agreed += mostLikely(reference.row(i), vocab) == mostLikely(logits, vocab);
      }
    }
    score.tokens += count;
  }
  ++score.documents;
}

static Score scoreAll(const EvalOptions &options, Artifact &artifact, const std::vector<std::string> &documents) {
  const sinter_model_info &info = artifact.info();
  uint32_t context = options.context ? options.context : info.context;
  Session session = artifact.createSession(options.threads, options.context), other;
  std::unique_ptr<Artifact> reference;
  if (!options.against.empty()) {
    reference = std::make_unique<Artifact>(options.against, options.isa);
    if (reference->info().vocab != info.vocab)
      throw Failure(options.against + " has " + std::to_string(reference->info().vocab) + " tokens, " + options.file +
                    " has " + std::to_string(info.vocab) + ": not the same model");
    context = std::min(context, reference->info().context);
    other = reference->createSession(options.threads, 0);
  }
  Score score;
  Progress progress(!options.json);
  progress.stage("scoring");
  for (const std::string &document : documents) {
    std::vector<uint32_t> ids = artifact.encode(document);
    ids.resize(std::min<size_t>(ids.size(), context));
    scoreDocument(session, other, ids, info.vocab, score);
    if (interrupted())
      throw CLI::RuntimeError(kInterruptedExitCode);
    std::string rate = rounded(static_cast<double>(score.tokens) / progress.seconds()) + " tokens/s";
    progress.update(score.documents, documents.size(), rate);
  }
  return score;
}

static void eval(const EvalOptions &options) {
  Artifact artifact(options.file, options.isa, chooseDevice(options.device));
  if (!artifact.hasTokenizer())
    throw Failure(options.file + " has no tokenizer, which eval needs");
  std::vector<std::string> documents = splitEvalDocuments(readText(options.text));
  catchInterrupts();
  Score score = scoreAll(options, artifact, documents);
  if (score.tokens == 0)
    throw Failure(options.text + " has nothing to score: no document is longer than one token");
  double tokens = static_cast<double>(score.tokens);
  double nll = score.nll / tokens, kl = score.kl / tokens, agreement = static_cast<double>(score.agreed) / tokens;
  if (options.json) {
    Json result = {{"perplexity", std::exp(nll)},
                   {"nll", nll},
                   {"tokens", score.tokens},
                   {"documents", score.documents},
                   {"isa", artifact.info().isa},
                   {"device", artifact.info().device}};
    if (!options.against.empty()) {
      result["kl"] = kl;
      result["top1_agreement"] = agreement;
    }
    printJson(result);
    return;
  }
  std::printf("perplexity %.6f  (nll %.6f per token, %s tokens in %s documents)\n", std::exp(nll), nll,
              grouped(score.tokens).c_str(), grouped(score.documents).c_str());
  if (!options.against.empty())
    std::printf("against %s: mean KL %.6f nats, same most likely token %.2f %%\n", options.against.c_str(), kl,
                agreement * 100);
  flushOutput();
}

void addEvalCommand(CLI::App &app) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App *command = app.add_subcommand("eval", "Measures perplexity on a text");
  command->add_option("FILE", options->file, "a compiled model")->required()->type_name("");
  command->add_option("--text", options->text, "documents separated by lines that read <|end|>; \"-\": standard input")
      ->type_name("FILE")
      ->required();
  command->add_option("--against", options->against, "a package of the same model to compare with: KL and agreement")
      ->type_name("FILE");
  command->add_option("--threads", options->threads, "default: the processors this process may use")->check(positive());
  command->add_option("--context", options->context, "cut documents to this many tokens (default: the model's context)")
      ->check(positive());
  command->add_option("--isa", options->isa, "use this code of the package, e.g. x86-64-avx2")->type_name("NAME");
  addDeviceOption(command, options->device);
  command->add_flag("--json", options->json, "print perplexity, nll (nats per token) and tokens as JSON");
  command->footer("Each document is tokenized alone, with a BOS where the tokenizer adds one, and cut to the context;\n"
                  "perplexity = exp(nll), over every token but the first of each document.\n\n"
                  "Examples:\n"
                  "  sinter eval tales-q4.sinter --text stories.txt\n"
                  "  sinter eval tales-q4.sinter --text stories.txt --against tales-f32.sinter\n");
  command->callback([options] { eval(*options); });
}

} // namespace sinter
