// The part of printf that messages need, so that the runtime needs nothing of libc but the mem functions.
#pragma once

#include <stdarg.h>
#include <stddef.h>

namespace sinter::runtime {

// Knows %s, %.40s, %u, %d, %zu, %llu (and PRIu64) and %%. Cuts the text so that it fits `capacity` with the final 0;
// returns the length of what was written.
__attribute__((format(printf, 3, 4))) size_t formatText(char *text, size_t capacity, const char *format, ...);
__attribute__((format(printf, 3, 0))) size_t formatTextFrom(char *text, size_t capacity, const char *format,
                                                            va_list arguments);

// strlen and strcmp() == 0.
size_t lengthOf(const char *text);
bool sameText(const char *a, const char *b);

} // namespace sinter::runtime
