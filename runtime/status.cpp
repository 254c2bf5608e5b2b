// Status codes and their texts. A message is formatted into the fixed buffer of a sinter_error: nothing is allocated
// and no state is kept, so failing works under every condition that can make something fail.

#include "runtime/status.h"

#include "runtime/format_text.h"

#include <stdarg.h>

using namespace sinter::runtime;

sinter_status sinter::runtime::fail(sinter_error *error, sinter_status status, const char *format, ...) {
  if (!error)
    return status;
  error->status = status;
  va_list arguments;
  va_start(arguments, format);
  formatTextFrom(error->message, sizeof(error->message), format, arguments);
  va_end(arguments);
  return status;
}

sinter_status sinter::runtime::succeed(sinter_error *error) {
  if (error) {
    error->status = SINTER_OK;
    error->message[0] = 0;
  }
  return SINTER_OK;
}

const char *sinter_version(void) { return SINTER_VERSION; }

const char *sinter_status_text(sinter_status status) {
  switch (status) {
  case SINTER_OK:
    return "ok";
  case SINTER_ERROR_ARGUMENT:
    return "wrong argument";
  case SINTER_ERROR_IO:
    return "file cannot be read";
  case SINTER_ERROR_FORMAT:
    return "not a valid package";
  case SINTER_ERROR_UNSUPPORTED:
    return "no code for this cpu";
  case SINTER_ERROR_MEMORY:
    return "not enough memory";
  case SINTER_ERROR_CONTEXT:
    return "context is full";
  case SINTER_ERROR_CANCELLED:
    return "stopped by the caller";
  case SINTER_ERROR_THREAD:
    return "thread cannot be started";
  case SINTER_ERROR_DEVICE:
    return "device cannot be used";
  }
  return "unknown status";
}
