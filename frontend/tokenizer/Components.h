// What tokenizer.json is read into, one function for each of its parts. Every function throws Failure.
#pragma once

#include "Json.h"
#include "runtime/tokenizer/tokenizer_generated.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sinter::tokenizer {

// One row of the section's table Step.
struct StepSpec {
  tokens::StepKind kind;
  std::optional<std::string> regex = {};
  std::string literal = {};
  std::string text = {};
  tokens::Behavior behavior = tokens::Behavior::isolated;
  bool invert = false;
  bool onlyFirst = false;
  bool left = false;
  bool right = false;
  std::vector<uint32_t> trie = {};
  std::string replacements = {};
};

// Components nest in Sequences up to this depth, and come to at most this many steps.
inline constexpr int kMaxNesting = 16;
inline constexpr size_t kMaxSteps = 64;

template <typename Step> void addStep(const JsonNode &component, std::vector<Step> &steps, Step step) {
  if (steps.size() == kMaxSteps)
    component.fail("more than " + std::to_string(kMaxSteps) + " steps");
  steps.push_back(std::move(step));
}

// Reads a component into `out` by its row of `table`. A row that reads nothing is that of sequences, whose components,
// under the name `list`, are read in order.
template <typename Table, typename Out>
void readNested(const Table &table, const char *list, const JsonNode &component, Out &out, int depth = 0) {
  const auto &kind = findComponent(table, component);
  if (kind.read)
    return kind.read(component, out);
  if (depth == kMaxNesting)
    component.fail("sequences are nested more than " + std::to_string(kMaxNesting) + " deep");
  for (const JsonNode &child : component[list].elements())
    readNested(table, list, child, out, depth + 1);
}

std::vector<StepSpec> readNormalizer(const JsonNode &normalizer);
std::vector<StepSpec> readPreTokenizer(const JsonNode &preTokenizer);
// Sets regex or literal from {"Regex": ...} or {"String": ...}.
void readPattern(const JsonNode &pattern, StepSpec &step);

// A pattern in Oniguruma's Ruby syntax, as tokenizer.json has it, in PCRE2's. `where` is for failures.
std::string translateRegex(const std::string &regex, const JsonNode &where);

// Ids that the post-processor puts around a text, and around and between two.
struct Template {
  std::vector<uint32_t> prefix;
  std::vector<uint32_t> suffix;
  std::vector<tokens::PairPart> pair; // of two texts; empty: there is none
};
Template readPostProcessor(const JsonNode &postProcessor);

struct AddedToken {
  uint32_t id;
  std::string text;
  bool singleWord;
  bool lstrip;
  bool rstrip;
  bool normalized;
  bool special;
};
AddedToken readAddedToken(const JsonNode &entry, uint32_t id);
std::vector<AddedToken> readAddedTokens(const JsonNode &addedTokens);

struct BpeMerge {
  uint32_t left;
  uint32_t right;
  uint32_t rank;
  uint32_t id;
};

struct TokenModel {
  tokens::ModelKind kind = tokens::ModelKind::bpe;
  std::unordered_map<std::string, uint32_t> ids; // of the model's own tokens
  int64_t unknown = -1;
  bool byteFallback = false;
  // BPE
  std::vector<BpeMerge> merges; // by left, then by right, each pair once
  bool fuseUnknown = false;
  bool ignoreMerges = false;
  // WordPiece
  std::string continuation;
  uint32_t mostCharacters = 0;
  // Unigram
  std::vector<double> scores; // by id
};
TokenModel readModel(const JsonNode &model);

// The decoder, worked out for single tokens as far as that goes.
class DecoderPlan {
public:
  // The bytes of a token in the middle of a text, and whether it stands for one byte.
  std::string bytesOf(const std::string &text, bool &byteToken) const;

  // What is left for the run time; see table Decoder.
  std::string separator;
  std::string strip;
  uint32_t stripCount = 0;
  std::string firstWithout;
  bool byteFallback = false;

  // A change to each token's text.
  struct TokenStep {
    std::string find; // if not empty, all of these become `text`
    std::string text;
    std::string strip; // else, up to so many of this character go from the start and the end
    int64_t stripStart = 0;
    int64_t stripStop = 0;
  };
  std::vector<TokenStep> tokenSteps;
  bool byteLevel = false;
  bool wordPiece = false; // tokens are words, but for those with the prefix
  std::string wordPiecePrefix;
  bool cleanUp = false; // no space before punctuation
  bool fused = false;   // the tokens are one text from here on
};
DecoderPlan readDecoder(const JsonNode &decoder);

} // namespace sinter::tokenizer
