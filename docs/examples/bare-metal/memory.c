/* The four functions that compilers take for granted. Plain loops: the file is compiled with -fno-builtin, or they would
 * become calls of themselves. */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size) {
  unsigned char *out = to;
  const unsigned char *in = from;
  while (size--)
    *out++ = *in++;
  return to;
}

void *memmove(void *to, const void *from, size_t size) {
  unsigned char *out = to;
  const unsigned char *in = from;
  if (out < in)
    return memcpy(to, from, size);
  while (size--)
    out[size] = in[size];
  return to;
}

void *memset(void *to, int value, size_t size) {
  unsigned char *out = to;
  while (size--)
    *out++ = (unsigned char)value;
  return to;
}

int memcmp(const void *a, const void *b, size_t size) {
  const unsigned char *left = a, *right = b;
  for (; size--; ++left, ++right)
    if (*left != *right)
      return *left < *right ? -1 : 1;
  return 0;
}
