// How the command-line tools report an error: any of their functions throws Failure, and main prints it as one line and
// returns 1.
#pragma once

#include <stdexcept>
#include <string>

namespace sinter {

class Failure : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

} // namespace sinter
