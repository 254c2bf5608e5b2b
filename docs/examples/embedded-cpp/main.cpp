// The same in C++17: a linked model behind the classes of sinter.hpp.
#include "tales.hpp"

#include <iostream>

int main() {
  tales::Model model;
  tales::Session session;
  try {
    model.open().orThrow();
    session.create(model).orThrow();
    session.prefill({1, 389, 391, 261, 362}).orThrow(); // "Once upon a time"
    std::cout << "Once upon a time";
    session.generate(60, [&](uint32_t id) { std::cout << model.tokenText(id) << std::flush; }).orThrow();
    std::cout << "\n";
  } catch (const sinter::Error &error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
