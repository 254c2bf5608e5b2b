// What sinter and sinterc share in reading a command line: usage errors are one line and exit code 1, as all errors
// are.
#pragma once

#include "tools/Failure.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace sinter {

// Like CLI::PositiveNumber, with a message that people can read.
inline CLI::Validator positive() {
  return CLI::Validator(
      [](const std::string &text) {
        double number = 0;
        bool valid = CLI::detail::lexical_cast(text, number) && number > 0;
        return valid ? std::string() : "expected a number above 0, found '" + text + "'";
      },
      ">0");
}

// Parses, runs the callbacks, and returns the program's exit code.
inline int runCommandLine(CLI::App &app, int argc, char **argv) {
  std::string name = app.get_name();
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::RuntimeError &error) { // a command that ends with an exit code of its own
    return error.get_exit_code();
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) // --help, --version
      return app.exit(error);
    std::fprintf(stderr, "%s: %s (see %s --help)\n", name.c_str(), error.what(), name.c_str());
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
  }
  return 1;
}

} // namespace sinter
