// sinter classify: texts to labels, by an encoder with a classification head; a label for each token if the head is one
// for tokens.

#include "tools/Commands.h"
#include "tools/EncoderTexts.h"
#include "tools/Output.h"

#include <algorithm>
#include <cmath>

namespace sinter {

static std::string labelOf(const Artifact &artifact, uint32_t index) {
  const char *label = sinter_model_label(artifact.model().get(), index);
  return label ? label : std::to_string(index);
}

// Logits as probabilities: each of its own where labels are independent, or where there is only one; else of one of
// all.
static std::vector<double> probabilities(const sinter_encoder_info &info, const float *logits, uint64_t count) {
  std::vector<double> result(logits, logits + count);
  if (count == 1 || info.multi_label) {
    for (double &value : result)
      value = 1 / (1 + std::exp(-value));
    return result;
  }
  const double largest = *std::max_element(result.begin(), result.end());
  double sum = 0;
  for (double &value : result)
    sum += value = std::exp(value - largest);
  for (double &value : result)
    value /= sum;
  return result;
}

static Json rowJson(const Artifact &artifact, const sinter_encoder_info &info, const float *logits, uint64_t count) {
  const std::vector<double> shares = probabilities(info, logits, count);
  const uint32_t best = static_cast<uint32_t>(std::max_element(shares.begin(), shares.end()) - shares.begin());
  Json all = Json::object();
  for (uint32_t i = 0; i < count; ++i) {
    std::string label = labelOf(artifact, i);
    if (all.contains(label)) // labels may repeat, keys may not
      label += " (" + std::to_string(i) + ")";
    all[label] = {{"logit", logits[i]}, {"probability", shares[i]}};
  }
  return {{"label", labelOf(artifact, best)}, {"probability", shares[best]}, {"labels", all}};
}

static void classify(const TextOptions &options) {
  Artifact artifact(options.model);
  const sinter_encoder_info info = encoderOf(artifact);
  if (info.task == SINTER_EMBED)
    throw Failure(options.model + " has no classification head; use sinter embed");
  Session session = artifact.createSession(options.threads, 0);
  Json texts = Json::array();
  for (const EncoderText &text : readTexts(artifact, options)) {
    sinter_encoding encoding;
    session.encode(text.ids, text.types, encoding).orThrow();
    Json entry = {{"text", text.text}, {"tokens", text.ids.size()}, {"truncated", text.truncated}};
    if (info.task == SINTER_CLASSIFY) {
      entry.update(rowJson(artifact, info, encoding.output, encoding.output_width));
    } else {
      entry["tags"] = Json::array();
      for (uint64_t t = 0; t < encoding.output_rows; ++t) {
        Json tag = {{"id", text.ids[t]}};
        sinter_token token = {};
        if (artifact.hasTokenizer() &&
            sinter_tokenizer_token(artifact.tokenizer().get(), text.ids[t], &token) == SINTER_OK)
          tag["token"] = std::string(token.text, token.text_size);
        tag.update(rowJson(artifact, info, encoding.output + t * encoding.output_stride, encoding.output_width));
        entry["tags"].push_back(tag);
      }
    }
    texts.push_back(entry);
  }
  if (options.json)
    return printJson({{"model", artifact.info().name}, {"texts", texts}});
  for (const Json &entry : texts) {
    if (info.task == SINTER_CLASSIFY)
      std::printf("%-20s %6.4f  %s\n", entry["label"].get<std::string>().c_str(), entry["probability"].get<double>(),
                  entry["text"].get<std::string>().c_str());
    else
      for (const Json &tag : entry["tags"])
        std::printf("%-20s %6.4f  %s\n", tag["label"].get<std::string>().c_str(), tag["probability"].get<double>(),
                    tag.value("token", std::to_string(tag["id"].get<uint32_t>())).c_str());
  }
  flushOutput();
}

void addClassifyCommand(CLI::App &app) {
  auto options = std::make_shared<TextOptions>();
  CLI::App *command = app.add_subcommand("classify", "Says which label a classification model gives to texts");
  addTextOptions(*command, *options);
  command
      ->add_option("--first", options->first,
                   "a text that stands before each TEXT, for models of two: a question before passages")
      ->type_name("TEXT")
      ->excludes("--ids");
  command->add_flag("--json", options->json, "print every label with its logit and probability as JSON");
  command->footer("Examples:\n"
                  "  sinter classify sentiment.sinter \"what a lovely day\"\n"
                  "  sinter classify reranker.sinter --first \"what do cats eat\" --file passages.txt\n");
  command->callback([options] { classify(*options); });
}

} // namespace sinter
