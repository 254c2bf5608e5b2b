// Splits a text at its separator lines; "\r\n" ends a line as "\n" does.

#include "tools/Documents.h"

namespace sinter {

static void add(std::vector<std::string> &documents, std::string text) {
  if (!text.empty() && text.back() == '\n')
    text.pop_back();
  if (!text.empty() && text.back() == '\r')
    text.pop_back();
  if (!text.empty())
    documents.push_back(std::move(text));
}

std::vector<std::string> splitDocuments(const std::string &text) {
  std::vector<std::string> documents;
  std::string current;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    if (!line.empty() && line.back() == '\r')
      line.pop_back();
    if (line == "<|end|>") {
      add(documents, std::move(current));
      current.clear();
    } else {
      current.append(text, begin, std::min(end + 1, text.size()) - begin);
    }
    begin = end + 1;
  }
  add(documents, std::move(current));
  return documents;
}

} // namespace sinter
