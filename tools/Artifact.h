// A compiled package opened for the tools: the model, its tokenizer if it has one, and sessions on it. Everything here
// throws Failure with a message that names the file.
#pragma once

#include "runtime/sinter.h"
#include "runtime/tokenizer/sinter_tokenizer.hpp"
#include "tools/Failure.h"

#include <memory>
#include <string>
#include <vector>

namespace sinter {

struct SessionDeleter {
  void operator()(sinter_session *session) const { sinter_session_destroy(session); }
};
using Session = std::unique_ptr<sinter_session, SessionDeleter>;

class Artifact {
public:
  // `isa` empty: the best code section for this CPU.
  explicit Artifact(const std::string &path, const std::string &isa = "");

  const std::string &path() const { return file; }
  const sinter_model *model() const { return handle.get(); }
  const sinter_model_info &info() const { return description; }
  // False for models that come without one.
  bool hasTokenizer() const { return static_cast<bool>(text); }
  const Tokenizer &tokenizer() const; // throws if there is none

  // With BOS where the tokenizer adds one; special tokens written out in the text become their ids.
  std::vector<uint32_t> encode(const std::string &prompt, bool special = true) const;
  std::string decode(const std::vector<uint32_t> &ids, uint32_t flags = 0) const;

  // 0 means the model's context and the process's processors.
  sinter_memory_plan plan(uint32_t threads, uint32_t context) const;
  Session createSession(uint32_t threads, uint32_t context) const;

private:
  struct Close {
    void operator()(sinter_model *model) const { sinter_model_close(model); }
  };
  std::string file;
  std::unique_ptr<sinter_model, Close> handle;
  sinter_model_info description = {};
  Tokenizer text;
};

// Throws what the session's last call said unless `status` is SINTER_OK.
void check(const Session &session, sinter_status status);

// "1,2,3" to ids; throws a Failure that quotes what is not a number.
std::vector<uint32_t> parseIds(const std::string &text);
// The whole file, or standard input if `path` is "-".
std::string readText(const std::string &path);

} // namespace sinter
