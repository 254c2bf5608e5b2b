// The "pre_tokenizer" of tokenizer.json as steps: most kinds are one split at a pattern, some prepare the text first.

#include "Components.h"

namespace sinter::tokenizer {

using tokens::Behavior;
using tokens::StepKind;

namespace {

using Steps = std::vector<StepSpec>;

void addSplit(const JsonNode &component, Steps &steps, const char *regex, Behavior behavior, bool invert = false) {
  StepSpec step = {StepKind::split};
  step.regex = translateRegex(regex, component);
  step.behavior = behavior;
  step.invert = invert;
  addStep(component, steps, step);
}

Behavior readBehavior(const JsonNode &behavior) {
  struct Row {
    const char *type;
    Behavior behavior;
  };
  static constexpr Row kRows[] = {
      {"Removed", Behavior::removed},
      {"Isolated", Behavior::isolated},
      {"MergedWithPrevious", Behavior::merged_with_previous},
      {"MergedWithNext", Behavior::merged_with_next},
      {"Contiguous", Behavior::contiguous},
  };
  for (const Row &row : kRows)
    if (behavior.string() == row.type)
      return row.behavior;
  behavior.fail("behavior '" + behavior.string() + "' is not supported (supported: " + namesOf(kRows) + ")");
}

void split(const JsonNode &component, Steps &steps) {
  StepSpec step = {StepKind::split};
  readPattern(component["pattern"], step);
  step.behavior = readBehavior(component["behavior"]);
  step.invert = component["invert"].boolean(false);
  addStep(component, steps, step);
}

void byteLevel(const JsonNode &component, Steps &steps) {
  if (component["add_prefix_space"].boolean(true)) {
    StepSpec step = {StepKind::prepend_missing};
    step.literal = " ";
    step.text = " ";
    addStep(component, steps, step);
  }
  // The pattern of GPT-2 (Radford et al. 2019).
  if (component["use_regex"].boolean(true))
    addSplit(component, steps, R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
             Behavior::isolated);
  addStep<StepSpec>(component, steps, {StepKind::bytes});
}

void digits(const JsonNode &component, Steps &steps) {
  bool individual = component["individual_digits"].boolean(false);
  addSplit(component, steps, R"(\p{N})", individual ? Behavior::isolated : Behavior::contiguous);
}

void metaspace(const JsonNode &component, Steps &steps) {
  std::string mark = component["replacement"].string("\u2581");
  if (mark.empty())
    component["replacement"].fail("the replacement is empty");
  StepSpec replace = {StepKind::replace};
  replace.literal = " ";
  replace.text = mark;
  addStep(component, steps, replace);

  // Older files say it with "add_prefix_space".
  bool addsPrefix = component["add_prefix_space"].boolean(true);
  std::string scheme = component["prepend_scheme"].string(addsPrefix ? "always" : "never");
  if (scheme != "always" && scheme != "first" && scheme != "never")
    component["prepend_scheme"].fail("'" + scheme + "' is not supported (supported: always, first, never)");
  if (scheme != "never") {
    StepSpec prepend = {StepKind::prepend_missing};
    prepend.literal = mark;
    prepend.text = mark;
    prepend.onlyFirst = scheme == "first";
    addStep(component, steps, prepend);
  }
  if (component["split"].boolean(true)) {
    StepSpec split = {StepKind::split};
    split.literal = mark;
    split.behavior = Behavior::merged_with_next;
    addStep(component, steps, split);
  }
}

void punctuation(const JsonNode &component, Steps &steps) {
  JsonNode behavior = component["behavior"];
  addSplit(component, steps, R"([\p{P}!-/:-@\[-`{-~])",
           behavior.isNull() ? Behavior::isolated : readBehavior(behavior));
}

void whitespace(const JsonNode &component, Steps &steps) {
  addSplit(component, steps, R"(\w+|[^\w\s]+)", Behavior::removed, true);
}

void whitespaceSplit(const JsonNode &component, Steps &steps) {
  addSplit(component, steps, R"(\s)", Behavior::removed);
}

void bert(const JsonNode &component, Steps &steps) {
  whitespaceSplit(component, steps);
  addSplit(component, steps, R"([\p{P}!-/:-@\[-`{-~])", Behavior::isolated);
}

void charDelimiterSplit(const JsonNode &component, Steps &steps) {
  StepSpec step = {StepKind::split};
  step.literal = component["delimiter"].string();
  if (step.literal.empty())
    component["delimiter"].fail("the delimiter is empty");
  step.behavior = Behavior::removed;
  addStep(component, steps, step);
}

struct Kind {
  const char *type;
  void (*read)(const JsonNode &component, Steps &steps);
};

constexpr Kind kKinds[] = {
    {"Sequence", nullptr},      {"Split", split},
    {"ByteLevel", byteLevel},   {"Metaspace", metaspace},
    {"Digits", digits},         {"Punctuation", punctuation},
    {"Whitespace", whitespace}, {"WhitespaceSplit", whitespaceSplit},
    {"BertPreTokenizer", bert}, {"CharDelimiterSplit", charDelimiterSplit},
};

} // namespace

std::vector<StepSpec> readPreTokenizer(const JsonNode &preTokenizer) {
  Steps steps;
  if (!preTokenizer.isNull())
    readNested(kKinds, "pretokenizers", preTokenizer, steps);
  return steps;
}

} // namespace sinter::tokenizer
