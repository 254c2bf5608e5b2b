// The "post_processor" of tokenizer.json: of all it says, ids before and after a single text are what remains.

#include "Components.h"

namespace sinter::tokenizer {
namespace {

constexpr int64_t kMaxId = (1 << 24) - 1;

uint32_t readId(const JsonNode &id) { return static_cast<uint32_t>(id.integer(0, kMaxId)); }

void byteLevel(const JsonNode &, Template &) {} // concerns offsets into the text, which we do not report

// {"sep": ["</s>", 2], "cls": ["<s>", 0]}
void clsSep(const JsonNode &component, Template &ids) {
  auto idOf = [&](const char *name) {
    std::vector<JsonNode> pair = component[name].elements();
    if (pair.size() != 2)
      component[name].fail("expected a token and its id");
    return readId(pair[1]);
  };
  ids.prefix.insert(ids.prefix.begin(), idOf("cls"));
  ids.suffix.push_back(idOf("sep"));
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
    const std::string &name = item["SpecialToken"]["id"].string();
    JsonNode token = component["special_tokens"][name];
    if (token.isNull())
      item.fail("'" + name + "' is not in special_tokens");
    for (const JsonNode &id : token["ids"].elements())
      (seenText ? own.suffix : own.prefix).push_back(readId(id));
  }
  if (!seenText)
    component["single"].fail("the text, sequence A, is missing");
  ids.prefix.insert(ids.prefix.begin(), own.prefix.begin(), own.prefix.end());
  ids.suffix.insert(ids.suffix.end(), own.suffix.begin(), own.suffix.end());
}

struct Kind {
  const char *type;
  void (*read)(const JsonNode &component, Template &ids);
};

constexpr Kind kKinds[] = {
    {"Sequence", nullptr},         {"ByteLevel", byteLevel},   {"TemplateProcessing", templateProcessing},
    {"RobertaProcessing", clsSep}, {"BertProcessing", clsSep},
};

} // namespace

Template readPostProcessor(const JsonNode &postProcessor) {
  Template ids;
  if (!postProcessor.isNull())
    readNested(kKinds, "processors", postProcessor, ids);
  return ids;
}

} // namespace sinter::tokenizer
