/* Sinter tokenizer, C API: text to token ids and back.
 *
 * A tokenizer is the tokenizer section of a package (sinter_model_info.tokenizer), verified when it is opened and used
 * where it lies. It is read-only and may be used by any number of threads at once; a detokenizer is one stream of text
 * and belongs to one thread at a time. Nothing here aborts, throws, prints or keeps global state.
 *
 *   sinter_tokenizer *tokenizer;
 *   if (sinter_tokenizer_open(info.tokenizer, info.tokenizer_size, &tokenizer, &error) != SINTER_OK) ...
 *   uint32_t ids[64];
 *   size_t count;
 *   sinter_tokenizer_encode(tokenizer, "Once", 4, SINTER_ADD_SPECIAL | SINTER_PARSE_SPECIAL, ids, 64, &count, &error);
 *
 * C++ programs may prefer sinter_tokenizer.hpp.
 */
#ifndef SINTER_TOKENIZER_H
#define SINTER_TOKENIZER_H

#include "sinter.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sinter_tokenizer sinter_tokenizer;
typedef struct sinter_detokenizer sinter_detokenizer;

/* `data` is a tokenizer section, 8-byte aligned; it must outlive the tokenizer. A damaged section is
 * SINTER_ERROR_FORMAT; NULL, as of a model without a tokenizer, SINTER_ERROR_ARGUMENT. `error` may be NULL, here and
 * below. */
SINTER_API sinter_status sinter_tokenizer_open(const void *data, size_t size, sinter_tokenizer **tokenizer,
                                               sinter_error *error);
/* Detokenizers of it must have been destroyed. NULL is allowed. */
SINTER_API void sinter_tokenizer_close(sinter_tokenizer *tokenizer);

typedef struct sinter_tokenizer_info {
  const char *model; /* "BPE", "WordPiece" or "Unigram" */
  uint32_t size;     /* ids are below this; some of them may have no token */
  int32_t bos;       /* ids that tokenizer_config.json names; -1: none */
  int32_t eos;
  int32_t pad;
  int32_t unk;
  uint32_t prefix; /* tokens that SINTER_ADD_SPECIAL puts before a text, ... */
  uint32_t suffix; /* ... and after it */
  int adds_bos;    /* 1: the first of the prefix is `bos` */
} sinter_tokenizer_info;

SINTER_API void sinter_tokenizer_get_info(const sinter_tokenizer *tokenizer, sinter_tokenizer_info *info);

typedef struct sinter_token {
  const char *text; /* as in tokenizer.json ("Ġtime", "<0x0A>"); UTF-8, not terminated, owned by the tokenizer */
  size_t text_size;
  const char *bytes; /* what it stands for in decoded text; may be a part of a character */
  size_t bytes_size;
  int special; /* left out by SINTER_SKIP_SPECIAL */
  int added;   /* found in the text before the model's own rules apply */
  int byte;    /* a byte-fallback token */
} sinter_token;

/* SINTER_ERROR_ARGUMENT: there is no token with this id. */
SINTER_API sinter_status sinter_tokenizer_token(const sinter_tokenizer *tokenizer, uint32_t id, sinter_token *token);
/* The id of a token by its text as in tokenizer.json. SINTER_ERROR_ARGUMENT: there is none. */
SINTER_API sinter_status sinter_tokenizer_find(const sinter_tokenizer *tokenizer, const char *text, size_t text_size,
                                               uint32_t *id);

/* ---- Text to ids ------------------------------------------------------------------------------------------------ */

enum {
  SINTER_ADD_SPECIAL = 1,   /* put the model's own tokens around the text: BOS, for most */
  SINTER_PARSE_SPECIAL = 2, /* special tokens written out in the text ("<|im_start|>") become their ids;
                               without it they are text like any other */
  SINTER_SKIP_SPECIAL = 4,  /* decoding: special tokens give no text */
  SINTER_CONTINUE = 8       /* decoding: text comes before, so a leading space is kept */
};

/* `text` is UTF-8; ill-formed bytes are read as U+FFFD. `count` is always set to the number of ids of the whole text;
 * if it is larger than `capacity`, only that many were written and SINTER_ERROR_MEMORY is returned. */
SINTER_API sinter_status sinter_tokenizer_encode(const sinter_tokenizer *tokenizer, const char *text, size_t text_size,
                                                 uint32_t flags, uint32_t *ids, size_t capacity, size_t *count,
                                                 sinter_error *error);

/* Two texts as one list, for models that compare them: the ids of each, encoded without SINTER_ADD_SPECIAL, with the
 * model's own tokens around and between them. `types` receives the type of each token, for sinter_encode; NULL: not
 * wanted. `count` and `capacity` as above. SINTER_ERROR_UNSUPPORTED: the tokenizer knows no pairs. */
SINTER_API sinter_status sinter_tokenizer_join(const sinter_tokenizer *tokenizer, const uint32_t *first,
                                               size_t first_count, const uint32_t *second, size_t second_count,
                                               uint32_t *ids, uint32_t *types, size_t capacity, size_t *count,
                                               sinter_error *error);

/* ---- Ids to text ------------------------------------------------------------------------------------------------ */

/* Writes valid UTF-8, not terminated; bytes that make no character become U+FFFD. `size` is always set to the size of
 * the whole text; if it is larger than `capacity`, only that many bytes were written and SINTER_ERROR_MEMORY is
 * returned. An id without a token is SINTER_ERROR_ARGUMENT. */
SINTER_API sinter_status sinter_tokenizer_decode(const sinter_tokenizer *tokenizer, const uint32_t *ids, size_t count,
                                                 uint32_t flags, char *text, size_t capacity, size_t *size,
                                                 sinter_error *error);

/* The same, a token at a time: text comes out as soon as its characters are complete. The pieces together are what
 * sinter_tokenizer_decode gives, except that of a run of byte tokens which is not UTF-8 as a whole (U+FFFD for each
 * byte, there) the complete characters come out as they are. */
SINTER_API sinter_status sinter_detokenizer_create(const sinter_tokenizer *tokenizer, uint32_t flags,
                                                   sinter_detokenizer **detokenizer, sinter_error *error);
/* NULL is allowed. */
SINTER_API void sinter_detokenizer_destroy(sinter_detokenizer *detokenizer);
/* `text` is what this token completes, possibly nothing; terminated, valid until the next call on the detokenizer.
 * `text_size` may be NULL. An id without a token is SINTER_ERROR_ARGUMENT and gives no text. */
SINTER_API sinter_status sinter_detokenizer_push(sinter_detokenizer *detokenizer, uint32_t id, const char **text,
                                                 size_t *text_size);
/* The end of the stream: bytes held back come out as U+FFFD. The detokenizer then starts anew, with its first flags. */
SINTER_API sinter_status sinter_detokenizer_finish(sinter_detokenizer *detokenizer, const char **text,
                                                   size_t *text_size);

#ifdef __cplusplus
}
#endif
#endif
