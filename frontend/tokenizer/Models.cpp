// The "model" and "added_tokens" of tokenizer.json, a row of the table for each kind of model. Merges are resolved to
// ids here: the pair and what it becomes.

#include "Components.h"

#include <algorithm>
#include <cmath>

namespace sinter::tokenizer {
namespace {

constexpr int64_t kMaxId = (1 << 24) - 1;

void readBpe(const JsonNode &model, TokenModel &bpe);

struct Kind {
  const char *type;
  void (*read)(const JsonNode &model, TokenModel &bpe);
};

void readWordPiece(const JsonNode &model, TokenModel &words);
void readUnigram(const JsonNode &model, TokenModel &unigram);

constexpr Kind kKinds[] = {{"BPE", readBpe}, {"WordPiece", readWordPiece}, {"Unigram", readUnigram}};

// {"the": 5, ...}
void readVocabulary(const JsonNode &vocabulary, TokenModel &model) {
  vocabulary.requireObject();
  model.ids.reserve(vocabulary.json().size());
  for (nlohmann::json::const_iterator entry = vocabulary.json().begin(); entry != vocabulary.json().end(); ++entry)
    model.ids[entry.key()] = static_cast<uint32_t>(vocabulary[entry.key()].integer(0, kMaxId));
}

void readUnknown(const JsonNode &unknown, TokenModel &model) {
  std::unordered_map<std::string, uint32_t>::const_iterator found = model.ids.find(unknown.string());
  if (found == model.ids.end())
    unknown.fail("'" + unknown.string() + "' is not in the vocabulary");
  model.unknown = found->second;
}

// "a b", or ["a", "b"].
void splitMerge(const JsonNode &merges, size_t index, std::string &left, std::string &right) {
  const nlohmann::json &merge = merges.json()[index];
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    left = merge[0].get_ref<const std::string &>();
    right = merge[1].get_ref<const std::string &>();
    return;
  }
  if (merge.is_string()) {
    const std::string &pair = merge.get_ref<const std::string &>();
    size_t space = pair.find(' ');
    if (space != std::string::npos && pair.find(' ', space + 1) == std::string::npos) {
      left = pair.substr(0, space);
      right = pair.substr(space + 1);
      return;
    }
  }
  merges.fail("merge " + std::to_string(index) + ": expected \"a b\" or [\"a\", \"b\"]");
}

void readMerges(const JsonNode &merges, TokenModel &bpe) {
  merges.requireArray();
  size_t count = merges.json().size();
  auto idOf = [&](const std::string &text, size_t index) {
    std::unordered_map<std::string, uint32_t>::const_iterator found = bpe.ids.find(text);
    if (found == bpe.ids.end())
      merges.fail("merge " + std::to_string(index) + ": '" + text.substr(0, 100) + "' is not in the vocabulary");
    return found->second;
  };
  std::string left;
  std::string right;
  bpe.merges.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    splitMerge(merges, i, left, right);
    bpe.merges.push_back({idOf(left, i), idOf(right, i), static_cast<uint32_t>(i), idOf(left + right, i)});
  }
  // Of a pair that comes twice the later counts, as in a map that is filled in order.
  std::sort(bpe.merges.begin(), bpe.merges.end(), [](const BpeMerge &a, const BpeMerge &b) {
    return a.left != b.left ? a.left < b.left : a.right != b.right ? a.right < b.right : a.rank > b.rank;
  });
  bpe.merges.erase(
      std::unique(bpe.merges.begin(), bpe.merges.end(),
                  [](const BpeMerge &a, const BpeMerge &b) { return a.left == b.left && a.right == b.right; }),
      bpe.merges.end());
}

void readBpe(const JsonNode &model, TokenModel &bpe) {
  for (const char *name : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!model[name].string("").empty())
      model[name].fail("'" + model[name].string() + "' is not supported (expected none)");
  bpe.fuseUnknown = model["fuse_unk"].boolean(false);
  bpe.byteFallback = model["byte_fallback"].boolean(false);
  bpe.ignoreMerges = model["ignore_merges"].boolean(false);

  readVocabulary(model["vocab"], bpe);
  readMerges(model["merges"], bpe);

  if (!model["unk_token"].isNull())
    readUnknown(model["unk_token"], bpe);
}

void readWordPiece(const JsonNode &model, TokenModel &words) {
  words.kind = tokens::ModelKind::word_piece;
  words.continuation = model["continuing_subword_prefix"].string("##");
  words.mostCharacters = static_cast<uint32_t>(model["max_input_chars_per_word"].integer(0, 4096, 100));
  readVocabulary(model["vocab"], words);
  readUnknown(model["unk_token"], words);
}

// "vocab": [["<unk>", 0.0], ["the", -3.2], ...]; the place in the list is the id.
void readUnigram(const JsonNode &model, TokenModel &unigram) {
  unigram.kind = tokens::ModelKind::unigram;
  unigram.byteFallback = model["byte_fallback"].boolean(false);
  const JsonNode vocabulary = model["vocab"];
  vocabulary.requireArray();
  const nlohmann::json &list = vocabulary.json();
  if (list.size() > static_cast<size_t>(kMaxId))
    vocabulary.fail(std::to_string(list.size()) + " tokens (limit " + std::to_string(kMaxId) + ")");
  for (size_t id = 0; id < list.size(); ++id) {
    const nlohmann::json &pair = list[id];
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_number() ||
        !std::isfinite(pair[1].get<double>()))
      vocabulary.fail("token " + std::to_string(id) + ": expected a text and a score");
    // Of a token that comes twice the later id counts, as in a map that is filled in order.
    unigram.ids[pair[0].get<std::string>()] = static_cast<uint32_t>(id);
    unigram.scores.push_back(pair[1].get<double>());
  }
  const JsonNode unknown = model["unk_id"];
  if (unknown.isNull())
    return;
  unigram.unknown = unknown.integer(0, static_cast<int64_t>(list.size()) - 1);
  const std::string text = list[unigram.unknown][0].get<std::string>();
  if (unigram.ids[text] != static_cast<uint32_t>(unigram.unknown))
    unknown.fail("token " + std::to_string(unigram.unknown) + ", '" + text + "', comes again as token " +
                 std::to_string(unigram.ids[text]));
}

} // namespace

TokenModel readModel(const JsonNode &model) {
  TokenModel bpe;
  // Files of the first versions name no type: what they have besides a vocabulary tells.
  model.requireObject();
  if (!model["type"].isNull())
    findComponent(kKinds, model).read(model, bpe);
  else if (!model["merges"].isNull())
    readBpe(model, bpe);
  else if (!model["max_input_chars_per_word"].isNull())
    readWordPiece(model, bpe);
  else if (!model["unk_id"].isNull())
    readUnigram(model, bpe);
  else
    model.fail("no type, and nothing that tells it (supported: " + namesOf(kKinds) + ")");
  return bpe;
}

AddedToken readAddedToken(const JsonNode &entry, uint32_t id) {
  AddedToken token;
  token.id = id;
  token.text = entry["content"].string();
  token.singleWord = entry["single_word"].boolean(false);
  token.lstrip = entry["lstrip"].boolean(false);
  token.rstrip = entry["rstrip"].boolean(false);
  token.special = entry["special"].boolean(false);
  token.normalized = entry["normalized"].boolean(!token.special);
  return token;
}

std::vector<AddedToken> readAddedTokens(const JsonNode &addedTokens) {
  std::vector<AddedToken> tokens;
  for (const JsonNode &entry : addedTokens.elements()) {
    entry.requireObject();
    tokens.push_back(readAddedToken(entry, static_cast<uint32_t>(entry["id"].integer(0, kMaxId))));
  }
  return tokens;
}

} // namespace sinter::tokenizer
