/* A story from a model that is linked into the program: no file is opened, and all memory is declared here. The program
 * knows tokens, not text: ids come from `sinter tokenize`, and pieces of text from the model's own table. */
#include "tales.h"

#include <stdio.h>

static _Alignas(64) unsigned char model_memory[TALES_MODEL_BYTES];
static _Alignas(64) unsigned char session_memory[TALES_SESSION_BYTES];

static int show(void *user, uint32_t id) {
  const char *text;
  size_t size;
  if (tales_token_text(user, id, &text, &size) == SINTER_OK)
    fwrite(text, 1, size, stdout);
  return 0; /* anything else stops */
}

int main(void) {
  static const uint32_t prompt[] = {1, 389, 391, 261, 362}; /* "Once upon a time" */
  sinter_model_options open = {.api_version = SINTER_API_VERSION, .memory = model_memory,
                               .memory_size = sizeof model_memory};
  sinter_session_options create = {.api_version = SINTER_API_VERSION, .threads = 1, .memory = session_memory,
                                   .memory_size = sizeof session_memory};
  sinter_model *model;
  sinter_session *session;
  sinter_error error;
  uint32_t i;

  if (tales_open(&open, &model, &error) != SINTER_OK ||
      tales_session_create(model, &create, &session, &error) != SINTER_OK) {
    puts(error.message);
    return 1;
  }
  for (i = 0; i < sizeof prompt / sizeof *prompt; ++i)
    show(model, prompt[i]);
  if (tales_prefill(session, prompt, sizeof prompt / sizeof *prompt) != SINTER_OK ||
      tales_generate(session, 60, 0, show, model, NULL) != SINTER_OK) {
    puts(tales_session_error(session));
    return 1;
  }
  putchar('\n');
  tales_session_destroy(session);
  tales_model_close(model);
  return 0;
}
