// Patterns by PCRE2, compiled to machine code where its JIT is available. What the JIT's small stack cannot hold is
// matched again by the interpreter, which keeps its state on the heap within PCRE2's default limits: a pattern that
// explodes on some text is an error, not a hang or a crash.

#include "pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <new>

namespace sinter::tokenizer {

MatchMemory::MatchMemory() : data(pcre2_match_data_create(1, nullptr)) {
  if (!data)
    throw std::bad_alloc();
}

MatchMemory::~MatchMemory() { pcre2_match_data_free(data); }

void Pattern::Free::operator()(pcre2_real_code_8 *code) const { pcre2_code_free(code); }

static std::string messageOf(int number) {
  PCRE2_UCHAR buffer[128];
  pcre2_get_error_message(number, buffer, sizeof buffer);
  return reinterpret_cast<const char *>(buffer);
}

bool Pattern::compile(std::string_view regex, std::string &error) {
  int number = 0;
  PCRE2_SIZE offset = 0;
  code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(regex.data()), regex.size(),
                           PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &number, &offset,
                           nullptr));
  if (!code) {
    error = "the regular expression is not valid at byte " + std::to_string(offset) + ": " + messageOf(number);
    return false;
  }
#ifndef SINTER_PCRE2_NO_JIT
  // Without JIT support this fails, and pcre2_match() interprets.
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
#endif
  return true;
}

MatchResult Pattern::find(std::string_view text, size_t from, MatchMemory &memory, Match &match,
                          std::string &error) const {
  if (!code) {
    size_t at = text.find(literal, from);
    match = {at, at + literal.size()};
    return at == std::string_view::npos ? MatchResult::none : MatchResult::found;
  }
  PCRE2_SPTR subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  int result = pcre2_match(code.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK, memory.data, nullptr);
  if (result == PCRE2_ERROR_JIT_STACKLIMIT)
    result =
        pcre2_match(code.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, memory.data, nullptr);
  if (result == PCRE2_ERROR_NOMATCH)
    return MatchResult::none;
  if (result < 0) {
    error = "the pre-tokenizer's pattern fails on this text: " + messageOf(result);
    return MatchResult::failed;
  }
  const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(memory.data);
  match = {offsets[0], offsets[1]};
  // \K inside a lookaround can give a match that starts after its end or before the search did.
  if (match.begin > match.end || match.begin < from) {
    error = "the pre-tokenizer's pattern gives a match that ends before it starts";
    return MatchResult::failed;
  }
  return MatchResult::found;
}

} // namespace sinter::tokenizer
