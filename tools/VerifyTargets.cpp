// The sample is a fixed text in the model's own tokens, so that what is measured is the distribution the model was made
// for; models without a tokenizer get fixed ids.

#include "tools/VerifyTargets.h"

#include "reference/Verify.h"
#include "runtime/sinter.h"
#include "runtime/tokenizer/sinter_tokenizer.hpp"
#include "tools/DeviceBackends.h"

#include <memory>

namespace sinter {

// Enough to fill more than one prefill step and tile of the cache, and little enough for the reference to take seconds.
static constexpr size_t kSampleTokens = 160;

static const char kSampleText[] =
    "Once upon a time there was a small town by the sea. Every morning the fishermen went out in their boats, and "
    "every "
    "evening they came back with stories. One day a girl named Lily found a green bottle in the sand. There was a "
    "letter "
    "in it: \"Whoever reads this, please come to the old lighthouse at noon.\" She ran home and told her brother Tom. "
    "\"We should go,\" he said, \"but first we need a lamp, some bread, and 3.50 for the ferry.\" They packed a bag, "
    "left a note for their mother, and walked along the beach. The door of the lighthouse was open. Inside, an old man "
    "sat at a table with a map. He smiled and said: \"I have waited thirty years for somebody to find my letter.\"";

using Model = std::unique_ptr<sinter_model, void (*)(sinter_model *)>;

// To open a package with its code for `target`. False for one that is for devices of which this machine has none.
static bool findMachine(const std::string &target, sinter_model_options &options) {
  options = {};
  options.api_version = SINTER_API_VERSION;
  for (const sinter_device_backend *backend : deviceBackends()) {
    if (target != backend->name)
      continue;
    options.backend = backend;
    uint32_t count = 0;
    return backend->list(nullptr, 0, &count, nullptr) == SINTER_OK && count > 0;
  }
  options.isa = target.c_str();
  return true;
}

static Model openModel(const std::string &path, const sinter_model_options &options, sinter_error &error) {
  sinter_model *model = nullptr;
  sinter_model_open(path.c_str(), &options, &model, &error);
  return Model(model, sinter_model_close);
}

static std::vector<uint32_t> sampleIds(const sinter_model_info &info) {
  std::vector<uint32_t> ids;
  std::string ignored;
  Tokenizer tokenizer;
  if (info.tokenizer && tokenizer.open(info.tokenizer, info.tokenizer_size, ignored))
    tokenizer.encode(kSampleText, SINTER_ADD_SPECIAL, ids, ignored);
  for (uint32_t id : ids)
    if (id >= info.vocab) { // a tokenizer of another model
      ids.clear();
      break;
    }
  uint64_t state = 1;
  while (ids.size() < kSampleTokens && ids.size() < info.context) { // Knuth's MMIX generator
    state = state * 6364136223846793005u + 1442695040888963407u;
    ids.push_back(static_cast<uint32_t>(state >> 33) % info.vocab);
  }
  ids.resize(std::min<size_t>({ids.size(), kSampleTokens, info.context}));
  return ids;
}

static Verification convert(const VerifyReport &report) {
  Verification result;
  result.isa = report.isa;
  for (const LayerError &layer : report.layers)
    result.layers.push_back({layer.name, layer.largest, layer.relative});
  result.layers.push_back({report.logits.name, report.logits.largest, report.logits.relative});
  result.klMean = report.klMean;
  result.klMax = report.klMax;
  result.klBound = report.klBound;
  result.top1Agreement = report.top1Agreement;
  result.errorBound = report.errorBound;
  result.positions = report.positions;
  result.encoder = report.encoder;
  result.cosine = report.cosine;
  result.passed = report.passed;
  return result;
}

llvm::Error verifyTargets(const CompileOptions &options, mlir::ModuleOp specification, tx::ParamReader &reader,
                          Progress &progress, CompileReport &report) {
  for (const auto &[target, bytes] : report.targets) {
    std::vector<uint32_t> ids;
    sinter_model_options machine;
    {
      sinter_error problem = {};
      const bool found = findMachine(target, machine);
      Model model(nullptr, sinter_model_close);
      if (found)
        model = openModel(options.output, machine, problem);
      if (!found || (!model && problem.status == SINTER_ERROR_UNSUPPORTED)) {
        report.notVerified.push_back(target);
        continue;
      }
      if (!model)
        return llvm::createStringError(problem.message);
      sinter_model_info info = {};
      sinter_model_get_info(model.get(), &info);
      ids = sampleIds(info);
    }
    progress.stage("verifying " + target);
    llvm::Expected<VerifyReport> verified = verifyPackage(options.output, machine, specification, reader, ids);
    if (!verified)
      return verified.takeError();
    report.verifications.push_back(convert(*verified));
  }
  if (report.verifications.empty())
    return llvm::createStringError("this machine runs none of the targets in " + options.output +
                                   ", so there is nothing to verify");
  return llvm::Error::success();
}

} // namespace sinter
