/* Two models in one program, each with a copy of the runtime under its own names: one writes, the other judges. They may
 * come from different versions of Sinter. */
#include "judge.h"
#include "writer.h"

#include <math.h>
#include <stdio.h>

struct Text {
  const sinter_model *model;
  uint32_t ids[WRITER_CONTEXT];
  size_t count;
};

static int keep(void *user, uint32_t id) {
  struct Text *text = user;
  const char *piece;
  size_t size;
  if (writer_token_text(text->model, id, &piece, &size) == SINTER_OK)
    fwrite(piece, 1, size, stdout);
  text->ids[text->count++] = id;
  return text->count == sizeof text->ids / sizeof *text->ids;
}

/* Adds up what the judge thinks of each next token, in nats. */
struct Judgement {
  const struct Text *text;
  double nats;
};

static int judge(void *user, size_t index, const float *logits) {
  struct Judgement *judgement = user;
  double sum = 0, largest = logits[0];
  uint32_t i;
  if (index + 1 == judgement->text->count)
    return 0;
  for (i = 1; i < JUDGE_VOCAB; ++i)
    largest = logits[i] > largest ? logits[i] : largest;
  for (i = 0; i < JUDGE_VOCAB; ++i)
    sum += exp(logits[i] - largest);
  judgement->nats += log(sum) + largest - logits[judgement->text->ids[index + 1]];
  return 0;
}

int main(void) {
  static struct Text text = {NULL, {1, 389, 391, 261, 362}, 5}; /* "Once upon a time" */
  struct Judgement judgement = {&text, 0};
  sinter_model *writer, *critic;
  sinter_session *writing, *judging;
  sinter_error error;

  if (writer_open(NULL, &writer, &error) != SINTER_OK || judge_open(NULL, &critic, &error) != SINTER_OK ||
      writer_session_create(writer, NULL, &writing, &error) != SINTER_OK ||
      judge_session_create(critic, NULL, &judging, &error) != SINTER_OK) {
    puts(error.message);
    return 1;
  }
  text.model = writer;
  fputs("Once upon a time", stdout);
  if (writer_prefill(writing, text.ids, text.count) != SINTER_OK ||
      writer_generate(writing, 40, 0, keep, &text, NULL) != SINTER_OK ||
      judge_score(judging, text.ids, text.count, judge, &judgement) != SINTER_OK) {
    printf("\n%s%s\n", writer_session_error(writing), judge_session_error(judging));
    return 1;
  }
  printf("\nperplexity: %.2f\n", exp(judgement.nats / (double)(text.count - 1)));
  writer_session_destroy(writing);
  judge_session_destroy(judging);
  writer_model_close(writer);
  judge_model_close(critic);
  return 0;
}
