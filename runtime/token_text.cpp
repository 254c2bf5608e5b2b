// What tokens stand for, for programs that show text without the tokenizer library: the compiler has worked out each
// token's bytes, so this only looks them up. The section was not verified when the model was opened; verifying what
// leads to the table takes microseconds, so it is done each time and nothing is kept.

#include "runtime/model.h"
#include "runtime/status.h"

#include "runtime/tokenizer/tokenizer_generated.h"

using namespace sinter;
using namespace sinter::runtime;

sinter_status sinter_token_text(const sinter_model *model, uint32_t id, const char **text, size_t *size) {
  if (!model || !text || !size)
    return SINTER_ERROR_ARGUMENT;
  *text = "";
  *size = 0;
  const package::Range *range = model->manifest->tokenizer();
  if (!range || !range->size())
    return SINTER_ERROR_UNSUPPORTED;
  const uint8_t *section = bytesAt(model, range->offset(), range->size());
  flatbuffers::Verifier verifier(section, range->size());
  if (!isSound<tokens::Tokenizer>(verifier, section, range->size()))
    return SINTER_ERROR_FORMAT;
  const tokens::Vocabulary &vocabulary = *tokens::GetTokenizer(section)->vocabulary();
  const flatbuffers::Vector<uint32_t> &ends = *vocabulary.bytes()->ends();
  if (id >= vocabulary.flags()->size() || id >= ends.size())
    return SINTER_ERROR_ARGUMENT;
  const uint8_t flags = vocabulary.flags()->Get(id);
  if (!(flags & uint8_t(tokens::TokenFlags::used)))
    return SINTER_ERROR_ARGUMENT;
  if (flags & uint8_t(tokens::TokenFlags::special))
    return SINTER_OK;
  const uint32_t begin = id ? ends.Get(id - 1) : 0, end = ends.Get(id);
  if (begin > end || end > vocabulary.bytes()->bytes()->size())
    return SINTER_ERROR_FORMAT;
  *text = reinterpret_cast<const char *>(vocabulary.bytes()->bytes()->data()) + begin;
  *size = end - begin;
  return SINTER_OK;
}
