// A compiled package opened for the tools: the model, its tokenizer if it has one, and sessions on it. Everything here
// throws with a message that says what is wrong with which file.
#pragma once

#include "runtime/sinter.hpp"
#include "runtime/tokenizer/sinter_tokenizer.hpp"
#include "tools/Device.h"
#include "tools/Failure.h"

#include <string>
#include <vector>

namespace sinter {

class Artifact {
public:
  // `isa` empty: the best code section for this CPU.
  explicit Artifact(const std::string &path, const std::string &isa = "", const DeviceChoice &device = {});
  // The same for a package inside another file; `name` is what messages call it.
  Artifact(const std::string &path, const ModelOptions &options, const std::string &name,
           const DeviceChoice &device = {});

  const std::string &path() const { return file; }
  const Model &model() const { return opened; }
  const sinter_model_info &info() const { return description; }
  // False for models that come without one.
  bool hasTokenizer() const { return static_cast<bool>(text); }
  const Tokenizer &tokenizer() const; // throws if there is none

  // With BOS where the tokenizer adds one; special tokens written out in the text become their ids.
  std::vector<uint32_t> encode(const std::string &prompt, bool special = true) const;
  std::string decode(const std::vector<uint32_t> &ids, uint32_t flags = 0) const;

  // 0 means the model's context and the process's processors.
  sinter_memory_plan plan(uint32_t threads, uint32_t context) const;
  // Where "auto" chose a device that then has no room for the session, the model is opened anew on the CPU.
  Session createSession(uint32_t threads, uint32_t context);

private:
  void openOnCpu(const std::string &obstacle); // says so, if there is an obstacle to anything better
  void readFacts();

  std::string file, source;
  ModelOptions onCpu;
  bool mayFallBack = false;
  Model opened;
  sinter_model_info description = {};
  Tokenizer text;
};

// "1,2,3" to ids; throws a Failure that quotes what is not a number.
std::vector<uint32_t> parseIds(const std::string &text);
// The whole file, or standard input if `path` is "-".
std::string readText(const std::string &path);

} // namespace sinter
