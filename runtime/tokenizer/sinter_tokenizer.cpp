// The C API: arguments are checked here, and what the C++ standard library may throw (no memory) becomes a status.
// These sources are the one part of the runtime that is built with exceptions, for that reason alone: nothing else
// throws.

#include "tokenizer.h"

#include <string.h>

#include <algorithm>
#include <memory>
#include <new>

using sinter::tokens::TokenFlags;

// So that positions in a text, normalized, fit 32 bits.
static constexpr size_t kMaxTextBytes = size_t(1) << 26;

static sinter_status fail(sinter_error *error, sinter_status status, const std::string &message) {
  if (error) {
    error->status = status;
    size_t size = std::min(message.size(), sizeof error->message - 1);
    memcpy(error->message, message.data(), size);
    error->message[size] = 0;
  }
  return status;
}

// Runs `body`, which returns a status.
template <typename Body> static sinter_status guarded(sinter_error *error, const Body &body) {
  try {
    return body();
  } catch (const std::exception &) {
    // bad_alloc or length_error. The message is short enough to need no memory.
    return fail(error, SINTER_ERROR_MEMORY, "no memory");
  }
}

sinter_status sinter_tokenizer_open(const void *data, size_t size, sinter_tokenizer **tokenizer, sinter_error *error) {
  return guarded(error, [&]() -> sinter_status {
    if (!tokenizer)
      return fail(error, SINTER_ERROR_ARGUMENT, "no place for the tokenizer");
    *tokenizer = nullptr;
    if (!data || !size)
      return fail(error, SINTER_ERROR_ARGUMENT, "there is no tokenizer section");
    std::string message;
    const sinter::tokens::Tokenizer *root = sinter::tokenizer::openSection(data, size, message);
    if (!root)
      return fail(error, SINTER_ERROR_FORMAT, message);
    std::unique_ptr<sinter_tokenizer> opened = std::make_unique<sinter_tokenizer>(root);
    if (!opened->open(message))
      return fail(error, SINTER_ERROR_FORMAT, "the tokenizer section is damaged: " + message);
    *tokenizer = opened.release();
    return SINTER_OK;
  });
}

void sinter_tokenizer_close(sinter_tokenizer *tokenizer) { delete tokenizer; }

void sinter_tokenizer_get_info(const sinter_tokenizer *tokenizer, sinter_tokenizer_info *info) {
  if (!tokenizer || !info)
    return;
  const sinter::tokens::Tokenizer &root = *tokenizer->root;
  info->model = tokenizer->root->model() == sinter::tokens::ModelKind::bpe          ? "BPE"
                : tokenizer->root->model() == sinter::tokens::ModelKind::word_piece ? "WordPiece"
                                                                                    : "Unigram";
  info->size = root.vocabulary()->flags()->size();
  info->bos = root.bos();
  info->eos = root.eos();
  info->pad = root.pad();
  info->unk = root.unk();
  info->prefix = root.prefix() ? root.prefix()->size() : 0;
  info->suffix = root.suffix() ? root.suffix()->size() : 0;
  info->adds_bos = info->prefix > 0 && static_cast<int64_t>(root.prefix()->Get(0)) == info->bos;
}

sinter_status sinter_tokenizer_token(const sinter_tokenizer *tokenizer, uint32_t id, sinter_token *token) {
  if (!tokenizer || !token || !tokenizer->hasToken(id))
    return SINTER_ERROR_ARGUMENT;
  token->text = tokenizer->textOf(id).data();
  token->text_size = tokenizer->textOf(id).size();
  token->bytes = tokenizer->bytesOf(id).data();
  token->bytes_size = tokenizer->bytesOf(id).size();
  token->special = tokenizer->has(id, TokenFlags::special);
  token->added = tokenizer->has(id, TokenFlags::added);
  token->byte = tokenizer->has(id, TokenFlags::byte);
  return SINTER_OK;
}

sinter_status sinter_tokenizer_find(const sinter_tokenizer *tokenizer, const char *text, size_t text_size,
                                    uint32_t *id) {
  if (!tokenizer || !text || !id)
    return SINTER_ERROR_ARGUMENT;
  int64_t found = sinter::tokenizer::findToken(*tokenizer->root->vocabulary(), {text, text_size});
  if (found < 0)
    found = tokenizer->added.find({text, text_size});
  if (found < 0)
    found = tokenizer->addedNormalized.find({text, text_size});
  if (found < 0)
    return SINTER_ERROR_ARGUMENT;
  *id = static_cast<uint32_t>(found);
  return SINTER_OK;
}

sinter_status sinter_tokenizer_encode(const sinter_tokenizer *tokenizer, const char *text, size_t text_size,
                                      uint32_t flags, uint32_t *ids, size_t capacity, size_t *count,
                                      sinter_error *error) {
  return guarded(error, [&]() -> sinter_status {
    if (count)
      *count = 0;
    if (!tokenizer || (!text && text_size) || (!ids && capacity) || !count)
      return fail(error, SINTER_ERROR_ARGUMENT, "a null pointer");
    if (text_size > kMaxTextBytes)
      return fail(error, SINTER_ERROR_ARGUMENT,
                  "a text of " + std::to_string(text_size) + " bytes (limit " + std::to_string(kMaxTextBytes) + ")");
    std::vector<uint32_t> all;
    std::string message;
    if (!tokenizer->encode({text, text_size}, flags, all, message))
      return fail(error, SINTER_ERROR_ARGUMENT, message);
    *count = all.size();
    size_t written = std::min(capacity, all.size());
    if (written)
      memcpy(ids, all.data(), written * sizeof *ids);
    if (all.size() > capacity)
      return fail(error, SINTER_ERROR_MEMORY,
                  "the text has " + std::to_string(all.size()) + " ids, more than the " + std::to_string(capacity) +
                      " there is room for");
    return SINTER_OK;
  });
}

sinter_status sinter_tokenizer_join(const sinter_tokenizer *tokenizer, const uint32_t *first, size_t first_count,
                                    const uint32_t *second, size_t second_count, uint32_t *ids, uint32_t *types,
                                    size_t capacity, size_t *count, sinter_error *error) {
  return guarded(error, [&]() -> sinter_status {
    if (count)
      *count = 0;
    if (!tokenizer || (!first && first_count) || (!second && second_count) || (!ids && capacity) || !count)
      return fail(error, SINTER_ERROR_ARGUMENT, "a null pointer");
    const flatbuffers::Vector<const sinter::tokens::PairPart *> *pair = tokenizer->root->pair();
    if (!pair)
      return fail(error, SINTER_ERROR_UNSUPPORTED, "the tokenizer does not say how two texts stand together");
    size_t all = 0;
    auto add = [&](const uint32_t *from, size_t length, uint32_t type) {
      for (size_t i = 0; i < length; ++i, ++all)
        if (all < capacity) {
          ids[all] = from[i];
          if (types)
            types[all] = type;
        }
    };
    for (const sinter::tokens::PairPart *part : *pair) {
      const uint32_t id = static_cast<uint32_t>(part->id());
      if (part->id() >= 0)
        add(&id, 1, part->type());
      else
        add(part->id() == -1 ? first : second, part->id() == -1 ? first_count : second_count, part->type());
    }
    *count = all;
    if (all > capacity)
      return fail(error, SINTER_ERROR_MEMORY,
                  "the pair has " + std::to_string(all) + " ids, more than the " + std::to_string(capacity) +
                      " there is room for");
    return SINTER_OK;
  });
}

sinter_status sinter_tokenizer_decode(const sinter_tokenizer *tokenizer, const uint32_t *ids, size_t count,
                                      uint32_t flags, char *text, size_t capacity, size_t *size, sinter_error *error) {
  return guarded(error, [&]() -> sinter_status {
    if (size)
      *size = 0;
    if (!tokenizer || (!ids && count) || (!text && capacity) || !size)
      return fail(error, SINTER_ERROR_ARGUMENT, "a null pointer");
    std::string all;
    std::string message;
    if (!sinter::tokenizer::decodeAll(*tokenizer, ids, count, flags, all, message))
      return fail(error, SINTER_ERROR_ARGUMENT, message);
    *size = all.size();
    size_t written = std::min(capacity, all.size());
    if (written)
      memcpy(text, all.data(), written);
    if (all.size() > capacity)
      return fail(error, SINTER_ERROR_MEMORY,
                  "the text has " + std::to_string(all.size()) + " bytes, more than the " + std::to_string(capacity) +
                      " there is room for");
    return SINTER_OK;
  });
}

sinter_status sinter_detokenizer_create(const sinter_tokenizer *tokenizer, uint32_t flags,
                                        sinter_detokenizer **detokenizer, sinter_error *error) {
  return guarded(error, [&]() -> sinter_status {
    if (!tokenizer || !detokenizer)
      return fail(error, SINTER_ERROR_ARGUMENT, "a null pointer");
    *detokenizer = new sinter_detokenizer(tokenizer, flags);
    return SINTER_OK;
  });
}

void sinter_detokenizer_destroy(sinter_detokenizer *detokenizer) { delete detokenizer; }

static void giveReady(const sinter_detokenizer &detokenizer, const char **text, size_t *text_size) {
  *text = detokenizer.ready.c_str();
  if (text_size)
    *text_size = detokenizer.ready.size();
}

sinter_status sinter_detokenizer_push(sinter_detokenizer *detokenizer, uint32_t id, const char **text,
                                      size_t *text_size) {
  return guarded(nullptr, [&]() -> sinter_status {
    if (!detokenizer || !text)
      return SINTER_ERROR_ARGUMENT;
    *text = "";
    if (text_size)
      *text_size = 0;
    if (!detokenizer->tokenizer->hasToken(id))
      return SINTER_ERROR_ARGUMENT;
    detokenizer->push(id);
    giveReady(*detokenizer, text, text_size);
    return SINTER_OK;
  });
}

sinter_status sinter_detokenizer_finish(sinter_detokenizer *detokenizer, const char **text, size_t *text_size) {
  return guarded(nullptr, [&]() -> sinter_status {
    if (!detokenizer || !text)
      return SINTER_ERROR_ARGUMENT;
    detokenizer->finish();
    giveReady(*detokenizer, text, text_size);
    return SINTER_OK;
  });
}
