// The subcommands of sinter, one file each. Each function adds its command with its options and what it runs; a command
// that fails throws Failure.
#pragma once

#include <CLI/CLI.hpp>

namespace sinter {

void addRunCommand(CLI::App &app);
void addBenchCommand(CLI::App &app);
void addEvalCommand(CLI::App &app);
void addDevicesCommand(CLI::App &app);
void addExecCommand(CLI::App &app);
void addInspectCommand(CLI::App &app);
void addEmbedCommand(CLI::App &app);
void addClassifyCommand(CLI::App &app);
void addTokenizeCommand(CLI::App &app);

} // namespace sinter
