// What the loader checks of a program: its inputs, outputs and sizes lie in the arena and have room for the largest tensor,
// and dims refer to dimensions that there are.

#include "runtime/format_text.h"
#include "runtime/kernel_abi.h"
#include "runtime/model.h"

#include <inttypes.h>

using namespace sinter;
using namespace sinter::runtime;

namespace {

class ProgramCheck {
public:
  ProgramCheck(const sinter_model *model, sinter_error *error)
      : model(model), program(*model->manifest->program()), error(error) {}

  sinter_status run() {
    if (count(program.dimensions()) > SINTER_MOST_DIMS)
      return damaged(model, error, "a program with %u dimensions, at most %u are possible", count(program.dimensions()),
                     unsigned(SINTER_MOST_DIMS));
    if (program.sizes()) {
      if (sinter_status status = checkPlace("sizes", *program.sizes(), 0))
        return status;
      sizes = program.sizes()->size() / sizeof(int64_t);
      if (!model->sizes)
        return damaged(model, error, "a program with sizes but no entry 'sizes'");
    }
    if (program.rows()) {
      if (sinter_status status = checkPlace("rows", *program.rows(), 0))
        return status;
      if (!model->sizes)
        return damaged(model, error, "a program with rows but no entry 'sizes'");
    }
    for (uint32_t i = 0; i < count(program.inputs()); ++i)
      if (sinter_status status = checkPort(*program.inputs()->Get(i), false))
        return status;
    for (uint32_t i = 0; i < count(program.outputs()); ++i)
      if (sinter_status status = checkPort(*program.outputs()->Get(i), true))
        return status;
    for (uint32_t i = 0; i < count(program.checks()); ++i) {
      const package::Check &check = *program.checks()->Get(i);
      if (check.left() >= sizes || check.right() >= sizes)
        return damaged(model, error, "check %u compares sizes %u and %u of %" PRIu64, i, check.left(), check.right(),
                       sizes);
    }
    return SINTER_OK;
  }

private:
  // In the arena, aligned as the arena's buffers are, of at least `bytes`.
  sinter_status checkPlace(const char *name, const package::Binding &place, uint64_t bytes) {
    const uint64_t arena = model->manifest->arena_bytes();
    if (place.space() != package::Space::arena || place.offset() % 64 || place.offset() > arena ||
        place.size() > arena - place.offset() || place.size() < bytes)
      return damaged(model, error,
                     "'%.40s' (%" PRIu64 " bytes from byte %" PRIu64 ") needs %" PRIu64 " bytes of the arena's %" PRIu64,
                     name, place.size(), place.offset(), bytes, arena);
    return SINTER_OK;
  }

  sinter_status checkPort(const package::Port &port, bool output) {
    const char *name = port.name()->c_str();
    uint64_t bytes = elementBytes(port.type());
    if (bytes == 0 || count(port.dims()) > kMostRank || !port.binding())
      return damaged(model, error, "'%.40s' is of the unknown type %u, has %u dims, or lies nowhere", name,
                     unsigned(port.type()), count(port.dims()));
    for (uint32_t i = 0; i < count(port.dims()); ++i) {
      const int64_t dim = port.dims()->Get(i);
      const uint64_t number = uint64_t(-1 - dim), known = output ? sizes : count(program.dimensions());
      if (dim < 0 && number >= known)
        return damaged(model, error, "'%.40s' refers to %s %" PRIu64 " of %" PRIu64, name, output ? "size" : "dimension",
                       number, known);
      // What an output's sizes come to is checked when they are known.
      const uint64_t most = dim >= 0 ? uint64_t(dim) : output ? 1 : program.dimensions()->Get(uint32_t(number))->most();
      if (__builtin_mul_overflow(bytes, most, &bytes))
        return damaged(model, error, "'%.40s' does not fit the address space", name);
    }
    return checkPlace(name, *port.binding(), output ? 0 : bytes);
  }

  const sinter_model *model;
  const package::Program &program;
  sinter_error *error;
  uint64_t sizes = 0;
};

} // namespace

sinter_status sinter::runtime::checkProgram(const sinter_model *model, sinter_error *error) {
  return ProgramCheck(model, error).run();
}

uint32_t sinter::runtime::elementBytes(package::TensorType type) {
  static const uint8_t bytes[] = {4, 2, 2, 8, 1, 1, 2, 2, 4, 4, 8, 8, 1};
  return uint8_t(type) < sizeof(bytes) ? bytes[uint8_t(type)] : 0;
}
