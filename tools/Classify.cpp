// sinter classify: texts to labels, by an encoder with a classification head; a label for each token if the head is one
// for tokens.

#include "tools/Commands.h"
#include "tools/EncoderTexts.h"
#include "tools/Output.h"

#include <CLI/CLI.hpp>

namespace sinter {

static Json rowJson(const LabeledRow &row) {
  Json all = Json::object();
  for (const Label &label : row.labels)
    all[label.key] = {{"logit", label.logit}, {"probability", label.probability}};
  return {{"label", row.label().name}, {"probability", row.label().probability}, {"labels", all}};
}

static void classify(const TextOptions &options) {
  Artifact artifact(options.model);
  const bool whole = encoderOf(artifact).task == SINTER_CLASSIFY;
  const std::vector<LabeledText> results = classifyTexts(artifact, options);
  if (!options.json)
    return printLabels(artifact, results);
  Json texts = Json::array();
  for (const LabeledText &result : results) {
    Json entry = {
        {"text", result.text.text}, {"tokens", result.text.ids.size()}, {"truncated", result.text.truncated}};
    if (whole)
      entry.update(rowJson(result.rows.front()));
    else
      entry["tags"] = Json::array();
    for (const LabeledRow &row : result.rows) {
      if (whole)
        break;
      Json tag = {{"id", row.id}};
      if (artifact.hasTokenizer())
        tag["token"] = row.token;
      tag.update(rowJson(row));
      entry["tags"].push_back(tag);
    }
    texts.push_back(entry);
  }
  printJson({{"model", artifact.info().name}, {"texts", texts}});
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
