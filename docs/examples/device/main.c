/* Runs a package on the first device for Vulkan, or on the CPU where there is none: docs/embedding.md explains it. */
#include "sinter.h"
#include "sinter_device.h"
#include "sinter_vulkan.h"

#include <stdio.h>

static int show(void *user, uint32_t id) {
  (void)user;
  printf(" %u", id);
  return 0; /* anything else stops */
}

int main(int argc, char **argv) {
  const uint32_t prompt[] = {1, 40, 7, 9, 20};
  const sinter_device_backend *vulkan = sinter_vulkan();
  sinter_model_options options = {.api_version = SINTER_API_VERSION};
  sinter_device_info device;
  sinter_model *model;
  sinter_model_info info;
  sinter_session *session;
  sinter_error error;
  uint32_t count;

  if (argc != 2) {
    puts("usage: continue FILE");
    return 1;
  }
  if (vulkan->list(&device, 1, &count, &error) != SINTER_OK)
    printf("%s\n", error.message);
  else if (count > 0)
    options.backend = vulkan; /* options.device is 0: the first, which is the best */
  if (sinter_model_open(argv[1], &options, &model, &error) != SINTER_OK) {
    puts(error.message);
    return 1;
  }
  sinter_model_get_info(model, &info);
  printf("on %s:", options.backend ? device.name : info.device);
  if (sinter_session_create(model, NULL, &session, &error) != SINTER_OK) {
    puts(error.message);
    return 1;
  }
  if (sinter_prefill(session, prompt, 5) != SINTER_OK || sinter_generate(session, 10, 0, show, NULL, NULL) != SINTER_OK)
    puts(sinter_session_error(session));
  putchar('\n');

  sinter_session_destroy(session);
  sinter_model_close(model);
  return 0;
}
