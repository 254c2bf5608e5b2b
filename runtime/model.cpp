// Opening a package: map the file, check it (package_check.cpp, schedule_check.cpp), choose the code section for this
// CPU and make it executable. Everything stays where it is in the file; an opened model is a few pointers into it, and
// the weights are paged in by the system when kernels first touch them.

#include "runtime/model.h"

#include "runtime/cpu_features.h"
#include "runtime/platform.h"
#include "runtime/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

using namespace sinter;
using namespace sinter::runtime;

namespace {

// "x86-64, x86-64-avx2": what the package holds, for messages.
void listTargets(const package::Manifest &manifest, char *text, size_t capacity) {
  size_t length = 0;
  text[0] = 0;
  for (uint32_t i = 0; i < manifest.codes()->size() && length + 1 < capacity; ++i) {
    int written = snprintf(text + length, capacity - length, "%s%.32s", i ? ", " : "",
                           manifest.codes()->Get(i)->target()->c_str());
    length += written > 0 ? size_t(written) : 0;
  }
}

bool canRun(const package::Code &code) {
  return runsMachine(uint8_t(code.machine())) && (code.features() & ~cpuFeatures()) == 0;
}

// Takes the named section, or without a name the one of highest priority that this CPU can run.
sinter_status chooseCode(sinter_model *model, const char *isa, sinter_error *error) {
  char targets[128];
  listTargets(*model->manifest, targets, sizeof(targets));
  const package::Code *best = nullptr;
  for (const package::Code *code : *model->manifest->codes()) {
    if (isa && strcmp(code->target()->c_str(), isa) == 0) {
      if (!canRun(*code))
        return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: this cpu cannot run the code for '%.32s'", model->label, isa);
      best = code;
      break;
    }
    if (!isa && canRun(*code) && (!best || code->priority() > best->priority()))
      best = code;
  }
  if (!best && isa)
    return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: no code for '%.32s'; the package has %s", model->label, isa,
                targets);
  if (!best)
    return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: no code that this cpu can run; the package has %s", model->label,
                targets);
  model->code = best;
  return SINTER_OK;
}

sinter_status loadCode(sinter_model *model, sinter_error *error) {
  const uint8_t *section = model->file + model->code->range()->offset();
  size_t size = model->code->range()->size();
  if (model->mapped && platform::makeExecutable(section, size)) {
    model->instructions = section;
    return SINTER_OK;
  }
  // Memory of the caller, or a file system that must not be executed from.
  model->instructions = platform::copyExecutable(section, size);
  model->codeCopied = model->instructions != nullptr;
  if (!model->instructions)
    return fail(error, SINTER_ERROR_MEMORY, "%s: no executable memory for %zu bytes of code", model->label, size);
  return SINTER_OK;
}

sinter_status load(sinter_model *model, const char *isa, sinter_error *error) {
  if (sinter_status status = checkPackage(model, error))
    return status;
  if (sinter_status status = checkSchedule(model, error))
    return status;
  if (sinter_status status = chooseCode(model, isa, error))
    return status;
  if (sinter_status status = checkCode(model, model->code, error))
    return status;
  if (sinter_status status = loadCode(model, error))
    return status;
  if (model->mapped && model->manifest->weights()->size())
    platform::adviseWeights(model->file + model->manifest->weights()->offset(), model->manifest->weights()->size());
  return SINTER_OK;
}

// Common to both ways of opening: `path` is null for a package in memory.
sinter_status open(const char *path, const void *data, size_t size, const sinter_model_options *options,
                   sinter_model **result, sinter_error *error) {
  if (!result || (!path && !data))
    return fail(error, SINTER_ERROR_ARGUMENT, "opening a model: null pointer");
  *result = nullptr;
  if (options && options->api_version != SINTER_API_VERSION)
    return fail(error, SINTER_ERROR_ARGUMENT, "model options are of api version %u, the runtime has %u",
                options->api_version, SINTER_API_VERSION);
  if (!path && reinterpret_cast<uintptr_t>(data) % 64)
    return fail(error, SINTER_ERROR_ARGUMENT, "a package in memory must be 64-byte aligned");

  const char *isa = options ? options->isa : nullptr;
  if (!isa)
    isa = platform::environment("SINTER_ISA");
  if (isa && !*isa)
    isa = nullptr;

  sinter_model *model = static_cast<sinter_model *>(calloc(1, sizeof(sinter_model)));
  if (!model)
    return fail(error, SINTER_ERROR_MEMORY, "no memory for a model");
  if (path) {
    // A long path keeps its end.
    size_t length = strlen(path), most = sizeof(model->label) - 1;
    if (length <= most)
      memcpy(model->label, path, length);
    else
      snprintf(model->label, sizeof(model->label), "...%s", path + length - (most - 3));
    if (const char *problem = platform::mapFile(path, &model->file, &size)) {
      sinter_status status = fail(error, SINTER_ERROR_IO, "%s: %s", model->label, problem);
      free(model);
      return status;
    }
    model->mapped = true;
  } else {
    snprintf(model->label, sizeof(model->label), "package in memory");
    model->file = static_cast<const uint8_t *>(data);
  }
  model->fileBytes = size;

  if (sinter_status status = load(model, isa, error)) {
    sinter_model_close(model);
    return status;
  }
  *result = model;
  return succeed(error);
}

} // namespace

sinter_status sinter_model_open(const char *path, const sinter_model_options *options, sinter_model **model,
                                sinter_error *error) {
  return open(path, nullptr, 0, options, model, error);
}

sinter_status sinter_model_open_memory(const void *data, size_t size, const sinter_model_options *options,
                                       sinter_model **model, sinter_error *error) {
  return open(nullptr, data, size, options, model, error);
}

void sinter_model_close(sinter_model *model) {
  if (!model)
    return;
  if (model->codeCopied)
    platform::freeExecutable(model->instructions, model->code->range()->size());
  if (model->mapped)
    platform::unmapFile(model->file, model->fileBytes);
  free(model);
}

void sinter_model_get_info(const sinter_model *model, sinter_model_info *info) {
  const package::Manifest &manifest = *model->manifest;
  const package::Model &facts = *manifest.model();
  *info = {};
  info->name = facts.name()->c_str();
  info->family = facts.family()->c_str();
  info->compiler = manifest.compiler()->c_str();
  info->isa = model->code->target()->c_str();
  info->vocab = facts.vocab();
  info->hidden = facts.hidden();
  info->layers = facts.layers();
  info->context = manifest.context();
  info->prefill_tokens = model->prefill->max_tokens();
  info->parameters = facts.parameters();
  info->bos = facts.bos();
  info->eos = count(facts.eos()) ? facts.eos()->data() : nullptr;
  info->eos_count = count(facts.eos());
  info->generation = {0, -1, -1, -1, -1, -1};
  if (const package::Generation *generation = facts.generation())
    info->generation = {generation->do_sample(), generation->temperature(), generation->top_k(),
                        generation->top_p(),     generation->min_p(),       generation->repetition_penalty()};
  if (manifest.tokenizer() && manifest.tokenizer()->size()) {
    info->tokenizer = model->file + manifest.tokenizer()->offset();
    info->tokenizer_size = manifest.tokenizer()->size();
  }
  info->chat_template = manifest.chat_template() ? manifest.chat_template()->c_str() : nullptr;
}

sinter_status sinter_model_check(const sinter_model *model, sinter_error *error) {
  const package::Range &weights = *model->manifest->weights();
  if (checksum64(model->file + weights.offset(), weights.size()) != model->manifest->weights_checksum())
    return fail(error, SINTER_ERROR_FORMAT, "%s: the weights do not have the checksum that the manifest gives",
                model->label);
  return succeed(error);
}
