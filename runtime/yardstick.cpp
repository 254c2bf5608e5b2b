// Running the kernels that measure the machine: a schedule of one dispatch whose only binding is the caller's memory.

#include "runtime/format_text.h"
#include "runtime/platform.h"
#include "runtime/session.h"
#include "runtime/status.h"

using namespace sinter;
using namespace sinter::runtime;

namespace {

const package::Yardstick *findYardstick(const sinter_model *model, const char *kind) {
  for (uint32_t i = 0; kind && i < count(model->manifest->yardsticks()); ++i)
    if (sameText(model->manifest->yardsticks()->Get(i)->kind()->c_str(), kind))
      return model->manifest->yardsticks()->Get(i);
  return nullptr;
}

} // namespace

sinter_status sinter_get_yardstick(const sinter_model *model, const char *kind, sinter_yardstick *yardstick) {
  if (!model || !kind || !yardstick)
    return SINTER_ERROR_ARGUMENT;
  const package::Yardstick *found = findYardstick(model, kind);
  if (!found)
    return SINTER_ERROR_UNSUPPORTED;
  *yardstick = {found->unit_bytes(), found->shared_bytes(), found->unit_multiply_adds()};
  return SINTER_OK;
}

sinter_status sinter_run_yardstick(sinter_session *session, const char *kind, const void *data, size_t size,
                                   uint32_t units, uint64_t *nanoseconds) {
  if (!session)
    return SINTER_ERROR_ARGUMENT;
  if (!kind || !data || !nanoseconds || units == 0)
    return fail(session, SINTER_ERROR_ARGUMENT, "a yardstick needs a kind, data, at least one unit, and a result");
  const package::Yardstick *found = findYardstick(session->model, kind);
  if (!found)
    return fail(session, SINTER_ERROR_UNSUPPORTED, "%s has no yardstick '%.40s'", session->model->label, kind);
  uint64_t needed;
  if (__builtin_mul_overflow(uint64_t(units), found->unit_bytes(), &needed) ||
      __builtin_add_overflow(needed, found->shared_bytes(), &needed) || needed > size ||
      reinterpret_cast<uintptr_t>(data) % 64)
    return fail(session, SINTER_ERROR_ARGUMENT,
                "%u units of yardstick '%.40s' do not fit in %zu bytes, or those are not 64-byte aligned", units, kind,
                size);

  const sinter_model *model = session->model;
  const uint64_t start = model->code->entries()->Get(found->kernel());
  void *bindings[] = {const_cast<void *>(data)}; // which the kernel only reads
  Dispatch dispatch = {};
  dispatch.kernel = reinterpret_cast<sinter_kernel>(reinterpret_cast<uintptr_t>(model->instructions + start));
  dispatch.bindings = bindings;
  dispatch.units = units;
  const Schedule schedule = {found->kind()->c_str(), &dispatch, 1};
  const uint64_t begin = platform::nanoseconds();
  if (!runJob(&session->team, {{{&schedule, {1, 0, 0, {}}}, {}}, 1, {}, {}})) {
    acceptCancel(&session->team);
    return fail(session, SINTER_ERROR_CANCELLED, "cancelled while measuring");
  }
  *nanoseconds = platform::nanoseconds() - begin;
  return SINTER_OK;
}
