// The documents of an evaluation file. Documents are separated by lines that consist of "<|end|>"; the newlines around
// a document belong to the file, not to it, and a document of nothing else is none. Each document is tokenized alone
// with SINTER_ADD_SPECIAL | SINTER_PARSE_SPECIAL and cut to the context; of its n ids, the n - 1 after the first are
// predicted and counted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sinter {

inline std::vector<std::string> splitEvalDocuments(std::string_view text) {
  static constexpr std::string_view kSeparator = "<|end|>";
  std::vector<std::string> documents;
  size_t begin = 0; // of the document
  auto add = [&](size_t end) {
    std::string_view document = text.substr(begin, end - begin);
    size_t first = document.find_first_not_of("\r\n");
    if (first == std::string_view::npos)
      return;
    documents.emplace_back(document.substr(first, document.find_last_not_of("\r\n") + 1 - first));
  };
  for (size_t line = 0; line < text.size();) {
    size_t next = text.find('\n', line);
    next = next == std::string_view::npos ? text.size() : next + 1;
    std::string_view content = text.substr(line, next - line);
    content = content.substr(0, content.find_last_not_of("\r\n") + 1);
    if (content == kSeparator) {
      add(line);
      begin = next;
    }
    line = next;
  }
  add(text.size());
  return documents;
}

} // namespace sinter
