// The "normalizer" of tokenizer.json as steps. A row of the table is all that a further kind needs.

#include "Components.h"

namespace sinter::tokenizer {

using tokens::StepKind;

namespace {

using Steps = std::vector<StepSpec>;

void add(const JsonNode &component, Steps &steps, StepSpec step) {
  if (steps.size() == kMaxSteps)
    component.fail("more than " + std::to_string(kMaxSteps) + " steps");
  steps.push_back(std::move(step));
}

void prepend(const JsonNode &component, Steps &steps) {
  StepSpec step = {StepKind::prepend};
  step.text = component["prepend"].string();
  add(component, steps, step);
}

void replace(const JsonNode &component, Steps &steps) {
  StepSpec step = {StepKind::replace};
  readPattern(component["pattern"], step);
  step.text = component["content"].string();
  add(component, steps, step);
}

void strip(const JsonNode &component, Steps &steps) {
  StepSpec step = {StepKind::strip};
  step.left = component["strip_left"].boolean(true);
  step.right = component["strip_right"].boolean(true);
  add(component, steps, step);
}

template <StepKind kind> void simple(const JsonNode &component, Steps &steps) { add(component, steps, {kind}); }

void sequence(const JsonNode &, Steps &) {} // read() walks into it

struct Kind {
  const char *type;
  void (*read)(const JsonNode &component, Steps &steps);
};

constexpr Kind kKinds[] = {
    {"Sequence", sequence},
    {"Prepend", prepend},
    {"Replace", replace},
    {"NFC", simple<StepKind::nfc>},
    {"NFD", simple<StepKind::nfd>},
    {"NFKC", simple<StepKind::nfkc>},
    {"NFKD", simple<StepKind::nfkd>},
    {"Lowercase", simple<StepKind::lowercase>},
    {"Strip", strip},
};

void read(const JsonNode &component, int depth, Steps &steps) {
  const Kind &kind = findComponent(kKinds, component);
  if (kind.read != sequence)
    return kind.read(component, steps);
  if (depth == kMaxNesting)
    component.fail("sequences are nested more than " + std::to_string(kMaxNesting) + " deep");
  for (const JsonNode &child : component["normalizers"].elements())
    read(child, depth + 1, steps);
}

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
    read(normalizer, 0, steps);
  return steps;
}

} // namespace sinter::tokenizer
