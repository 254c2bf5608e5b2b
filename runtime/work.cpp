// What dispatches are and what they have to do, as the manifest tells it. Only those who measure ask; running a
// schedule does not need any of it.

#include "runtime/model.h"
#include "runtime/format_text.h"
#include "runtime/status.h"


using namespace sinter;
using namespace sinter::runtime;

namespace {

const package::Entry *findEntry(const sinter_model *model, const char *name) {
  if (model && name)
    for (const package::Entry *entry : *model->manifest->entries())
      if (sameText(entry->name()->c_str(), name) &&
          entry->device() == (model->backend ? package::Device::gpu : package::Device::cpu))
        return entry;
  return nullptr;
}

const package::Dispatch *findDispatch(const sinter_model *model, const char *name, uint32_t index) {
  const package::Entry *entry = findEntry(model, name);
  return entry && index < count(entry->dispatches()) ? entry->dispatches()->Get(index) : nullptr;
}

// Null if the manifest does not say.
const package::Work *workOf(const sinter_model *model, const package::Dispatch *dispatch) {
  return count(model->manifest->work()) ? model->manifest->work()->Get(dispatch->kernel()) : nullptr;
}

// The numbers 1 .. n added up.
uint64_t triangle(uint64_t n) { return n * (n + 1) / 2; }

// Positions that tokens at [0, end) look at, all together.
uint64_t looks(uint64_t end, uint64_t window) {
  return window == 0 || end <= window ? triangle(end) : triangle(window) + (end - window) * window;
}

} // namespace

uint32_t sinter_dispatch_count(const sinter_model *model, const char *entry) {
  const package::Entry *found = findEntry(model, entry);
  return found ? count(found->dispatches()) : 0;
}

sinter_status sinter_get_dispatch(const sinter_model *model, const char *entry, uint32_t index,
                                  sinter_dispatch_info *info) {
  const package::Dispatch *dispatch = findDispatch(model, entry, index);
  if (!dispatch || !info)
    return SINTER_ERROR_ARGUMENT;
  const package::Work *work = workOf(model, dispatch);
  info->kernel = model->manifest->kernels()->Get(dispatch->kernel())->c_str();
  info->kind = work ? work->kind()->c_str() : "";
  info->barrier = dispatch->barrier();
  info->int8 = work && work->int8();
  return SINTER_OK;
}

sinter_status sinter_get_work(const sinter_model *model, const char *entry, uint32_t index, uint64_t tokens,
                              uint64_t position, sinter_dispatch_work *work) {
  const package::Dispatch *dispatch = findDispatch(model, entry, index);
  if (!dispatch || !work)
    return SINTER_ERROR_ARGUMENT;
  *work = {};
  const package::Work *facts = workOf(model, dispatch);
  if (!facts || tokens == 0)
    return SINTER_OK;
  const uint64_t window = facts->window(), end = position + tokens;
  const uint64_t oldest = window && position + 1 > window ? position + 1 - window : 0;
  work->weight_bytes = facts->weight_bytes() + tokens * facts->token_weight_bytes();
  work->cache_bytes = (end - oldest) * facts->position_cache_bytes();
  work->multiply_adds = tokens * facts->token_multiply_adds() +
                        (looks(end, window) - looks(position, window)) * facts->position_multiply_adds();
  return SINTER_OK;
}
