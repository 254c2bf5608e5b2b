// Ctrl-C as a question that loops can ask. The first one asks for a clean end; the second ends the process at once.
#pragma once

namespace sinter {

void catchInterrupts();
bool interrupted();

// What a shell expects of a program that ended because of Ctrl-C.
inline constexpr int kInterruptedExitCode = 130;

} // namespace sinter
