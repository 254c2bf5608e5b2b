// sinter tokenize: text to ids and pieces, or ids back to text, by the tokenizer inside a package.

#include "tools/Artifact.h"
#include "tools/Commands.h"
#include "tools/Output.h"

#include <optional>

namespace sinter {

namespace {
struct TokenizeOptions {
  std::string file;
  std::optional<std::string> text, decode;
  bool idsOnly = false, noSpecial = false, json = false;
};
} // namespace

static std::string join(const std::vector<uint32_t> &ids) {
  std::string text;
  for (uint32_t id : ids)
    text += (text.empty() ? "" : ",") + std::to_string(id);
  return text;
}

// The token's text as tokenizer.json has it ("Ġtime"), which shows white space that decoded text hides.
static std::string piece(const Artifact &artifact, uint32_t id) {
  sinter_token token = {};
  if (sinter_tokenizer_token(artifact.tokenizer().get(), id, &token) != SINTER_OK)
    throw Failure(artifact.path() + ": there is no token " + std::to_string(id));
  return std::string(token.text, token.text_size);
}

static void tokenize(const TokenizeOptions &options) {
  Artifact artifact(options.file);
  if (!artifact.hasTokenizer())
    throw Failure(options.file + " has no tokenizer");
  bool decoding = options.decode.has_value();
  if (decoding == options.text.has_value())
    throw Failure("give either a text or --decode");
  std::vector<uint32_t> ids =
      decoding ? parseIds(*options.decode)
               : artifact.encode(*options.text == "-" ? readText("-") : *options.text, !options.noSpecial);
  std::string text =
      decoding || options.json ? artifact.decode(ids, options.noSpecial ? uint32_t(SINTER_SKIP_SPECIAL) : 0) : "";
  if (options.json) {
    Json pieces = Json::array();
    for (uint32_t id : ids)
      pieces.push_back(piece(artifact, id));
    printJson({{"tokens", ids}, {"pieces", pieces}, {"text", text}});
    return;
  }
  if (options.idsOnly)
    std::printf("%s\n", join(ids).c_str());
  else if (decoding)
    std::printf("%s\n", text.c_str());
  else
    for (uint32_t id : ids)
      std::printf("%8u  %s\n", id, piece(artifact, id).c_str());
  flushOutput();
}

void addTokenizeCommand(CLI::App &app) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App *command = app.add_subcommand("tokenize", "Shows how a text becomes token ids, or turns ids into text");
  command->add_option("FILE", options->file, "a compiled model")->required()->type_name("");
  command->add_option("TEXT", options->text, "the text; \"-\" reads standard input")->type_name("");
  command->add_flag("--ids", options->idsOnly, "print only the ids, as --prompt-ids takes them");
  command->add_option("--decode", options->decode, "turn these ids (1,2,3) into text instead")->type_name("IDS");
  command->add_flag("--no-special", options->noSpecial,
                    "no BOS, and special tokens in the text are text; with --decode, leave them out");
  command->add_flag("--json", options->json, "print tokens, pieces and text as JSON");
  command->footer("Examples:\n"
                  "  sinter tokenize tales.sinter \"Once upon a time\"\n"
                  "  sinter tokenize tales.sinter --decode 1,389,391,261,362\n");
  command->callback([options] { tokenize(*options); });
}

} // namespace sinter
