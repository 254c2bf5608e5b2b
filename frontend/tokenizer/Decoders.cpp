// The "decoder" of tokenizer.json. Most of it changes each token by itself, so it is applied to the whole vocabulary
// here, and decoding at run time copies bytes. What looks at more than one token (the start of the text, runs of byte
// tokens) is described by the few values of DecoderPlan.

#include "Components.h"
#include "runtime/tokenizer/byte_alphabet.h"
#include "runtime/tokenizer/utf8.h"

namespace sinter::tokenizer {
namespace {

void requireSeparateTokens(const JsonNode &component, const DecoderPlan &plan) {
  if (plan.fused || plan.byteFallback)
    component.fail("type '" + component["type"].string() + "' after " + (plan.fused ? "Fuse" : "ByteFallback") +
                   " is not supported");
}

void replace(const JsonNode &component, DecoderPlan &plan) {
  requireSeparateTokens(component, plan);
  StepSpec pattern = {tokens::StepKind::replace};
  readPattern(component["pattern"], pattern);
  if (pattern.regex)
    component["pattern"].fail("a Regex is not supported here (supported: String)");
  DecoderPlan::TokenStep step;
  step.find = pattern.literal;
  step.text = component["content"].string();
  addStep(component, plan.tokenSteps, step);
}

void byteFallback(const JsonNode &component, DecoderPlan &plan) {
  requireSeparateTokens(component, plan);
  plan.byteFallback = true;
}

void fuse(const JsonNode &, DecoderPlan &plan) { plan.fused = true; }

void byteLevel(const JsonNode &component, DecoderPlan &plan) {
  requireSeparateTokens(component, plan);
  plan.byteLevel = true;
  plan.fused = true;
}

void strip(const JsonNode &component, DecoderPlan &plan) {
  DecoderPlan::TokenStep step;
  step.strip = component["content"].string(" ");
  step.stripStart = component["start"].integer(0, 1 << 20, 0);
  step.stripStop = component["stop"].integer(0, 1 << 20, 0);
  if (step.strip.empty() || readCharacter(step.strip).size != step.strip.size())
    component["content"].fail("expected one character, found '" + step.strip + "'");
  if (!plan.fused) {
    requireSeparateTokens(component, plan);
    addStep(component, plan.tokenSteps, step);
    return;
  }
  if (step.stripStop > 0)
    component["stop"].fail("stripping the end of the text is not supported (expected 0)");
  if (plan.stripCount > 0)
    component.fail("a second Strip after Fuse is not supported");
  plan.strip = step.strip;
  plan.stripCount = static_cast<uint32_t>(step.stripStart);
}

void metaspace(const JsonNode &component, DecoderPlan &plan) {
  if (plan.fused || !plan.tokenSteps.empty())
    component.fail("type 'Metaspace' is not supported after other decoders but ByteFallback");
  DecoderPlan::TokenStep step;
  step.find = component["replacement"].string("\u2581");
  step.text = " ";
  if (step.find.empty())
    component["replacement"].fail("the replacement is empty");
  bool addsPrefix = component["add_prefix_space"].boolean(true);
  if (component["prepend_scheme"].string(addsPrefix ? "always" : "never") != "never")
    plan.firstWithout = step.find;
  addStep(component, plan.tokenSteps, step);
}

void wordPiece(const JsonNode &component, DecoderPlan &plan) {
  if (plan.fused || plan.byteFallback || !plan.tokenSteps.empty())
    component.fail("type 'WordPiece' is not supported after other decoders");
  plan.wordPiece = true;
  plan.wordPiecePrefix = component["prefix"].string("##");
  plan.cleanUp = component["cleanup"].boolean(true);
  // The first token stands as it is: no token has a space, so none is taken out of it.
  plan.firstWithout = " ";
}

struct Kind {
  const char *type;
  void (*read)(const JsonNode &component, DecoderPlan &plan);
};

constexpr Kind kKinds[] = {
    {"Sequence", nullptr}, {"ByteLevel", byteLevel}, {"Replace", replace},     {"ByteFallback", byteFallback},
    {"Fuse", fuse},        {"Strip", strip},         {"Metaspace", metaspace}, {"WordPiece", wordPiece},
};

std::string replaceAll(const std::string &text, const std::string &find, const std::string &replacement) {
  std::string result;
  size_t done = 0;
  for (size_t found; (found = text.find(find, done)) != std::string::npos; done = found + find.size())
    result.append(text, done, found - done).append(replacement);
  return result.append(text, done, std::string::npos);
}

std::string stripEnds(std::string text, const DecoderPlan::TokenStep &step) {
  size_t size = step.strip.size();
  for (int64_t i = 0; i < step.stripStart && text.compare(0, size, step.strip) == 0; ++i)
    text.erase(0, size);
  for (int64_t i = 0;
       i < step.stripStop && text.size() >= size && text.compare(text.size() - size, size, step.strip) == 0; ++i)
    text.erase(text.size() - size);
  return text;
}

// <0x00> .. <0xFF>, or -1.
int byteOfName(const std::string &text) {
  if (text.size() != 6 || text.compare(0, 3, "<0x") != 0 || text[5] != '>' ||
      text.substr(3, 2).find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
    return -1;
  return std::stoi(text.substr(3, 2), nullptr, 16);
}

// Text in the byte-level alphabet as bytes. A token with any other character stands for itself.
std::string bytesOfAlphabet(const std::string &text) {
  std::string bytes;
  for (size_t at = 0; at < text.size();) {
    Character character = readCharacter(std::string_view(text).substr(at));
    if (character.code >= ByteAlphabet::kCodes || kByteAlphabet.bytes[character.code] < 0)
      return text;
    bytes += static_cast<char>(kByteAlphabet.bytes[character.code]);
    at += character.size;
  }
  return bytes;
}

} // namespace

DecoderPlan readDecoder(const JsonNode &decoder) {
  DecoderPlan plan;
  if (decoder.isNull())
    plan.separator = " "; // tokens without a decoder are words
  else
    readNested(kKinds, "decoders", decoder, plan);
  return plan;
}

// A token behind others: a word of its own, or the rest of the one before it.
static std::string continueWords(const DecoderPlan &plan, const std::string &text) {
  struct Row {
    const char *text, *clean;
  };
  static constexpr Row kRows[] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                  {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                  {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  const std::string &prefix = plan.wordPiecePrefix;
  std::string result =
      !prefix.empty() && text.compare(0, prefix.size(), prefix) == 0 ? text.substr(prefix.size()) : " " + text;
  if (plan.cleanUp)
    for (const Row &row : kRows)
      result = replaceAll(result, row.text, row.clean);
  return result;
}

std::string DecoderPlan::bytesOf(const std::string &text, bool &byteToken) const {
  byteToken = false;
  if (wordPiece)
    return continueWords(*this, text);
  std::string result = text;
  for (const TokenStep &step : tokenSteps)
    result = step.find.empty() ? stripEnds(result, step) : replaceAll(result, step.find, step.text);
  if (byteLevel)
    return bytesOfAlphabet(result);
  int byte = byteFallback ? byteOfName(result) : -1;
  if (byte < 0)
    return result;
  byteToken = true;
  return std::string(1, static_cast<char>(byte));
}

} // namespace sinter::tokenizer
