// The "model" and "added_tokens" of tokenizer.json. Merges are resolved to ids here: the pair and what it becomes.

#include "Components.h"

#include <algorithm>

namespace sinter::tokenizer {
namespace {

constexpr int64_t kMaxId = (1 << 24) - 1;

void readBpe(const JsonNode &model, BpeModel &bpe);

struct Kind {
  const char *type;
  void (*read)(const JsonNode &model, BpeModel &bpe);
};

constexpr Kind kKinds[] = {{"BPE", readBpe}};

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

void readMerges(const JsonNode &merges, BpeModel &bpe) {
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

void readBpe(const JsonNode &model, BpeModel &bpe) {
  for (const char *name : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!model[name].string("").empty())
      model[name].fail("'" + model[name].string() + "' is not supported (expected none)");
  bpe.fuseUnknown = model["fuse_unk"].boolean(false);
  bpe.byteFallback = model["byte_fallback"].boolean(false);
  bpe.ignoreMerges = model["ignore_merges"].boolean(false);

  JsonNode vocabulary = model["vocab"];
  vocabulary.requireObject();
  bpe.ids.reserve(vocabulary.json().size());
  for (nlohmann::json::const_iterator entry = vocabulary.json().begin(); entry != vocabulary.json().end(); ++entry)
    bpe.ids[entry.key()] = static_cast<uint32_t>(vocabulary[entry.key()].integer(0, kMaxId));
  readMerges(model["merges"], bpe);

  JsonNode unknown = model["unk_token"];
  if (!unknown.isNull()) {
    std::unordered_map<std::string, uint32_t>::const_iterator found = bpe.ids.find(unknown.string());
    if (found == bpe.ids.end())
      unknown.fail("'" + unknown.string() + "' is not in the vocabulary");
    bpe.unknown = found->second;
  }
}

} // namespace

BpeModel readBpeModel(const JsonNode &model) {
  BpeModel bpe;
  // Files of the first versions name no type; they are BPE if they have merges.
  model.requireObject();
  if (!model["type"].isNull())
    findComponent(kKinds, model).read(model, bpe);
  else if (!model["merges"].isNull())
    readBpe(model, bpe);
  else
    model.fail("no type and no merges, so it is not BPE (supported: " + namesOf(kKinds) + ")");
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
