// What backends share besides their interface: how errors are written, and what features are called.

#include "runtime/gpu/device.h"

#include "runtime/package_generated.h"

#include <stdarg.h>
#include <stdio.h>

namespace sinter::gpu {

sinter_status fail(sinter_error *error, sinter_status status, const char *format, ...) {
  if (error) {
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
  }
  return status;
}

void nameFeatures(uint64_t features, char *text, size_t capacity) {
  static const struct {
    package::GpuFeature bit;
    const char *name;
  } names[] = {{package::GpuFeature::storage_16bit, "16-bit storage"}, {package::GpuFeature::storage_8bit, "8-bit storage"}};
  text[0] = 0;
  size_t length = 0;
  for (const auto &feature : names)
    if (features & uint64_t(feature.bit) && length < capacity)
      length += size_t(snprintf(text + length, capacity - length, "%s%s", length ? ", " : "", feature.name));
}

} // namespace sinter::gpu
