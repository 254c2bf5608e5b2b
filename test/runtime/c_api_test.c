/* The header is C, and a C program links the static library with nothing but libc. */

#include "runtime/sinter.h"

#include <stdio.h>
#include <string.h>

static int expect(int holds, const char *what) {
  if (!holds)
    printf("failed: %s\n", what);
  return !holds;
}

int main(void) {
  int failures = 0;
  sinter_model *model = NULL;
  sinter_error error;
  failures += expect(sinter_version()[0] != 0, "there is a version");
  failures += expect(strcmp(sinter_status_text(SINTER_ERROR_CONTEXT), "context is full") == 0, "status text");
  failures += expect(strcmp(sinter_status_text((sinter_status)99), "unknown status") == 0, "unknown status text");
  failures += expect(sinter_model_open("/nowhere/x.sinter", NULL, &model, &error) == SINTER_ERROR_IO, "status");
  failures += expect(strcmp(error.message, "/nowhere/x.sinter: no such file") == 0, "message");
  failures += expect(model == NULL, "no model");
  sinter_model_close(NULL);
  sinter_session_destroy(NULL);
  return failures != 0;
}
