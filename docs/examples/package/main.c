/* Continues a prompt with a package opened from a file, text in and text out: docs/quick-start.md explains it. */
#include "sinter.h"
#include "sinter_tokenizer.h"

#include <stdio.h>
#include <string.h>

static int show(void *user, uint32_t id) {
  const char *text = "";
  sinter_detokenizer_push(user, id, &text, NULL);
  fputs(text, stdout);
  return 0; /* anything else stops */
}

int main(int argc, char **argv) {
  const char *prompt = "Once upon a time";
  sinter_model *model;
  sinter_model_info info;
  sinter_session *session;
  sinter_tokenizer *tokenizer;
  sinter_detokenizer *detokenizer;
  sinter_error error;
  uint32_t ids[64];
  size_t count;

  if (argc != 2 || sinter_model_open(argv[1], NULL, &model, &error) != SINTER_OK) {
    puts(argc != 2 ? "usage: write FILE" : error.message);
    return 1;
  }
  sinter_model_get_info(model, &info);
  if (sinter_tokenizer_open(info.tokenizer, info.tokenizer_size, &tokenizer, &error) != SINTER_OK ||
      sinter_tokenizer_encode(tokenizer, prompt, strlen(prompt), SINTER_ADD_SPECIAL, ids, 64, &count, &error) !=
          SINTER_OK ||
      sinter_detokenizer_create(tokenizer, SINTER_SKIP_SPECIAL | SINTER_CONTINUE, &detokenizer, &error) != SINTER_OK ||
      sinter_session_create(model, NULL, &session, &error) != SINTER_OK) {
    puts(error.message);
    return 1;
  }
  fputs(prompt, stdout);
  if (sinter_prefill(session, ids, count) != SINTER_OK ||
      sinter_generate(session, 100, 0, show, detokenizer, NULL) != SINTER_OK)
    puts(sinter_session_error(session));
  putchar('\n');

  sinter_session_destroy(session);
  sinter_detokenizer_destroy(detokenizer);
  sinter_tokenizer_close(tokenizer);
  sinter_model_close(model);
  return 0;
}
