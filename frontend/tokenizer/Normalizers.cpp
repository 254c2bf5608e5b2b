// The "normalizer" of tokenizer.json as steps. A row of the table is all that a further kind needs.

#include "Components.h"

namespace sinter::tokenizer {

using tokens::StepKind;

namespace {

using Steps = std::vector<StepSpec>;

void prepend(const JsonNode &component, Steps &steps) {
  StepSpec step = {StepKind::prepend};
  step.text = component["prepend"].string();
  addStep(component, steps, step);
}

void replace(const JsonNode &component, Steps &steps) {
  StepSpec step = {StepKind::replace};
  readPattern(component["pattern"], step);
  step.text = component["content"].string();
  addStep(component, steps, step);
}

void strip(const JsonNode &component, Steps &steps) {
  StepSpec step = {StepKind::strip};
  step.left = component["strip_left"].boolean(true);
  step.right = component["strip_right"].boolean(true);
  addStep(component, steps, step);
}

void bert(const JsonNode &component, Steps &steps) {
  const bool lower = component["lowercase"].boolean(true);
  auto add = [&](bool wanted, StepKind kind) {
    if (wanted)
      addStep<StepSpec>(component, steps, {kind});
  };
  // Accents go where letters become small, unless the file says otherwise.
  const bool strips = component["strip_accents"].boolean(lower);
  add(component["clean_text"].boolean(true), StepKind::clean);
  add(component["handle_chinese_chars"].boolean(true), StepKind::space_ideographs);
  add(strips, StepKind::nfd);
  add(strips, StepKind::strip_marks);
  add(lower, StepKind::lowercase);
}

// -1: not a character of base64.
int base64Value(char c) {
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

std::string decodeBase64(const JsonNode &node) {
  std::string_view text = node.string();
  while (!text.empty() && text.back() == '=')
    text.remove_suffix(1);
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    const int value = base64Value(c);
    if (value < 0)
      node.fail("expected base64");
    bits = bits << 6 | uint32_t(value);
    if ((count += 6) >= 8)
      bytes += static_cast<char>(bits >> (count -= 8));
  }
  return bytes;
}

uint32_t littleEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i)
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// SentencePiece's table: the size of a double array, the array, and texts ended by zeros.
void precompiled(const JsonNode &component, Steps &steps) {
  const JsonNode map = component["precompiled_charsmap"];
  if (map.isNull() || map.string().empty())
    return;
  const std::string bytes = decodeBase64(map);
  const size_t size = bytes.size() < 4 ? 0 : littleEndian(bytes);
  if (size == 0 || size % 4 || size > bytes.size() - 4)
    map.fail("the table says " + std::to_string(size) + " bytes of array, but has " + std::to_string(bytes.size()));
  StepSpec step = {StepKind::charsmap};
  for (size_t at = 4; at < 4 + size; at += 4)
    step.trie.push_back(littleEndian(std::string_view(bytes).substr(at, 4)));
  step.replacements = bytes.substr(4 + size);
  if (step.replacements.empty() || step.replacements.back() != 0)
    step.replacements += '\0';
  addStep(component, steps, step);
}

template <StepKind kind> void simple(const JsonNode &component, Steps &steps) {
  addStep<StepSpec>(component, steps, {kind});
}

struct Kind {
  const char *type;
  void (*read)(const JsonNode &component, Steps &steps);
};

constexpr Kind kKinds[] = {
    {"Sequence", nullptr},
    {"Prepend", prepend},
    {"Replace", replace},
    {"NFC", simple<StepKind::nfc>},
    {"NFD", simple<StepKind::nfd>},
    {"NFKC", simple<StepKind::nfkc>},
    {"NFKD", simple<StepKind::nfkd>},
    {"Lowercase", simple<StepKind::lowercase>},
    {"Strip", strip},
    {"StripAccents", simple<StepKind::strip_all_marks>},
    {"BertNormalizer", bert},
    {"Precompiled", precompiled},
};

} // namespace

void readPattern(const JsonNode &pattern, StepSpec &step) {
  pattern.requireObject();
  JsonNode regex = pattern["Regex"];
  JsonNode text = pattern["String"];
  if (!regex.isNull()) {
    step.regex = translateRegex(regex.string(), regex);
  } else if (!text.isNull()) {
    step.literal = text.string();
    if (step.literal.empty())
      text.fail("the string to look for is empty");
  } else {
    pattern.fail("expected a \"Regex\" or a \"String\"");
  }
}

std::vector<StepSpec> readNormalizer(const JsonNode &normalizer) {
  Steps steps;
  if (!normalizer.isNull())
    readNested(kKinds, "normalizers", normalizer, steps);
  return steps;
}

} // namespace sinter::tokenizer
