/* Runs a package through its whole context and prints, beside what sinter_plan() promised, what the process took: resident
 * bytes, and what the runtime asked the system for. memory_probe PACKAGE CONTEXT THREADS */
#define _GNU_SOURCE
#include "sinter.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The runtime's calls come here, since a program's own functions go before the C library's. */
static unsigned long mapped, unmapped, maps, mallocs;
static int watching;

void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset) {
  if (flags & MAP_ANONYMOUS)
    mapped += size;
  ++maps;
  return (void *)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}
int munmap(void *at, size_t size) {
  unmapped += size;
  return (int)syscall(SYS_munmap, at, size);
}
extern void *__libc_malloc(size_t size);
void *malloc(size_t size) {
  mallocs += watching;
  return __libc_malloc(size);
}

/* Resident bytes of anonymous memory and of mappings of `path`: the pages of libc that are touched on the way are not the
 * runtime's. */
static long resident(const char *path) {
  static char line[4096];
  long anonymous = 0, file_pages = 0, kilobytes;
  int ours = 0;
  FILE *file = fopen("/proc/self/smaps", "r");
  const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  while (file && fgets(line, sizeof line, file)) {
    if (strchr(line, '-') && strchr(line, '-') < strchr(line, ' '))
      ours = strstr(line, name) != NULL;
    if (sscanf(line, "Rss: %ld", &kilobytes) == 1 && ours)
      file_pages += kilobytes;
    if (sscanf(line, "Anonymous: %ld", &kilobytes) == 1 && !ours)
      anonymous += kilobytes;
  }
  if (file)
    fclose(file);
  return (anonymous + file_pages) * 1024;
}

static int check(sinter_status status, const char *message) {
  if (status != SINTER_OK) {
    fprintf(stderr, "%s\n", message);
    exit(1);
  }
  return 0;
}

int main(int argc, char **argv) {
  sinter_model *model;
  sinter_session *session;
  sinter_error error;
  sinter_memory_plan plan;
  sinter_model_info info;
  sinter_session_options options = {SINTER_API_VERSION, 0, 0, NULL, 0};
  uint32_t i, *ids;
  long before;
  unsigned long asked, maps_after_init;

  if (argc != 4)
    return 2;
  options.context = (uint32_t)atoi(argv[2]);
  options.threads = (uint32_t)atoi(argv[3]);
  ids = calloc(options.context, sizeof *ids);
  resident(argv[1]); /* brings in what reading it needs */
  before = resident(argv[1]);
  mapped = unmapped = 0;
  check(sinter_model_open(argv[1], NULL, &model, &error), error.message);
  sinter_model_get_info(model, &info);
  check(sinter_plan(model, &options, &plan, &error), error.message);
  check(sinter_session_create(model, &options, &session, &error), error.message);
  asked = mapped - unmapped;
  maps_after_init = maps;
  watching = 1;
  for (i = 0; i < options.context; ++i)
    ids[i] = (i * 7 + 3) % info.vocab;
  check(sinter_prefill(session, ids, options.context - 2), sinter_session_error(session));
  check(sinter_generate(session, 2, 1, NULL, NULL, NULL), sinter_session_error(session));
  watching = 0;
  printf("{\"planned\": %llu, \"resident\": %ld, \"asked\": %lu, \"block\": %llu, \"model\": %llu, \"stacks\": %llu, "
         "\"mapped_file\": %llu, \"maps_after_init\": %lu, \"mallocs_after_init\": %lu}\n",
         (unsigned long long)plan.total,
         resident(argv[1]) - before, asked, (unsigned long long)plan.block, (unsigned long long)plan.model,
         (unsigned long long)plan.stacks, (unsigned long long)(plan.weights + plan.code + plan.manifest + plan.tokenizer),
         maps - maps_after_init, mallocs);
  sinter_session_destroy(session);
  sinter_model_close(model);
  free(ids);
  return 0;
}
