/* The header from C99: a tokenizer that does not open, and the statuses of the other calls without one. */

#include "sinter_tokenizer.h"

#include <stdio.h>
#include <string.h>

#define CHECK(condition)                                                                                               \
  if (!(condition)) {                                                                                                  \
    fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                                            \
    return 1;                                                                                                          \
  }

int main(void) {
  static const double aligned[4] = {0};
  sinter_tokenizer *tokenizer = NULL;
  sinter_detokenizer *detokenizer = NULL;
  sinter_token token;
  sinter_error error;
  uint32_t id = 0;
  size_t count = 0;
  memset(&error, 0, sizeof error);
  CHECK(sinter_tokenizer_open(aligned, sizeof aligned, &tokenizer, &error) == SINTER_ERROR_FORMAT);
  CHECK(strcmp(error.message, "not a tokenizer section (32 bytes)") == 0);
  CHECK(error.status == SINTER_ERROR_FORMAT);
  CHECK(tokenizer == NULL);
  CHECK(sinter_tokenizer_open(NULL, 0, &tokenizer, NULL) == SINTER_ERROR_ARGUMENT);
  CHECK(sinter_tokenizer_encode(NULL, "a", 1, SINTER_ADD_SPECIAL, &id, 1, &count, &error) == SINTER_ERROR_ARGUMENT);
  CHECK(sinter_tokenizer_token(NULL, 0, &token) == SINTER_ERROR_ARGUMENT);
  CHECK(sinter_detokenizer_create(NULL, SINTER_SKIP_SPECIAL, &detokenizer, &error) == SINTER_ERROR_ARGUMENT);
  sinter_tokenizer_close(NULL);
  sinter_detokenizer_destroy(NULL);
  return 0;
}
