// The piece is at most `most_characters` long, so trying every end from the last one down is quick enough: a word of
// thirty letters takes some hundred lookups at worst, and most words are tokens as a whole.

#include "word_piece.h"
#include "section.h"
#include "utf8.h"

namespace sinter::tokenizer {

void encodeWordPiece(const tokens::Vocabulary &vocabulary, const tokens::WordPiece &words, std::string_view piece,
                     WordPieceMemory &memory, std::vector<uint32_t> &ids) {
  memory.ends.clear();
  for (size_t at = 0; at < piece.size() && memory.ends.size() <= words.most_characters();)
    memory.ends.push_back(at += readCharacter(piece.substr(at)).size);
  if (memory.ends.size() > words.most_characters()) {
    ids.push_back(words.unknown());
    return;
  }
  const size_t known = ids.size();
  for (size_t begin = 0, first = 0; begin < piece.size();) { // `first`: the character at `begin`
    memory.candidate.assign(begin ? view(words.continuation()) : std::string_view());
    const size_t prefix = memory.candidate.size();
    memory.candidate += piece.substr(begin);
    int64_t id = -1;
    size_t last = memory.ends.size();
    for (; last > first; --last) {
      memory.candidate.resize(prefix + memory.ends[last - 1] - begin);
      if ((id = findToken(vocabulary, memory.candidate)) >= 0)
        break;
    }
    if (id < 0) {
      ids.resize(known);
      ids.push_back(words.unknown());
      return;
    }
    ids.push_back(static_cast<uint32_t>(id));
    begin = memory.ends[last - 1];
    first = last;
  }
}

} // namespace sinter::tokenizer
