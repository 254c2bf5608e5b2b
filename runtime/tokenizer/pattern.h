// What a split or replace step looks for: a regular expression, or a plain string.
#pragma once

#include <stddef.h>

#include <memory>
#include <string>
#include <string_view>

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;

namespace sinter::tokenizer {

struct Match {
  size_t begin;
  size_t end;
};

enum class MatchResult { found, none, failed };

// Working memory of one search at a time; a pattern itself is read-only and shared by threads.
class MatchMemory {
public:
  MatchMemory();
  ~MatchMemory();
  MatchMemory(const MatchMemory &) = delete;
  MatchMemory &operator=(const MatchMemory &) = delete;

private:
  friend class Pattern;
  pcre2_real_match_data_8 *data;
};

class Pattern {
public:
  // PCRE2 syntax; UTF, Unicode properties, and ^ and $ at every line.
  bool compile(std::string_view regex, std::string &error);
  void setLiteral(std::string_view text) { literal = text; }

  // The first match in `text`, which is UTF-8, at or after `from`. `failed` and a message: the search took more work or
  // memory than PCRE2's limits allow.
  MatchResult find(std::string_view text, size_t from, MatchMemory &memory, Match &match, std::string &error) const;

private:
  struct Free {
    void operator()(pcre2_real_code_8 *code) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code;
  std::string_view literal; // used if there is no code
};

} // namespace sinter::tokenizer
