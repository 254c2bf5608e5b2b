// The "post_processor" of tokenizer.json: of all it says, ids before and after a single text are what remains, and the
// order of ids and texts where there are two.

#include "Components.h"

namespace sinter::tokenizer {
namespace {

constexpr int64_t kMaxId = (1 << 24) - 1;

uint32_t readId(const JsonNode &id) { return static_cast<uint32_t>(id.integer(0, kMaxId)); }

void byteLevel(const JsonNode &, Template &) {} // concerns offsets into the text, which we do not report

constexpr int32_t kFirst = -1, kSecond = -2;

tokens::PairPart token(uint32_t id, uint32_t type) { return {static_cast<int32_t>(id), type}; }

// Of processors in a row the outer one would see the inner one's tokens as texts: then there is no pair.
void takePair(Template &ids, const std::vector<tokens::PairPart> &pair) {
  ids.pair = ids.prefix.empty() && ids.suffix.empty() ? pair : std::vector<tokens::PairPart>();
}

// {"sep": ["</s>", 2], "cls": ["<s>", 0]}
void readClsSep(const JsonNode &component, uint32_t &cls, uint32_t &sep) {
  auto idOf = [&](const char *name) {
    std::vector<JsonNode> pair = component[name].elements();
    if (pair.size() != 2)
      component[name].fail("expected a token and its id");
    return readId(pair[1]);
  };
  cls = idOf("cls");
  sep = idOf("sep");
}

void addClsSep(Template &ids, uint32_t cls, uint32_t sep) {
  ids.prefix.insert(ids.prefix.begin(), cls);
  ids.suffix.push_back(sep);
}

void bert(const JsonNode &component, Template &ids) {
  uint32_t cls = 0, sep = 0;
  readClsSep(component, cls, sep);
  takePair(ids, {token(cls, 0), {kFirst, 0}, token(sep, 0), {kSecond, 1}, token(sep, 1)});
  addClsSep(ids, cls, sep);
}

void roberta(const JsonNode &component, Template &ids) {
  uint32_t cls = 0, sep = 0;
  readClsSep(component, cls, sep);
  takePair(ids, {token(cls, 0), {kFirst, 0}, token(sep, 0), token(sep, 0), {kSecond, 0}, token(sep, 0)});
  addClsSep(ids, cls, sep);
}

// {"SpecialToken": {"id": "<s>", "type_id": 0}}: its ids, by "special_tokens".
std::vector<JsonNode> idsOf(const JsonNode &component, const JsonNode &item) {
  const std::string &name = item["SpecialToken"]["id"].string();
  JsonNode token = component["special_tokens"][name];
  if (token.isNull())
    item.fail("'" + name + "' is not in special_tokens");
  return token["ids"].elements();
}

// "pair": the same list with a second {"Sequence": {"id": "B", "type_id": 1}}.
std::vector<tokens::PairPart> readPair(const JsonNode &component) {
  std::vector<tokens::PairPart> pair;
  if (component["pair"].isNull() || component["pair"].elements().empty())
    return pair;
  int seen[2] = {0, 0};
  for (const JsonNode &item : component["pair"].elements()) {
    item.requireObject();
    const JsonNode part = item[item["Sequence"].isNull() ? "SpecialToken" : "Sequence"];
    const uint32_t type = static_cast<uint32_t>(part["type_id"].integer(0, 255, 0));
    if (item["Sequence"].isNull()) {
      for (const JsonNode &id : idsOf(component, item))
        pair.push_back(token(readId(id), type));
      continue;
    }
    const std::string &name = part["id"].string();
    if ((name != "A" && name != "B") || seen[name == "B"]++)
      item.fail("expected the texts, sequences A and B, once each");
    pair.push_back({name == "A" ? kFirst : kSecond, type});
  }
  if (!seen[0] || !seen[1])
    component["pair"].fail("expected the texts, sequences A and B, once each");
  return pair;
}

// "single" is a list of {"SpecialToken": {"id": "<s>"}} and one {"Sequence": {"id": "A"}}; "special_tokens" says which
// ids each special token stands for.
void templateProcessing(const JsonNode &component, Template &ids) {
  Template own;
  bool seenText = false;
  for (const JsonNode &item : component["single"].elements()) {
    item.requireObject();
    if (!item["Sequence"].isNull()) {
      if (seenText || item["Sequence"]["id"].string() != "A")
        item.fail("expected the text, sequence A, once");
      seenText = true;
      continue;
    }
    for (const JsonNode &id : idsOf(component, item))
      (seenText ? own.suffix : own.prefix).push_back(readId(id));
  }
  if (!seenText)
    component["single"].fail("the text, sequence A, is missing");
  takePair(ids, readPair(component));
  ids.prefix.insert(ids.prefix.begin(), own.prefix.begin(), own.prefix.end());
  ids.suffix.insert(ids.suffix.end(), own.suffix.begin(), own.suffix.end());
}

struct Kind {
  const char *type;
  void (*read)(const JsonNode &component, Template &ids);
};

constexpr Kind kKinds[] = {
    {"Sequence", nullptr},          {"ByteLevel", byteLevel}, {"TemplateProcessing", templateProcessing},
    {"RobertaProcessing", roberta}, {"BertProcessing", bert},
};

} // namespace

Template readPostProcessor(const JsonNode &postProcessor) {
  Template ids;
  if (!postProcessor.isNull())
    readNested(kKinds, "processors", postProcessor, ids);
  return ids;
}

} // namespace sinter::tokenizer
