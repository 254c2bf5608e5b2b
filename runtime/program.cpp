// Programs: named tensors in and out. Inputs are copied into the arena when they are set, or written there by the caller;
// everything that can be wrong with shapes is found before the first kernel runs. Kernels get the run-time dimensions as
// scalars, and the entry "sizes" computes from them what the outputs' sizes are and whether everything fits together.

#include "runtime/format_text.h"
#include "runtime/session.h"
#include "runtime/status.h"

#include <inttypes.h>
#include <string.h>

using namespace sinter;
using namespace sinter::runtime;

static_assert(SINTER_MOST_RANK == kMostRank, "the API's limit is the package's");

namespace {

using Ports = flatbuffers::Vector<flatbuffers::Offset<package::Port>>;

const Ports *portsOf(const sinter_model *model, bool output) {
  const package::Program *program = model ? model->manifest->program() : nullptr;
  return !program ? nullptr : output ? program->outputs() : program->inputs();
}

const package::Port *findPort(const sinter_model *model, bool output, uint32_t index) {
  const Ports *ports = portsOf(model, output);
  return index < count(ports) ? ports->Get(index) : nullptr;
}

uint32_t findName(const sinter_model *model, bool output, const char *name) {
  const Ports *ports = portsOf(model, output);
  for (uint32_t i = 0; name && i < count(ports); ++i)
    if (sameText(ports->Get(i)->name()->c_str(), name))
      return i;
  return SINTER_NONE;
}

sinter_status describe(const sinter_model *model, bool output, uint32_t index, sinter_port *port) {
  const package::Port *from = findPort(model, output, index);
  if (!from || !port)
    return SINTER_ERROR_ARGUMENT;
  *port = {};
  port->name = from->name()->c_str();
  port->type = sinter_type(from->type());
  port->rank = count(from->dims());
  for (uint32_t i = 0; i < port->rank; ++i) {
    const int64_t dim = from->dims()->Get(i);
    port->dims[i] = dim < 0 ? -1 : dim;
    port->most[i] = dim < 0 ? 0 : uint64_t(dim);
    if (dim < 0 && !output) {
      const package::Dimension &dimension = *model->manifest->program()->dimensions()->Get(uint32_t(-1 - dim));
      port->dim_names[i] = dimension.name()->c_str();
      port->most[i] = dimension.most();
    }
  }
  return SINTER_OK;
}

// "[2, 128]", or of a port "[batch, 128]".
struct ShapeText {
  char text[160];
};
void append(ShapeText *to, size_t *length, const char *name, uint64_t number) {
  char *end = to->text + *length;
  const size_t room = sizeof(to->text) - *length;
  *length += name ? formatText(end, room, "%.24s", name) : formatText(end, room, "%" PRIu64, number);
}
ShapeText textOf(const int64_t *shape, uint32_t rank, const char *const *names) {
  ShapeText result;
  size_t length = formatText(result.text, sizeof(result.text), "[");
  for (uint32_t i = 0; i < rank; ++i) {
    if (i)
      length += formatText(result.text + length, sizeof(result.text) - length, ", ");
    if (shape[i] < 0 && !(names && names[i]))
      append(&result, &length, "?", 0);
    else
      append(&result, &length, names ? names[i] : nullptr, uint64_t(shape[i]));
  }
  formatText(result.text + length, sizeof(result.text) - length, "]");
  return result;
}

// Gives every dimension its value, each from the first input that has it.
sinter_status bindDimensions(sinter_session *session, sinter_kernel_scalars *scalars) {
  const package::Program &program = *session->model->manifest->program();
  const package::Port *from[SINTER_MOST_DIMS] = {};
  for (uint32_t i = 0; i < count(program.inputs()); ++i) {
    const package::Port &port = *program.inputs()->Get(i);
    const InputShape &shape = session->inputs[i];
    if (!shape.given)
      return fail(session, SINTER_ERROR_ARGUMENT, "input '%.60s' has not been set", port.name()->c_str());
    for (uint32_t axis = 0; axis < count(port.dims()); ++axis) {
      const int64_t dim = port.dims()->Get(axis);
      if (dim >= 0)
        continue;
      const uint32_t number = uint32_t(-1 - dim);
      if (!from[number]) {
        from[number] = &port;
        scalars->dims[number] = shape.dims[axis];
      } else if (scalars->dims[number] != shape.dims[axis]) {
        return fail(session, SINTER_ERROR_ARGUMENT,
                    "'%.40s' is %" PRIu64 " in input '%.60s' and %" PRIu64 " in input '%.60s'",
                    program.dimensions()->Get(number)->name()->c_str(), scalars->dims[number],
                    from[number]->name()->c_str(), shape.dims[axis], port.name()->c_str());
      }
    }
  }
  return SINTER_OK;
}

} // namespace

uint32_t sinter_input_count(const sinter_model *model) { return count(portsOf(model, false)); }
uint32_t sinter_output_count(const sinter_model *model) { return count(portsOf(model, true)); }
sinter_status sinter_get_input(const sinter_model *model, uint32_t index, sinter_port *port) {
  return describe(model, false, index, port);
}
sinter_status sinter_get_output_port(const sinter_model *model, uint32_t index, sinter_port *port) {
  return describe(model, true, index, port);
}
uint32_t sinter_find_input(const sinter_model *model, const char *name) { return findName(model, false, name); }
uint32_t sinter_find_output(const sinter_model *model, const char *name) { return findName(model, true, name); }

const char *sinter_type_text(sinter_type type) {
  static const char *const texts[] = {"f32", "f16", "bf16", "f64", "i8",  "u8",  "i16",
                                      "u16", "i32", "u32",  "i64", "u64", "bool"};
  return uint32_t(type) < sizeof(texts) / sizeof(texts[0]) ? texts[uint32_t(type)] : "?";
}
uint32_t sinter_type_bytes(sinter_type type) { return elementBytes(package::TensorType(type)); }

sinter_status sinter_bind_input(sinter_session *session, uint32_t index, const int64_t *shape, uint32_t rank,
                                void **data) {
  if (!session)
    return SINTER_ERROR_ARGUMENT;
  sinter_port port;
  if (sinter_get_input(session->model, index, &port) != SINTER_OK || !data || (rank && !shape))
    return fail(session, SINTER_ERROR_ARGUMENT, "there is no input %u, or a null pointer was given", index);
  bool fits = rank == port.rank;
  for (uint32_t i = 0; fits && i < rank; ++i)
    fits = port.dims[i] >= 0 ? shape[i] == port.dims[i] : shape[i] >= 0 && uint64_t(shape[i]) <= port.most[i];
  if (!fits) {
    for (uint32_t i = 0; i < rank && rank == port.rank; ++i)
      if (port.dims[i] < 0 && shape[i] >= 0 && uint64_t(shape[i]) > port.most[i])
        return fail(session, SINTER_ERROR_ARGUMENT,
                    "input '%.60s' has the shape %s, expected %s with '%.24s' at most %" PRIu64, port.name,
                    textOf(shape, rank, nullptr).text, textOf(port.dims, port.rank, port.dim_names).text,
                    port.dim_names[i], port.most[i]);
    return fail(session, SINTER_ERROR_ARGUMENT, "input '%.60s' has the shape %s, expected %s", port.name,
                textOf(shape, rank < kMostRank ? rank : kMostRank, nullptr).text,
                textOf(port.dims, port.rank, port.dim_names).text);
  }
  InputShape &given = session->inputs[index];
  given.given = true;
  for (uint32_t i = 0; i < rank; ++i)
    given.dims[i] = uint64_t(shape[i]);
  session->executed = false;
  *data = session->arena + findPort(session->model, false, index)->binding()->offset();
  return SINTER_OK;
}

sinter_status sinter_set_input(sinter_session *session, uint32_t index, const int64_t *shape, uint32_t rank,
                               const void *data, size_t size) {
  void *place;
  if (sinter_status status = sinter_bind_input(session, index, shape, rank, &place))
    return status;
  sinter_port port;
  sinter_get_input(session->model, index, &port);
  uint64_t bytes = sinter_type_bytes(port.type);
  for (uint32_t i = 0; i < rank; ++i)
    bytes *= uint64_t(shape[i]); // fits: the port's largest does
  if (bytes != size || (bytes && !data)) {
    session->inputs[index].given = false;
    return fail(session, SINTER_ERROR_ARGUMENT,
                "input '%.60s' of the shape %s takes %" PRIu64 " bytes of %s, %zu were given", port.name,
                textOf(shape, rank, nullptr).text, bytes, sinter_type_text(port.type), size);
  }
  if (bytes)
    memcpy(place, data, bytes);
  return SINTER_OK;
}

sinter_status sinter_execute(sinter_session *session) {
  if (!session)
    return SINTER_ERROR_ARGUMENT;
  if (!session->model->exec)
    return fail(session, SINTER_ERROR_UNSUPPORTED, "%s takes tokens: it has no named inputs",
                session->model->label);
  sinter_kernel_scalars scalars = {};
  scalars.tokens = 1;
  session->executed = false;
  if (sinter_status status = bindDimensions(session, &scalars))
    return status;
  const package::Program &program = *session->model->manifest->program();
  if (session->model->sizes) {
    if (sinter_status status = runSteps(session, {{{&session->sizes, scalars, nullptr}, {}}, 1, {}, session->profiler}))
      return status;
    const int64_t *sizes =
        program.sizes() ? reinterpret_cast<const int64_t *>(session->arena + program.sizes()->offset()) : nullptr;
    for (uint32_t i = 0; i < count(program.checks()); ++i) {
      const package::Check &check = *program.checks()->Get(i);
      if (sizes[check.left()] != sizes[check.right()])
        return fail(session, SINTER_ERROR_ARGUMENT,
                    "%.140s are %" PRIu64 " and %" PRIu64 ", expected the same", check.message() ? check.message()->c_str() : "sizes",
                    uint64_t(sizes[check.left()]), uint64_t(sizes[check.right()]));
    }
  }
  const int64_t *counts =
      program.rows() ? reinterpret_cast<const int64_t *>(session->arena + program.rows()->offset()) : nullptr;
  if (sinter_status status = runSteps(session, {{{&session->exec, scalars, counts}, {}}, 1, {}, session->profiler}))
    return status;
  session->executed = true;
  return SINTER_OK;
}

sinter_status sinter_get_output(sinter_session *session, uint32_t index, sinter_tensor *tensor) {
  if (!session)
    return SINTER_ERROR_ARGUMENT;
  const package::Port *port = findPort(session->model, true, index);
  if (!port || !tensor)
    return fail(session, SINTER_ERROR_ARGUMENT, "there is no output %u, or a null pointer was given", index);
  if (!session->executed)
    return fail(session, SINTER_ERROR_ARGUMENT, "the program has not been run with its inputs");
  const package::Program &program = *session->model->manifest->program();
  *tensor = {};
  tensor->type = sinter_type(port->type());
  tensor->rank = count(port->dims());
  tensor->data = session->arena + port->binding()->offset();
  uint64_t bytes = elementBytes(port->type());
  bool fits = true, empty = false;
  for (uint32_t i = 0; i < tensor->rank; ++i) {
    const int64_t dim = port->dims()->Get(i);
    const int64_t size =
        dim >= 0 ? dim
                 : reinterpret_cast<const int64_t *>(session->arena + program.sizes()->offset())[uint32_t(-1 - dim)];
    tensor->shape[i] = size;
    empty |= size == 0;
    fits = fits && size >= 0 && (empty || !__builtin_mul_overflow(bytes, uint64_t(size), &bytes));
  }
  bytes = empty ? 0 : bytes;
  if (!fits || bytes > port->binding()->size())
    return fail(session, SINTER_ERROR_FORMAT, "%s: output '%.60s' is larger than its place",
                session->model->label, port->name()->c_str());
  tensor->size = bytes;
  return SINTER_OK;
}
