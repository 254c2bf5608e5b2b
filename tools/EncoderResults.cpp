// What an encoder makes of texts, as people and programs want it: vectors of a chosen pooling and length, labels with
// their probabilities.

#include "tools/EncoderTexts.h"
#include "tools/Npy.h"
#include "tools/Numbers.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace sinter {

static std::vector<float> poolRows(const sinter_encoding &encoding, uint32_t width, const std::string &pooling) {
  std::vector<float> result(width);
  auto row = [&](uint64_t t) { return encoding.hidden + t * encoding.hidden_stride; };
  if (pooling == "first" || pooling == "cls" || pooling == "last") {
    const float *only = row(pooling == "last" ? encoding.tokens - 1 : 0);
    result.assign(only, only + width);
    return result;
  }
  for (uint32_t column = 0; column < width; ++column) {
    double sum = 0;
    float largest = -std::numeric_limits<float>::infinity();
    for (uint64_t t = 0; t < encoding.tokens; ++t) {
      sum += row(t)[column];
      largest = std::max(largest, row(t)[column]);
    }
    result[column] = pooling == "max" ? largest : float(sum / double(encoding.tokens));
  }
  return result;
}

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

Embeddings embedTexts(Artifact &artifact, const EmbedOptions &options) {
  if (options.similarity + options.json + !options.output.empty() > 1)
    throw Failure("--similarity, --output and --json exclude each other");
  const sinter_encoder_info info = encoderOf(artifact);
  if (info.task != SINTER_EMBED && options.pooling.empty())
    throw Failure(artifact.path() + " classifies; use sinter classify, or name a --pooling of its hidden rows");
  Embeddings result;
  result.texts = readTexts(artifact, options);
  result.pooling = options.pooling.empty() ? std::string(info.pooling) : options.pooling;
  result.normalized = options.normalize || (info.unit && options.pooling.empty());
  if (!options.hidden.empty() && result.texts.size() != 1)
    throw Failure("--hidden takes one text, found " + std::to_string(result.texts.size()));
  Session session = artifact.createSession(options.threads, 0);
  for (const EncoderText &text : result.texts) {
    sinter_encoding encoding;
    session.encode(text.ids, text.types, encoding).orThrow();
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
    result.vectors.push_back(std::move(vector));
  }
  return result;
}

bool writeEmbeddings(const Embeddings &embeddings, const EmbedOptions &options) {
  if (options.similarity) {
    printSimilarities(embeddings.texts, embeddings.vectors);
    return true;
  }
  if (options.output.empty())
    return false;
  std::vector<float> all;
  for (const std::vector<float> &vector : embeddings.vectors)
    all.insert(all.end(), vector.begin(), vector.end());
  writeNpy(options.output, all, embeddings.vectors.size(), embeddings.vectors.front().size());
  return true;
}

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

static std::vector<Label> labelsOf(const Artifact &artifact, const float *logits, const std::vector<double> &shares) {
  std::vector<Label> labels;
  for (uint32_t i = 0; i < shares.size(); ++i) {
    Label label = {labelOf(artifact, i), "", logits[i], shares[i]};
    label.key = label.name;
    for (const Label &other : labels)
      if (other.key == label.name)
        label.key = label.name + " (" + std::to_string(i) + ")";
    labels.push_back(std::move(label));
  }
  return labels;
}

std::vector<LabeledText> classifyTexts(Artifact &artifact, const TextOptions &options) {
  const sinter_encoder_info info = encoderOf(artifact);
  if (info.task == SINTER_EMBED)
    throw Failure(artifact.path() + " has no classification head; use sinter embed");
  Session session = artifact.createSession(options.threads, 0);
  std::vector<LabeledText> result;
  for (const EncoderText &text : readTexts(artifact, options)) {
    sinter_encoding encoding;
    session.encode(text.ids, text.types, encoding).orThrow();
    LabeledText labeled = {text, {}};
    for (uint64_t t = 0; t < encoding.output_rows; ++t) {
      const float *logits = encoding.output + t * encoding.output_stride;
      const std::vector<double> shares = probabilities(info, logits, encoding.output_width);
      LabeledRow row = {text.ids[t], "", labelsOf(artifact, logits, shares), 0};
      row.best = size_t(std::max_element(shares.begin(), shares.end()) - shares.begin());
      sinter_token token = {};
      if (artifact.hasTokenizer() && sinter_tokenizer_token(artifact.tokenizer().get(), row.id, &token) == SINTER_OK)
        row.token.assign(token.text, token.text_size);
      labeled.rows.push_back(std::move(row));
    }
    result.push_back(std::move(labeled));
  }
  return result;
}

void printLabels(const Artifact &artifact, const std::vector<LabeledText> &texts) {
  const bool whole = encoderOf(artifact).task == SINTER_CLASSIFY;
  for (const LabeledText &text : texts)
    for (const LabeledRow &row : text.rows)
      std::printf("%-20s %6.4f  %s\n", row.label().name.c_str(), row.label().probability,
                  (whole ? text.text.text : row.token.empty() ? std::to_string(row.id) : row.token).c_str());
  flushOutput();
}

} // namespace sinter
