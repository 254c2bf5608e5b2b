// How every failing path of the runtime reports itself.
#pragma once

#include "runtime/sinter.h"

namespace sinter::runtime {

// Fills `error` (may be null) and returns `status`, so that a check reads `return fail(...)`. The message says which
// file or argument, what was expected and what was found.
__attribute__((format(printf, 3, 4))) sinter_status fail(sinter_error *error, sinter_status status, const char *format,
                                                         ...);
// Clears `error` (may be null).
sinter_status succeed(sinter_error *error);

} // namespace sinter::runtime
