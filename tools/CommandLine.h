// What sinter and sinterc share in reading a command line: usage errors are one line and exit code 1, as all errors
// are.
#pragma once

#include "tools/Failure.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <limits>

namespace sinter {

// A whole number in [least, most]. CLI11's own conversions take "-1" and numbers past 64 bits for large ones.
inline CLI::Validator wholeNumber(uint64_t least, uint64_t most) {
  return CLI::Validator(
      [=](const std::string &text) {
        uint64_t number = 0;
        const char *end = text.data() + text.size();
        std::from_chars_result parsed = std::from_chars(text.data(), end, number);
        bool valid = parsed.ec == std::errc() && parsed.ptr == end && number >= least && number <= most;
        return valid ? std::string()
                     : "expected a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                           ", found '" + text + "'";
      },
      "");
}

// A count for a uint32_t that cannot be 0.
inline CLI::Validator positive() { return wholeNumber(1, UINT32_MAX); }

struct NumberRange {
  float above = -INFINITY; // excluded
  float least = -INFINITY, most = std::numeric_limits<float>::max();
  const char *phrase; // "a number above 0"
};

// Refuses NaN, infinity and what is outside of `range`.
inline CLI::Validator number(const NumberRange &range) {
  return CLI::Validator(
      [=](const std::string &text) {
        float value = NAN;
        bool valid = CLI::detail::lexical_cast(text, value) && value > range.above && value >= range.least &&
                     value <= range.most;
        return valid ? std::string() : std::string("expected ") + range.phrase + ", found '" + text + "'";
      },
      "");
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
    if (error.get_exit_code() == 0) { // --help, --version
      app.exit(error);
      if (std::cout.flush())
        return 0;
      std::fprintf(stderr, "%s: cannot write to standard output\n", name.c_str());
      return 1;
    }
    std::string message = error.what(), command = name;
    std::vector<std::string> unknown = app.remaining();
    if (app.get_subcommands().empty() && !app.get_subcommands({}).empty() && !unknown.empty() && unknown[0][0] != '-')
      message = "there is no command '" + unknown[0] + "'";
    for (const CLI::App *subcommand : app.get_subcommands())
      command += " " + subcommand->get_name();
    std::fprintf(stderr, "%s: %s (see %s --help)\n", name.c_str(), message.c_str(), command.c_str());
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
  }
  return 1;
}

} // namespace sinter
