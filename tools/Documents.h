// Eval files: documents separated by lines that read "<|end|>".
#pragma once

#include <string>
#include <vector>

namespace sinter {

// The line break before a separator and the one that ends the file belong to the file, not to the document. Documents
// without text are left out.
std::vector<std::string> splitDocuments(const std::string &text);

} // namespace sinter
