// tokenizer.json says how text becomes ids; tokenizer_config.json (and special_tokens_map.json before it) says which
// tokens have a role, and for the classes of Llama and Gemma whether BOS and EOS are added. All of it is read here, in
// the order that `transformers` gives the files.

#include "TokenizerCompiler.h"
#include "SectionWriter.h"

#include <algorithm>
#include <set>

namespace sinter {
namespace tokenizer {
namespace {

constexpr const char *kConfigName = "/tokenizer_config.json";

// The JSON of a file that may be absent: then null.
nlohmann::json readOptionalJson(const std::string &path) {
  if (!fileExists(path))
    return nullptr;
  nlohmann::json value = parseJson(path, readTextFile(path));
  JsonNode(value, path).requireObject();
  return value;
}

// "bos_token" is a text, or an added token with its "content". A role without a token is null, or absent.
int32_t readRole(const JsonNode &config, const JsonNode &map, const char *name, const TokenizerParts &parts) {
  JsonNode role = config[name].isNull() ? map[name] : config[name];
  if (role.isNull())
    return -1;
  // A text that is no token has no id either; `transformers` would add one past the vocabulary.
  return parts.idOf(role.json().is_object() ? role["content"].string() : role.string());
}

// Tokens that only tokenizer_config.json has, under "added_tokens_decoder": {"32000": {"content": ...}}.
void addConfiguredTokens(const JsonNode &config, TokenizerParts &parts) {
  JsonNode decoder = config["added_tokens_decoder"];
  if (decoder.isNull())
    return;
  decoder.requireObject();
  std::set<std::string> known;
  for (const AddedToken &token : parts.addedTokens)
    known.insert(token.text);
  for (nlohmann::json::const_iterator entry = decoder.json().begin(); entry != decoder.json().end(); ++entry) {
    JsonNode token = decoder[entry.key()];
    token.requireObject();
    if (entry.key().empty() || entry.key().size() > 7 ||
        entry.key().find_first_not_of("0123456789") != std::string::npos)
      token.fail("expected an id, found '" + entry.key().substr(0, 100) + "'");
    if (known.insert(token["content"].string()).second)
      parts.addedTokens.push_back(readAddedToken(token, static_cast<uint32_t>(std::stoul(entry.key()))));
  }
}

// The later of two added tokens with one text counts; one that the model has as well has the model's id.
void settleAddedTokens(TokenizerParts &parts) {
  std::vector<AddedToken> settled;
  std::map<std::string, size_t> places;
  for (AddedToken &token : parts.addedTokens) {
    std::unordered_map<std::string, uint32_t>::const_iterator own = parts.model.ids.find(token.text);
    if (own != parts.model.ids.end())
      token.id = own->second;
    std::pair<std::map<std::string, size_t>::iterator, bool> placed = places.emplace(token.text, settled.size());
    if (placed.second)
      settled.push_back(token);
    else
      settled[placed.first->second] = token;
  }
  parts.addedTokens = std::move(settled);
}

// The fast classes of Llama and Gemma put "add_bos_token" and "add_eos_token" in the place of the post-processor.
void applyBosAndEos(const JsonNode &config, TokenizerParts &parts) {
  static constexpr const char *kClasses[] = {"LlamaTokenizer",         "LlamaTokenizerFast", "CodeLlamaTokenizer",
                                             "CodeLlamaTokenizerFast", "GemmaTokenizer",     "GemmaTokenizerFast"};
  std::string name = config["tokenizer_class"].string("");
  bool known = std::any_of(std::begin(kClasses), std::end(kClasses), [&](const char *row) { return name == row; });
  if (!known || config["add_bos_token"].isNull())
    return;
  parts.ids = Template();
  if (config["add_bos_token"].boolean(true) && parts.bos >= 0)
    parts.ids.prefix.push_back(static_cast<uint32_t>(parts.bos));
  if (config["add_eos_token"].boolean(false) && parts.eos >= 0)
    parts.ids.suffix.push_back(static_cast<uint32_t>(parts.eos));
}

std::vector<uint8_t> compile(const std::string &directory) {
  const std::string file = directory + "/tokenizer.json";
  if (!fileExists(file))
    return {};
  TokenizerParts parts;
  {
    // The tree of a large tokenizer takes some hundred megabytes: it ends with this block.
    nlohmann::json json = parseJson(file, readTextFile(file));
    JsonNode root(json, file);
    root.requireObject();
    parts.model = readModel(root["model"]);
    parts.addedTokens = readAddedTokens(root["added_tokens"]);
    parts.normalizer = readNormalizer(root["normalizer"]);
    parts.preTokenizer = readPreTokenizer(root["pre_tokenizer"]);
    parts.ids = readPostProcessor(root["post_processor"]);
    parts.decoder = readDecoder(root["decoder"]);
  }
  const std::string configFile = directory + kConfigName;
  const std::string mapFile = directory + "/special_tokens_map.json";
  nlohmann::json configJson = readOptionalJson(configFile);
  nlohmann::json mapJson = readOptionalJson(mapFile);
  JsonNode config(configJson, configFile);
  JsonNode map(mapJson, mapFile);
  addConfiguredTokens(config, parts);
  settleAddedTokens(parts);
  parts.bos = readRole(config, map, "bos_token", parts);
  parts.eos = readRole(config, map, "eos_token", parts);
  parts.pad = readRole(config, map, "pad_token", parts);
  parts.unk = readRole(config, map, "unk_token", parts);
  applyBosAndEos(config, parts);
  return writeSection(parts, file);
}

std::string chatTemplateOf(const std::string &directory) {
  const std::string jinja = directory + "/chat_template.jinja";
  if (fileExists(jinja))
    return readTextFile(jinja);
  const std::string file = directory + kConfigName;
  nlohmann::json json = readOptionalJson(file);
  JsonNode node = JsonNode(json, file)["chat_template"];
  if (!node.json().is_array())
    return node.string("");
  for (const JsonNode &entry : node.elements())
    if (entry["name"].string() == "default")
      return entry["template"].string();
  return "";
}

// Runs `body`; what it throws becomes the message.
template <typename Body> bool guarded(const std::string &directory, std::string &error, const Body &body) {
  try {
    body();
    return true;
  } catch (const Failure &failure) {
    error = failure.what();
  } catch (const std::bad_alloc &) {
    error = directory + ": not enough memory to read the tokenizer";
  } catch (const std::exception &unforeseen) {
    error = directory + ": the tokenizer cannot be read: " + unforeseen.what();
  }
  return false;
}

} // namespace
} // namespace tokenizer

bool compileTokenizer(const std::string &modelDirectory, std::vector<uint8_t> &section, std::string &error) {
  section.clear();
  return tokenizer::guarded(modelDirectory, error, [&] { section = tokenizer::compile(modelDirectory); });
}

bool readChatTemplate(const std::string &modelDirectory, std::string &chatTemplate, std::string &error) {
  chatTemplate.clear();
  return tokenizer::guarded(modelDirectory, error, [&] { chatTemplate = tokenizer::chatTemplateOf(modelDirectory); });
}

} // namespace sinter
