// Texts on their way into an encoder. Truncation keeps what the tokenizer puts around a text: the marks at its end
// stay.

#include "tools/EncoderTexts.h"

#include <algorithm>
#include <cstdio>

namespace sinter {

sinter_encoder_info encoderOf(const Artifact &artifact) {
  sinter_encoder_info info;
  if (sinter_model_get_encoder(artifact.model().get(), &info) != SINTER_OK)
    throw Failure(artifact.path() + " is not an encoder: it was compiled from a " + artifact.info().family + " model");
  return info;
}

// Without the tokens around it.
static std::vector<uint32_t> encodeBare(const Artifact &artifact, const std::string &text) {
  std::vector<uint32_t> ids;
  std::string error;
  if (!artifact.tokenizer().encode(text, SINTER_PARSE_SPECIAL, ids, error))
    throw Failure(artifact.path() + ": " + error);
  return ids;
}

// How many tokens of the text itself there is room for.
static size_t roomFor(const Artifact &artifact, size_t around, size_t most) {
  if (around >= most)
    throw Failure(artifact.path() + ": " + std::to_string(most) + " tokens are not enough for the " +
                  std::to_string(around) + " around each text");
  return most - around;
}

// The ids of a text, at most `most`.
static std::vector<uint32_t> fit(const Artifact &artifact, const std::string &text, size_t most, bool &truncated) {
  std::vector<uint32_t> ids = artifact.encode(text);
  truncated = ids.size() > most;
  if (!truncated)
    return ids;
  const std::vector<uint32_t> bare = encodeBare(artifact, text);
  const size_t around = ids.size() - bare.size(), room = roomFor(artifact, around, most);
  size_t prefix = 0;
  while (prefix < around && !std::equal(bare.begin(), bare.end(), ids.begin() + prefix))
    ++prefix;
  ids.erase(ids.begin() + prefix + room, ids.begin() + prefix + bare.size());
  return ids;
}

// Two texts as one. Where both are longer than half of the room they get half of it each.
static void fitPair(const Artifact &artifact, const std::string &first, size_t most, EncoderText &text) {
  std::vector<uint32_t> left = encodeBare(artifact, first), right = encodeBare(artifact, text.text);
  std::string error;
  auto join = [&] {
    if (!artifact.tokenizer().join(left, right, text.ids, text.types, error))
      throw Failure(artifact.path() + ": " + error);
  };
  join();
  text.truncated = text.ids.size() > most;
  if (text.truncated) {
    const size_t room = roomFor(artifact, text.ids.size() - left.size() - right.size(), most);
    std::vector<uint32_t> &longer = left.size() > right.size() ? left : right,
                          &shorter = &longer == &left ? right : left;
    shorter.resize(std::min(shorter.size(), room / 2));
    longer.resize(room - shorter.size());
    join();
  }
  if (encoderOf(artifact).types == 0)
    text.types.clear();
}

static void addText(const Artifact &artifact, const std::optional<std::string> &first, const std::string &text,
                    size_t most, std::vector<EncoderText> &texts) {
  EncoderText next;
  next.text = text;
  if (first)
    fitPair(artifact, *first, most, next);
  else
    next.ids = fit(artifact, text, most, next.truncated);
  if (next.ids.empty())
    throw Failure("text " + std::to_string(texts.size() + 1) + " has no tokens");
  if (next.truncated)
    std::fprintf(stderr, "note: text %zu is longer than %zu tokens; its end is left out\n", texts.size() + 1, most);
  texts.push_back(std::move(next));
}

std::vector<EncoderText> readTexts(const Artifact &artifact, const TextOptions &options) {
  if (options.first && !options.ids.empty())
    throw Failure("--first and --ids exclude each other");
  const size_t most = encoderOf(artifact).tokens;
  std::vector<EncoderText> texts;
  if ((!options.texts.empty() || !options.file.empty()) && !artifact.hasTokenizer())
    throw Failure(artifact.path() + " has no tokenizer: give --ids");
  for (const std::string &text : options.texts)
    addText(artifact, options.first, text, most, texts);
  if (!options.file.empty()) {
    const std::string all = readText(options.file);
    for (size_t begin = 0; begin < all.size();) {
      const size_t end = std::min(all.find('\n', begin), all.size());
      size_t stop = end > begin && all[end - 1] == '\r' ? end - 1 : end;
      addText(artifact, options.first, all.substr(begin, stop - begin), most, texts);
      begin = end + 1;
    }
  }
  for (const std::string &list : options.ids)
    texts.push_back({"", parseIds(list), false, {}});
  if (texts.empty())
    throw Failure("give at least one text, --file or --ids");
  return texts;
}

} // namespace sinter
