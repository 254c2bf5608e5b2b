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
