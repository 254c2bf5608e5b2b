/* How much of a stack was used: filled with a pattern below the caller's frame, and looked at afterwards. */
#ifndef STACK_H
#define STACK_H

#include <stddef.h>
#include <stdint.h>

static unsigned char *stack_low, *stack_high;

/* `low`: where the stack ends. */
__attribute__((noinline)) static void stack_paint(unsigned char *low) {
  unsigned char *here = __builtin_frame_address(0);
  volatile unsigned char *at;
  stack_low = low;
  stack_high = here;
  for (at = low; at < here - 256; ++at)
    *at = 0xC3;
}

size_t board_stack_used(void) {
  unsigned char *at = stack_low;
  while (at < stack_high && *at == 0xC3)
    ++at;
  return (size_t)(stack_high - at);
}

#endif
