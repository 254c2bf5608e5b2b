/* A story without an operating system: no files, no threads, no malloc, no C library. All memory is in the three arrays below
 * and on the stack; the program counts what was used of each and compares it with the plan. */
#include "board.h"
#include "tales.h"

static _Alignas(64) unsigned char model_memory[TALES_MODEL_BYTES];
static _Alignas(64) unsigned char session_memory[TALES_SESSION_BYTES + 64]; /* 64 more, to see that they stay untouched */
static uint32_t ids[64];
static uint32_t count;

static void print(const char *text) {
  size_t size = 0;
  while (text[size])
    ++size;
  board_write(text, size);
}

static void print_number(uint64_t number) {
  char digits[21];
  int at = 20;
  digits[at] = 0;
  do
    digits[--at] = (char)('0' + number % 10);
  while (number /= 10);
  print(digits + at);
}

static void print_fact(const char *name, uint64_t number) {
  print(name);
  print(": ");
  print_number(number);
  print("\n");
}

static int show(void *user, uint32_t id) {
  const char *text;
  size_t size;
  if (tales_token_text(user, id, &text, &size) == SINTER_OK)
    board_write(text, size);
  ids[count++] = id;
  return count == sizeof ids / sizeof *ids;
}

static int fail(const char *message) {
  print(message);
  print("\n");
  return 1;
}

int board_main(void) {
  static const uint32_t prompt[] = {1, 389, 391, 261, 362};
  static sinter_error error;
  sinter_model_options open = {0};
  sinter_session_options create = {0};
  sinter_memory_plan plan;
  sinter_model *model;
  sinter_session *session;
  uint32_t i, changed = 0;

  open.api_version = create.api_version = SINTER_API_VERSION;
  open.memory = model_memory;
  open.memory_size = sizeof model_memory;
  create.threads = 1;
  create.memory = session_memory;
  create.memory_size = TALES_SESSION_BYTES;
  for (i = 0; i < 64; ++i)
    session_memory[TALES_SESSION_BYTES + i] = 0xA5;

  if (tales_open(&open, &model, &error) != SINTER_OK || tales_plan(model, &create, &plan, &error) != SINTER_OK ||
      tales_session_create(model, &create, &session, &error) != SINTER_OK)
    return fail(error.message);
  print("Once upon a time");
  if (tales_prefill(session, prompt, sizeof prompt / sizeof *prompt) != SINTER_OK ||
      tales_generate(session, 40, 0, show, model, 0) != SINTER_OK)
    return fail(tales_session_error(session));
  print("\nids:");
  for (i = 0; i < count; ++i) {
    print(" ");
    print_number(ids[i]);
  }
  print("\n");
  for (i = 0; i < 64; ++i)
    changed += session_memory[TALES_SESSION_BYTES + i] != 0xA5;
  print_fact("session planned", plan.block);
  print_fact("session declared", TALES_SESSION_BYTES);
  print_fact("model planned", plan.model);
  print_fact("bytes written past the plan", changed);
  print_fact("stack used", board_stack_used());
  print_fact("stack of kernels", TALES_STACK_BYTES);
  tales_session_destroy(session);
  tales_model_close(model);
  return 0;
}
