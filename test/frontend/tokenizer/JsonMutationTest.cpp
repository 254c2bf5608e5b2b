// Damaged tokenizer.json, thousands of times, with the compiler and the runtime's library built with AddressSanitizer
// and UndefinedBehaviorSanitizer: each time a message that names a file, or a tokenizer that works.

#include "EncoderTokenizers.h"

#include <random>

using namespace sinter::test;
using nlohmann::json;

namespace {

// A small tokenizer with every kind of component in it.
json subject(int what) {
  if (what > 1)
    return what == 2 ? encoderJson("bert_uncased") : fullUnigramJson();
  const bool sentence = what;
  json tokenizer = sentence ? llama2Json() : talesJson();
  json &model = tokenizer["model"];
  json merges = json::array();
  for (size_t i = 0; i < 60; ++i)
    merges.push_back(model["merges"][i]);
  model["merges"] = merges;
  json vocabulary = json::object();
  for (auto &token : model["vocab"].items())
    if (token.value() < 330 || token.key().size() == 6)
      vocabulary[token.key()] = token.value();
  for (const json &merge : merges)
    for (const std::string &text : {merge[0].get<std::string>(), merge[1].get<std::string>(),
                                    merge[0].get<std::string>() + merge[1].get<std::string>()})
      vocabulary[text] = model["vocab"][text];
  model["vocab"] = vocabulary;
  if (!sentence)
    tokenizer["normalizer"] = json::parse(R"({"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Strip"},
        {"type": "Replace", "pattern": {"Regex": "[0-9]{3,}"}, "content": "0"}, {"type": "Lowercase"}]})");
  tokenizer["added_tokens"].push_back({{"id", 2000}, {"content", "<|x|>"}, {"lstrip", true}, {"normalized", true}});
  return tokenizer;
}

void compileAndUse(const ModelDirectory &directory, int &compiled) {
  std::vector<uint8_t> section;
  std::string error;
  if (!sinter::compileTokenizer(directory.path, section, error)) {
    ASSERT_EQ(error.compare(0, directory.path.size(), directory.path), 0) << error;
    ASSERT_GT(error.size(), directory.path.size() + 10) << error;
    ASSERT_TRUE(section.empty());
    return;
  }
  ++compiled;
  sinter::Tokenizer tokenizer;
  ASSERT_TRUE(tokenizer.open(section.data(), section.size(), error)) << error;
  std::vector<uint32_t> ids;
  std::string text;
  // A pattern may be too much work; then there is a message.
  if (!tokenizer.encode("Once <|x|> <s> upon 1234 \u00e9\u4f60  \n!", SINTER_ADD_SPECIAL | SINTER_PARSE_SPECIAL, ids,
                        error)) {
    ASSERT_FALSE(error.empty());
    return;
  }
  // A template may name ids that no token has; then there is a message too.
  if (!tokenizer.decode(ids, SINTER_SKIP_SPECIAL, text, error))
    ASSERT_NE(error.find("has no token"), std::string::npos) << error;
}

class JsonMutation : public testing::TestWithParam<int> {};

TEST_P(JsonMutation, bytes) {
  const std::string original = subject(GetParam()).dump();
  std::mt19937 random(GetParam());
  ModelDirectory directory;
  int compiled = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string text = original;
    if (round % 4 == 0) {
      text.resize(random() % text.size());
    } else {
      for (uint32_t i = 0; i < 1 + random() % 3; ++i) {
        size_t at = random() % text.size();
        switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 20);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 40));
          break;
        default:
          text[at] = "{}[]\",:0-\\"[random() % 10];
        }
        if (text.empty())
          text = " ";
      }
    }
    directory.write("tokenizer.json", text);
    compileAndUse(directory, compiled);
    ASSERT_FALSE(HasFatalFailure()) << "round " << round;
  }
}

TEST_P(JsonMutation, values) {
  const json original = subject(GetParam());
  std::vector<std::string> places;
  std::vector<std::string> largePlaces; // the vocabulary and the merges, which would be nearly all of them
  const json flat = original.flatten();
  for (auto &entry : flat.items())
    (entry.key().rfind("/model/", 0) == 0 && entry.key().size() > 18 ? largePlaces : places).push_back(entry.key());
  const std::vector<json> values = {nullptr,
                                    true,
                                    false,
                                    0,
                                    -1,
                                    1,
                                    300,
                                    16777215,
                                    16777216,
                                    4294967296,
                                    18446744073709551615u,
                                    1e300,
                                    0.5,
                                    "",
                                    " ",
                                    "a",
                                    "\u2581",
                                    "Sequence",
                                    "ByteLevel",
                                    "Metaspace",
                                    "Split",
                                    "NFC",
                                    "BPE",
                                    "<s>",
                                    "Isolated",
                                    "(?",
                                    "[",
                                    "(a*)*b",
                                    "\\p{L}",
                                    "(?=a)",
                                    "\\Ka",
                                    "(?<=\\K.)",
                                    std::string(1, '\0'),
                                    std::string(5000, 'a'),
                                    std::string(3000, '('),
                                    json::array(),
                                    json::object(),
                                    json::array({1}),
                                    json::array({json::array()}),
                                    {{"Regex", "."}},
                                    {{"String", "e"}},
                                    {{"type", "Sequence"}}};
  std::mt19937 random(10 + GetParam());
  ModelDirectory directory;
  int compiled = 0;
  for (int round = 0; round < 1500; ++round) {
    json mutated = original;
    for (uint32_t i = 0; i < 1 + random() % 2; ++i) {
      const std::vector<std::string> &from = random() % 5 ? places : largePlaces;
      json::json_pointer place(from[random() % from.size()]);
      for (uint32_t up = random() % 3; up > 0 && !place.empty(); --up)
        place.pop_back();
      if (mutated.contains(place))
        mutated[place] = values[random() % values.size()];
    }
    directory.write("tokenizer.json", mutated.dump());
    compileAndUse(directory, compiled);
    ASSERT_FALSE(HasFatalFailure()) << "round " << round;
  }
  EXPECT_GT(compiled, 5);
}

INSTANTIATE_TEST_SUITE_P(All, JsonMutation, testing::Values(0, 1, 2, 3));

TEST(JsonExtremes, deepNesting) {
  ModelDirectory directory;
  int compiled = 0;
  for (const char *open : {"[", "{\"a\":", "[{\"model\":"}) {
    std::string text;
    for (int i = 0; i < 200000; ++i)
      text += open;
    directory.write("tokenizer.json", text);
    compileAndUse(directory, compiled);
  }
  // Well-formed to the end, inside a place that is read.
  std::string tokenizer = subject(false).dump();
  std::string deep(200000, '[');
  deep += std::string(200000, ']');
  directory.write("tokenizer.json", "{\"pre_tokenizer\":" + deep + "," + tokenizer.substr(1));
  compileAndUse(directory, compiled);
}

TEST(JsonExtremes, otherFiles) {
  const std::string config = readFile(kTales + "/tokenizer_config.json");
  std::mt19937 random(3);
  ModelDirectory directory;
  directory.write("tokenizer.json", subject(false).dump());
  int compiled = 0;
  for (int round = 0; round < 300; ++round) {
    std::string text = config;
    text[random() % text.size()] = static_cast<char>(random());
    if (round % 3 == 0)
      text.resize(random() % text.size());
    directory.write("tokenizer_config.json", text);
    directory.write("special_tokens_map.json", round % 2 ? text : "{}");
    compileAndUse(directory, compiled);
    ASSERT_FALSE(HasFatalFailure()) << "round " << round;
    std::string chatTemplate;
    std::string error;
    sinter::readChatTemplate(directory.path, chatTemplate, error);
  }
}

} // namespace
