// A Hugging Face tokenizer (tokenizer.json with tokenizer_config.json) to the tokenizer section of a package, and the
// chat template beside it. Free of LLVM. No call throws; a failure is `false` and a message that names the file, what
// was expected and what was found.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sinter {

// Compiles modelDirectory/tokenizer.json into the FlatBuffer of runtime/tokenizer/tokenizer.fbs, and opens the result
// once with the runtime's reader, so that what fails to load fails here. A model without tokenizer.json gives an empty
// section and success.
bool compileTokenizer(const std::string &modelDirectory, std::vector<uint8_t> &section, std::string &error);

// The Jinja text of chat_template.jinja or, where that is absent, of "chat_template" in tokenizer_config.json (of
// several named templates, the one called "default"). Empty with success when the model has none.
bool readChatTemplate(const std::string &modelDirectory, std::string &chatTemplate, std::string &error);

} // namespace sinter
