// sinter embed: texts to vectors, by an encoder. JSON or .npy for programs; the angles between the texts for people.

#include "tools/Commands.h"
#include "tools/EncoderTexts.h"
#include "tools/Npy.h"
#include "tools/Output.h"

#include <cmath>

namespace sinter {

namespace {
struct EmbedOptions : TextOptions {
  std::string pooling, output, hidden;
  bool normalize = false, similarity = false;
};
} // namespace

static double dot(const std::vector<float> &a, const std::vector<float> &b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += double(a[i]) * double(b[i]);
  return sum;
}

static void printSimilarities(const std::vector<EncoderText> &texts, const std::vector<std::vector<float>> &vectors) {
  for (size_t i = 0; i < vectors.size(); ++i) {
    for (const std::vector<float> &other : vectors) {
      const double lengths = std::sqrt(dot(vectors[i], vectors[i]) * dot(other, other));
      std::printf("%7.4f ", lengths > 0 ? dot(vectors[i], other) / lengths : 0);
    }
    std::printf(" %s\n", texts[i].text.c_str());
  }
  flushOutput();
}

static void writeHidden(const std::string &path, const sinter_encoding &encoding, uint32_t width) {
  std::vector<float> rows;
  for (uint64_t t = 0; t < encoding.tokens; ++t)
    rows.insert(rows.end(), encoding.hidden + t * encoding.hidden_stride,
                encoding.hidden + t * encoding.hidden_stride + width);
  writeNpy(path, rows, encoding.tokens, width);
}

static void embed(const EmbedOptions &options) {
  Artifact artifact(options.model);
  const sinter_encoder_info info = encoderOf(artifact);
  if (info.task != SINTER_EMBED && options.pooling.empty())
    throw Failure(options.model + " classifies; use sinter classify, or name a --pooling of its hidden rows");
  const std::vector<EncoderText> texts = readTexts(artifact, options);
  if (!options.hidden.empty() && texts.size() != 1)
    throw Failure("--hidden takes one text, found " + std::to_string(texts.size()));

  Session session = artifact.createSession(options.threads, 0);
  std::vector<std::vector<float>> vectors;
  for (const EncoderText &text : texts) {
    sinter_encoding encoding;
    session.encode(text.ids, {}, encoding).orThrow();
    std::vector<float> vector = options.pooling.empty()
                                    ? std::vector<float>(encoding.output, encoding.output + encoding.output_width)
                                    : poolRows(encoding, artifact.info().hidden, options.pooling);
    if (options.normalize) {
      const float length = std::max(float(std::sqrt(dot(vector, vector))), 1e-12f);
      for (float &value : vector)
        value /= length;
    }
    if (!options.hidden.empty())
      writeHidden(options.hidden, encoding, artifact.info().hidden);
    vectors.push_back(std::move(vector));
  }

  if (options.similarity)
    return printSimilarities(texts, vectors);
  if (!options.output.empty()) {
    std::vector<float> all;
    for (const std::vector<float> &vector : vectors)
      all.insert(all.end(), vector.begin(), vector.end());
    return writeNpy(options.output, all, vectors.size(), vectors.front().size());
  }
  Json rows = Json::array();
  for (size_t i = 0; i < texts.size(); ++i)
    rows.push_back({{"text", texts[i].text},
                    {"tokens", texts[i].ids.size()},
                    {"truncated", texts[i].truncated},
                    {"embedding", vectors[i]}});
  printJson({{"model", artifact.info().name},
             {"pooling", options.pooling.empty() ? std::string(info.pooling) : options.pooling},
             {"normalized", options.normalize || (info.unit && options.pooling.empty())},
             {"dimensions", vectors.front().size()},
             {"embeddings", rows}});
}

void addEmbedCommand(CLI::App &app) {
  auto options = std::make_shared<EmbedOptions>();
  CLI::App *command = app.add_subcommand("embed", "Turns texts into vectors");
  addTextOptions(*command, *options);
  command->add_option("--pooling", options->pooling, "how token vectors become one (default: as the model says)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"mean", "cls", "first", "last", "max"}));
  command->add_flag("--normalize", options->normalize, "scale vectors to length 1, also where the model does not");
  command->add_option("--output", options->output, "write a NumPy file [texts, dimensions] instead of JSON")
      ->type_name("FILE.npy");
  command
      ->add_option("--hidden", options->hidden, "also write one text's last hidden rows [tokens, width] to this file")
      ->type_name("FILE.npy");
  command->add_flag("--similarity", options->similarity, "print the cosines between the texts instead")
      ->excludes("--output");
  command->add_flag("--json", options->json, "print JSON, which is the default")->excludes("--output", "--similarity");
  command->footer("Examples:\n"
                  "  sinter embed minilm.sinter \"a cat\" \"a kitten\" --similarity\n"
                  "  sinter embed minilm.sinter --file lines.txt --output vectors.npy\n");
  command->callback([options] { embed(*options); });
}

} // namespace sinter
