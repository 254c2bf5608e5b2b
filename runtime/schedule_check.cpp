// Second half of what the loader checks: caches, entries, dispatches and bindings. After it, kernels that stay within
// their bindings stay within the weights, the arena and the caches, for every number of tokens an entry takes.

#include "runtime/format_text.h"
#include "runtime/model.h"
#include <inttypes.h>

using namespace sinter;
using namespace sinter::runtime;

namespace {

// What Dispatch.tap_binding can name; also bounds the time that checking takes.
constexpr uint32_t kMostBindings = 256;

class ScheduleCheck {
public:
  ScheduleCheck(sinter_model *model, sinter_error *error) : model(model), manifest(*model->manifest), error(error) {}

  sinter_status run() {
    if (manifest.program())
      return runProgram();
    for (uint32_t i = 0; i < manifest.caches()->size(); ++i)
      if (sinter_status status = checkShape(*manifest.caches()->Get(i)))
        return status;
    if (sinter_status status = findEntries())
      return status;
    for (const package::Cache *cache : *manifest.caches())
      if (sinter_status status = checkCapacity(*cache))
        return status;
    for (const package::Entry *entry : *manifest.entries())
      if (sinter_status status = checkEntry(*entry))
        return status;
    for (uint32_t i = 0; i < count(manifest.yardsticks()); ++i) {
      const package::Yardstick &yardstick = *manifest.yardsticks()->Get(i);
      if (yardstick.kernel() >= manifest.kernels()->size())
        return damaged(model, error, "yardstick '%.40s' is kernel %u of %u", yardstick.kind()->c_str(),
                       unsigned(yardstick.kernel()), manifest.kernels()->size());
    }
    return checkBuffers();
  }

private:
  sinter_status runProgram() {
    for (const package::Entry *entry : *manifest.entries()) {
      if (sameText(entry->name()->c_str(), "exec"))
        model->exec = entry;
      if (sameText(entry->name()->c_str(), "sizes"))
        model->sizes = entry;
      if (sinter_status status = checkEntry(*entry))
        return status;
    }
    if (!model->exec || manifest.caches()->size() || count(manifest.yardsticks()))
      return damaged(model, error, "a program has an entry 'exec' and neither caches nor yardsticks");
    return checkProgram(model, error);
  }

  sinter_status checkShape(const package::Cache &cache) {
    const char *name = cache.name()->c_str();
    if (cache.tile_tokens() == 0 || cache.capacity() == 0 || cache.capacity() % cache.tile_tokens())
      return damaged(model, error, "cache '%.40s' has a capacity of %u tokens in tiles of %u", name, cache.capacity(),
                     cache.tile_tokens());
    if (cache.element() > package::ElementType::q8)
      return damaged(model, error, "cache '%.40s' has the unknown element type %u", name, unsigned(cache.element()));
    // Of one token's key or value: codes come in quads and have a scale.
    uint64_t bytes = cache.element() == package::ElementType::q8    ? (uint64_t(cache.head_dim()) + 3) / 4 * 4 + 4
                     : cache.element() == package::ElementType::f16 ? uint64_t(cache.head_dim()) * 2
                                                                    : uint64_t(cache.head_dim()) * 4;
    if (cache.head_dim() == 0 || __builtin_mul_overflow(bytes, cache.kv_heads(), &bytes) ||
        __builtin_mul_overflow(bytes, cache.tile_tokens(), &bytes) || __builtin_mul_overflow(bytes, 2, &bytes) ||
        bytes != cache.tile_bytes() || bytes == 0 ||
        __builtin_mul_overflow(bytes, cache.capacity() / cache.tile_tokens(), &bytes))
      return damaged(model, error, "cache '%.40s' has tiles of %" PRIu64 " bytes for %u heads of %u and %u tokens",
                     name, cache.tile_bytes(), cache.kv_heads(), cache.head_dim(), cache.tile_tokens());
    return SINTER_OK;
  }

  // Enough room for the whole context, or for a window and the tokens of one step before it moves on.
  sinter_status checkCapacity(const package::Cache &cache) {
    uint64_t needed = manifest.context();
    uint64_t ring = uint64_t(cache.window()) + mostTokens - 1;
    if (cache.window() && ring < needed)
      needed = ring;
    if (cache.capacity() < needed)
      return damaged(model, error, "cache '%.40s' holds %u tokens, but %" PRIu64 " are needed", cache.name()->c_str(),
                     cache.capacity(), needed);
    return SINTER_OK;
  }

  sinter_status findEntries() {
    const struct {
      const char *name;
      const package::Entry **entry;
      bool ofDecoder, ofEncoder, needed;
    } wanted[] = {{"prefill", &model->prefill, true, false, true},
                  {"decode", &model->decode, true, false, true},
                  {"head", &model->head, true, true, !manifest.encoder()},
                  {"encode", &model->encode, false, true, true}};
    for (const auto &want : wanted) {
      if (manifest.encoder() ? !want.ofEncoder : !want.ofDecoder)
        continue;
      bool found = false;
      for (const package::Entry *entry : *manifest.entries()) {
        if (!sameText(entry->name()->c_str(), want.name))
          continue;
        found = true;
        if (entry->max_tokens() == 0 || entry->max_tokens() > uint32_t(INT32_MAX))
          return damaged(model, error, "entry '%s' takes %u tokens", want.name, entry->max_tokens());
        bool ofDevice = entry->device() == (model->backend ? package::Device::gpu : package::Device::cpu);
        if (ofDevice || (model->factsOnly && !*want.entry))
          *want.entry = entry;
        if (entry->max_tokens() > mostTokens)
          mostTokens = entry->max_tokens();
      }
      if (!found && !want.needed)
        continue;
      if (!found)
        return damaged(model, error, "the manifest has no entry '%s'", want.name);
    }
    return SINTER_OK;
  }

  // The size of the space a binding lies in.
  uint64_t spaceBytes(const package::Binding &binding) const {
    if (binding.space() == package::Space::weights)
      return manifest.weights()->size();
    if (binding.space() == package::Space::arena)
      return manifest.arena_bytes();
    const package::Cache &cache = *manifest.caches()->Get(binding.index());
    return cache.capacity() / cache.tile_tokens() * cache.tile_bytes();
  }

  sinter_status checkBinding(const package::Entry &entry, uint32_t dispatch, uint32_t index,
                             const package::Binding &binding) {
    static const char *const spaces[] = {"the weights", "the arena", "its cache"};
    const char *name = entry.name()->c_str();
    if (binding.space() > package::Space::cache)
      return damaged(model, error, "entry '%.40s', dispatch %u, binding %u: unknown space %u", name, dispatch, index,
                     unsigned(binding.space()));
    if (binding.space() == package::Space::cache && binding.index() >= manifest.caches()->size())
      return damaged(model, error, "entry '%.40s', dispatch %u, binding %u: cache %u of %u", name, dispatch, index,
                     unsigned(binding.index()), manifest.caches()->size());
    uint64_t space = spaceBytes(binding);
    if (binding.offset() > space || binding.size() > space - binding.offset() ||
        (binding.space() == package::Space::cache && binding.offset()))
      return damaged(model, error,
                     "entry '%.40s', dispatch %u, binding %u: %" PRIu64 " bytes from byte %" PRIu64
                     " of %s, which has %" PRIu64,
                     name, dispatch, index, binding.size(), binding.offset(), spaces[unsigned(binding.space())], space);
    return SINTER_OK;
  }

  // A buffer that the runtime itself touches: in the arena, aligned, and with room for `elements` of 4 bytes.
  sinter_status checkBuffer(const char *name, const package::Binding *buffer, uint64_t elements) {
    if (!buffer)
      return damaged(model, error, "the manifest does not say where the %s are", name);
    uint64_t bytes;
    if (buffer->space() != package::Space::arena || buffer->offset() % 4 || buffer->offset() > manifest.arena_bytes() ||
        buffer->size() > manifest.arena_bytes() - buffer->offset())
      return damaged(model, error,
                     "the %s (%" PRIu64 " bytes from byte %" PRIu64 ") are not in the arena of %" PRIu64 " bytes", name,
                     buffer->size(), buffer->offset(), manifest.arena_bytes());
    if (__builtin_mul_overflow(elements, 4, &bytes) || buffer->size() < bytes)
      return damaged(model, error, "the %s have %" PRIu64 " bytes, but %" PRIu64 " elements of 4 bytes are needed",
                     name, buffer->size(), elements);
    return SINTER_OK;
  }

  // Floats from the first to the last of `tokens` hidden rows.
  uint64_t hiddenFloats(uint32_t tokens) const {
    return uint64_t(tokens - 1) * manifest.hidden_stride() + manifest.model()->hidden();
  }

  sinter_status checkDispatch(const package::Entry &entry, uint32_t index, const package::Dispatch &dispatch) {
    const char *name = entry.name()->c_str();
    if (dispatch.kernel() >= manifest.kernels()->size())
      return damaged(model, error, "entry '%.40s', dispatch %u: kernel %u of %u", name, index,
                     unsigned(dispatch.kernel()), manifest.kernels()->size());
    // units fits 32 bits and so does the number of token blocks: their product fits 64.
    if (!dispatch.grid() || dispatch.grid()->units() == 0 ||
        unitsFor(*dispatch.grid(), entry.max_tokens()) > UINT32_MAX)
      return damaged(model, error, "entry '%.40s', dispatch %u: a grid of %u units per %u tokens", name, index,
                     dispatch.grid() ? dispatch.grid()->units() : 0,
                     dispatch.grid() ? dispatch.grid()->tokens_per_unit() : 0);
    if (count(dispatch.bindings()) > kMostBindings)
      return damaged(model, error, "entry '%.40s', dispatch %u: %u bindings, at most %u are allowed", name, index,
                     count(dispatch.bindings()), kMostBindings);
    for (int64_t rows : {dispatch.rows(), dispatch.sequence()}) {
      const package::Binding *place = manifest.program() ? manifest.program()->rows() : nullptr;
      const uint64_t counts = place ? place->size() / sizeof(int64_t) : 0;
      if (rows < 0 ? uint64_t(-1 - rows) >= counts
                   : rows && (!manifest.program() || rows > UINT32_MAX || unitsFor(*dispatch.grid(), uint32_t(rows)) > UINT32_MAX))
        return damaged(model, error, "entry '%.40s', dispatch %u: %" PRId64 " rows", name, index, rows);
    }
    for (uint32_t i = 0; i < count(dispatch.bindings()); ++i)
      if (sinter_status status = checkBinding(entry, index, i, *dispatch.bindings()->Get(i)))
        return status;
    if (!dispatch.tap())
      return SINTER_OK;
    if (dispatch.tap_binding() >= count(dispatch.bindings()))
      return damaged(model, error, "entry '%.40s', dispatch %u: tap binding %u of %u", name, index,
                     unsigned(dispatch.tap_binding()), count(dispatch.bindings()));
    return checkBuffer("rows of a tap", dispatch.bindings()->Get(dispatch.tap_binding()),
                       hiddenFloats(entry.max_tokens()));
  }

  sinter_status checkEntry(const package::Entry &entry) {
    if (entry.device() > package::Device::gpu)
      return damaged(model, error, "entry '%.40s' is for the unknown device %u", entry.name()->c_str(),
                     unsigned(entry.device()));
    if (entry.max_tokens() == 0)
      return damaged(model, error, "entry '%.40s' takes no tokens", entry.name()->c_str());
    for (uint32_t i = 0; i < count(entry.dispatches()); ++i)
      if (sinter_status status = checkDispatch(entry, i, *entry.dispatches()->Get(i)))
        return status;
    return SINTER_OK;
  }

  sinter_status checkBuffers() {
    if (manifest.hidden_stride() < manifest.model()->hidden())
      return damaged(model, error, "hidden rows of %u floats are %u floats apart", manifest.model()->hidden(),
                     manifest.hidden_stride());
    uint32_t tokens = mostTokens;
    if (sinter_status status = checkBuffer("tokens", manifest.tokens(), tokens))
      return status;
    if (sinter_status status = checkBuffer("hidden rows", manifest.hidden(), hiddenFloats(tokens)))
      return status;
    for (const package::Entry *entry : *manifest.entries())
      if (entry->device() == package::Device::gpu)
        if (sinter_status status = checkBuffer("greedy ids", manifest.greedy(), 1))
          return status;
    if (const package::Encoder *encoder = manifest.encoder())
      return checkEncoder(*encoder, tokens);
    return checkBuffer("logits", manifest.logits(), manifest.model()->vocab());
  }

  sinter_status checkEncoder(const package::Encoder &encoder, uint32_t tokens) {
    if (encoder.task() > package::Task::tag)
      return damaged(model, error, "an encoder of the unknown task %u", unsigned(encoder.task()));
    if (encoder.types() && encoder.type_count() == 0)
      return damaged(model, error, "an encoder with ids of token types but no types");
    if (encoder.types())
      if (sinter_status status = checkBuffer("token types", encoder.types(), tokens))
        return status;
    if (count(encoder.labels()) && count(encoder.labels()) != encoder.output_width())
      return damaged(model, error, "%u labels for outputs of %u", count(encoder.labels()), encoder.output_width());
    if (encoder.output_width() == 0 || encoder.output_stride() < encoder.output_width())
      return damaged(model, error, "output rows of %u floats are %u floats apart", encoder.output_width(),
                     encoder.output_stride());
    if (!model->head) // the hidden rows are the output
      return encoder.output_width() == manifest.model()->hidden() && encoder.output_stride() == manifest.hidden_stride()
                 ? SINTER_OK
                 : damaged(model, error, "without a head outputs are %u wide, hidden rows %u", encoder.output_width(),
                           manifest.model()->hidden());
    // The head reads hidden rows for as many tokens as were encoded.
    if (model->head->max_tokens() < tokens)
      return damaged(model, error, "the head takes %u tokens, encode %u", model->head->max_tokens(), tokens);
    uint64_t rows = encoder.task() == package::Task::tag ? tokens : 1;
    return checkBuffer("outputs", manifest.logits(), (rows - 1) * encoder.output_stride() + encoder.output_width());
  }

  sinter_model *model;
  const package::Manifest &manifest;
  sinter_error *error;
  uint32_t mostTokens = 0; // of a step
};

} // namespace

sinter_status sinter::runtime::checkSchedule(sinter_model *model, sinter_error *error) {
  return ScheduleCheck(model, error).run();
}
