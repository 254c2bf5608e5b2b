// Formats messages: strings, with or without a limit, and whole numbers. Anything else in a format is shown as it is;
// the compiler checks formats against their arguments as it does printf's.

#include "runtime/format_text.h"

#include <stdint.h>

using namespace sinter::runtime;

namespace {

// Appends within a buffer; keeps room for the final 0.
struct Writer {
  char *text;
  size_t capacity, length;

  void put(char character) {
    if (length + 1 < capacity)
      text[length++] = character;
  }
  void put(const char *from, size_t most) {
    if (!from)
      from = "(null)";
    for (size_t i = 0; i < most && from[i]; ++i)
      put(from[i]);
  }
  void putNumber(uint64_t number, bool negative) {
    char digits[20];
    size_t count = 0;
    do
      digits[count++] = char('0' + number % 10);
    while (number /= 10);
    if (negative)
      put('-');
    while (count)
      put(digits[--count]);
  }
  void putSigned(int64_t number) { putNumber(number < 0 ? 0 - uint64_t(number) : uint64_t(number), number < 0); }
};

// Length modifiers, as far as they change what is fetched.
enum class Width { plain, size, one, two };

} // namespace

size_t sinter::runtime::formatTextFrom(char *text, size_t capacity, const char *format, va_list arguments) {
  if (!capacity)
    return 0;
  Writer out = {text, capacity, 0};
  for (; *format; ++format) {
    if (*format != '%') {
      out.put(*format);
      continue;
    }
    const char *start = format++;
    size_t most = SIZE_MAX;
    if (*format == '.')
      for (most = 0, ++format; *format >= '0' && *format <= '9'; ++format)
        most = most * 10 + size_t(*format - '0');
    Width width = Width::plain;
    for (; *format == 'l' || *format == 'z'; ++format)
      width = *format == 'z' ? Width::size : width == Width::one ? Width::two : Width::one;
    switch (*format) {
    case '%':
      out.put('%');
      break;
    case 's':
      out.put(va_arg(arguments, const char *), most);
      break;
    case 'u':
      out.putNumber(width == Width::size  ? va_arg(arguments, size_t)
                    : width == Width::one ? va_arg(arguments, unsigned long)
                    : width == Width::two ? va_arg(arguments, unsigned long long)
                                          : va_arg(arguments, unsigned),
                    false);
      break;
    case 'd':
      out.putSigned(width == Width::plain ? va_arg(arguments, int)
                    : width == Width::one ? va_arg(arguments, long)
                                          : va_arg(arguments, long long));
      break;
    default: // not one of ours: the rest is shown unformatted, since its arguments are not known
      out.put(start, SIZE_MAX);
      out.text[out.length] = 0;
      return out.length;
    }
  }
  out.text[out.length] = 0;
  return out.length;
}

size_t sinter::runtime::formatText(char *text, size_t capacity, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t length = formatTextFrom(text, capacity, format, arguments);
  va_end(arguments);
  return length;
}

size_t sinter::runtime::lengthOf(const char *text) {
  size_t length = 0;
  while (text[length])
    ++length;
  return length;
}

bool sinter::runtime::sameText(const char *a, const char *b) {
  while (*a && *a == *b)
    ++a, ++b;
  return *a == *b;
}
