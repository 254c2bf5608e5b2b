// Opening a package: map the file, check it (package_check.cpp, schedule_check.cpp), choose the code section for this
// CPU and make it executable. Everything stays where it is in the file, or in the sections of the program that it is
// linked into; an opened model is a few pointers into it, and the weights are paged in by the system when kernels first
// touch them.

#include "runtime/model.h"

#include "runtime/cpu_features.h"
#include "runtime/format_text.h"
#include "runtime/platform.h"
#include "runtime/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

using namespace sinter;
using namespace sinter::runtime;

namespace {

// "x86-64, x86-64-avx2": what the package holds, for messages.
void listTargets(const package::Manifest &manifest, char *text, size_t capacity) {
  size_t length = 0;
  text[0] = 0;
  for (uint32_t i = 0; i < manifest.codes()->size(); ++i)
    length += formatText(text + length, capacity - length, "%s%.32s", i ? ", " : "",
                         manifest.codes()->Get(i)->target()->c_str());
}

bool canRun(const sinter_model *model, const package::Code &code) {
  if (model->backend)
    return sameText(code.target()->c_str(), model->backend->name);
  return runsMachine(uint8_t(code.machine())) && (code.features() & ~cpuFeatures()) == 0;
}

// "x86-64-avx2 (lacking avx2 fma), aarch64 (for aarch64)": the same, with what each wants that this CPU has not.
void listObstacles(const package::Manifest &manifest, char *text, size_t capacity) {
  size_t length = 0;
  auto append = [&](const char *format, const char *what) {
    length += formatText(text + length, capacity - length, format, what);
  };
  text[0] = 0;
  for (uint32_t i = 0; i < manifest.codes()->size(); ++i) {
    const package::Code &code = *manifest.codes()->Get(i);
    append(i ? ", %.32s (" : "%.32s (", code.target()->c_str());
    if (!runsMachine(uint8_t(code.machine())))
      append("for %s", package::EnumNameMachine(code.machine()));
    else
      append("%s", "lacking");
    const uint64_t missing = runsMachine(uint8_t(code.machine())) ? code.features() & ~cpuFeatures() : 0;
    for (uint64_t bit = 1; bit; bit <<= 1)
      if (missing & bit) {
        const char *name = package::EnumNameCpuFeature(package::CpuFeature(bit));
        append(" %s", *name ? name : "what this runtime does not know");
      }
    append("%s", ")");
  }
}

// Takes the named section, or without a name the one of highest priority that this CPU can run.
sinter_status chooseCode(sinter_model *model, const char *isa, sinter_error *error) {
  char targets[128];
  listTargets(*model->manifest, targets, sizeof(targets));
  const package::Code *best = nullptr;
  for (const package::Code *code : *model->manifest->codes()) {
    if (isa && sameText(code->target()->c_str(), isa)) {
      if (!model->factsOnly && !canRun(model, *code))
        return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: this cpu cannot run the code for '%.32s'", model->label, isa);
      best = code;
      break;
    }
    if (!isa && canRun(model, *code) && (!best || code->priority() > best->priority()))
      best = code;
  }
  if (!best && !isa && model->factsOnly)
    for (const package::Code *code : *model->manifest->codes())
      if (!best || code->priority() > best->priority())
        best = code;
  if (!best && isa)
    return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: no code for '%.32s'; the package has %s", model->label, isa,
                targets);
  if (!best && model->backend)
    return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: no code for %.32s; the package has %s", model->label,
                model->backend->name, targets);
  if (!best) {
    char obstacles[200];
    listObstacles(*model->manifest, obstacles, sizeof(obstacles));
    return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: no code that this cpu can run; the package has %s", model->label,
                obstacles);
  }
  bool whole = model->manifest->program()   ? model->exec && !model->backend
               : model->manifest->encoder() ? model->encode && !model->backend
                                            : model->prefill && model->decode && model->head;
  if (!whole)
    return damaged(model, error, "there is code for '%.32s', but not each entry that running it takes",
                   best->target()->c_str());
  model->code = best;
  return SINTER_OK;
}

sinter_status loadCode(sinter_model *model, sinter_error *error) {
  if (model->factsOnly)
    return SINTER_OK;
  size_t size = model->code->range()->size();
  const uint8_t *section = bytesAt(model, model->code->range()->offset(), size);
  if (model->codeInPlace || (model->parts[0].mapped && platform::makeExecutable(section, size))) {
    model->instructions = section;
    return SINTER_OK;
  }
  // Memory of the caller, or a file system that must not be executed from.
  model->instructions = platform::copyExecutable(section, size);
  model->codeCopied = model->instructions != nullptr;
  if (!model->instructions)
    return fail(error, SINTER_ERROR_MEMORY, "%s: no executable memory for %zu bytes of code", model->label, size);
  tell(model, SINTER_LOG_WARNING, "%s: %zu bytes of code were copied, since they cannot be executed where they are",
       model->label, size);
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
  if (model->backend) {
    sinter_device_program program = programOf(model);
    return model->backend->load(&program, model->deviceNumber, &model->onDevice, error);
  }
  if (sinter_status status = loadCode(model, error))
    return status;
  if (model->parts[0].mapped && !model->factsOnly)
    for (const package::Code *code : *model->manifest->codes())
      if (const uint8_t *unused = bytesAt(model, code->range()->offset(), code->range()->size());
          unused && code != model->code && code->range()->offset() % kSectionAlignment == 0)
        platform::adviseUnused(unused, code->range()->size());
  const Part &last = model->parts[2].size ? model->parts[2] : model->parts[0];
  if (last.mapped && !model->factsOnly && model->manifest->weights()->size())
    platform::adviseWeights(weightsOf(model), model->manifest->weights()->size());
  return SINTER_OK;
}

// What all ways of opening begin with: an object for the model, in the caller's memory or in fresh pages.
sinter_status beginModel(const sinter_model_options *options, sinter_model **result, sinter_error *error) {
  static_assert(sizeof(sinter_model) <= SINTER_MODEL_BYTES, "callers reserve that much");
  if (!result)
    return fail(error, SINTER_ERROR_ARGUMENT, "opening a model: null pointer");
  *result = nullptr;
  if (options && options->api_version != SINTER_API_VERSION)
    return fail(error, SINTER_ERROR_ARGUMENT, "model options are of api version %u, the runtime has %u",
                options->api_version, SINTER_API_VERSION);
  void *memory = options ? options->memory : nullptr;
  if (memory && (reinterpret_cast<uintptr_t>(memory) % 16 || options->memory_size < sizeof(sinter_model)))
    return fail(error, SINTER_ERROR_MEMORY, "the memory for a model must be %u bytes, 16-byte aligned",
                unsigned(SINTER_MODEL_BYTES));
  bool owned = !memory;
  if (owned && !(memory = platform::allocatePages(sizeof(sinter_model))))
    return fail(error, SINTER_ERROR_MEMORY, "no memory for a model");
  memset(memory, 0, sizeof(sinter_model));
  sinter_model *model = static_cast<sinter_model *>(memory);
  model->owned = owned;
  model->factsOnly = options && options->facts_only;
  model->log = options ? options->log : nullptr;
  model->logUser = options ? options->log_user : nullptr;
  model->users = 1;
  *result = model;
  return SINTER_OK;
}

sinter_status abandon(sinter_model **result, sinter_status status) {
  releaseModel(*result);
  *result = nullptr;
  return status;
}

// The same for their end, once parts are known: `result` becomes null if it fails.
sinter_status finishModel(const sinter_model_options *options, sinter_model **result, sinter_error *error) {
  sinter_model *model = *result;
  for (const Part &part : model->parts)
    model->fileBytes += part.size;
  model->backend = options ? options->backend : nullptr;
  model->deviceNumber = options ? options->device : 0;
  if (model->backend && model->backend->api_version != SINTER_API_VERSION)
    return abandon(result, fail(error, SINTER_ERROR_ARGUMENT, "the device backend is of api version %u, the runtime has %u",
                                model->backend->api_version, SINTER_API_VERSION));
  const char *isa = options && !model->backend ? options->isa : nullptr;
  if (!isa && !model->backend)
    isa = platform::environment("SINTER_ISA");
  if (isa && !*isa)
    isa = nullptr;
  sinter_error unheard;
  sinter_error *said = error ? error : &unheard;
  if (sinter_status status = load(model, isa, said)) {
    tell(model, SINTER_LOG_ERROR, "%s", said->message);
    return abandon(result, status);
  }
  tell(model, SINTER_LOG_INFO, "%s: opened, %s for %s", model->label, model->manifest->model()->name()->c_str(),
       model->code->target()->c_str());
  return succeed(error);
}

// A long path keeps its end.
void setLabel(sinter_model *model, const char *text) {
  size_t length = lengthOf(text), most = sizeof(model->label) - 1;
  if (length <= most)
    formatText(model->label, sizeof(model->label), "%s", text);
  else
    formatText(model->label, sizeof(model->label), "...%s", text + length - (most - 3));
}

// Maps the weights that lie beside a linked model. Their file starts with a header of its own, in which what a
// package's header says of the manifest is said of the weights.
sinter_status mapWeights(sinter_model *model, const char *path, uint64_t offset, size_t expected, sinter_error *error) {
  const uint8_t *data;
  size_t size = 0;
  if (const char *problem = platform::mapFile(path, 0, &data, &size))
    return fail(error, SINTER_ERROR_IO, "%s: %s", path, problem);
  PackageHeader header = {};
  if (size >= sizeof(header))
    memcpy(&header, data, sizeof(header));
  const char *problem = nullptr;
  if (memcmp(header.magic, kWeightsMagic, sizeof(header.magic)) != 0)
    problem = "not a file of sinter weights";
  else if (header.version != kPackageVersion ||
           header.headerChecksum != checksum64(&header, offsetof(PackageHeader, headerChecksum)))
    problem = "its header is damaged or of another version";
  else if (header.fileBytes != size || header.manifestOffset != kSectionAlignment ||
           header.manifestBytes != size - kSectionAlignment)
    problem = "it is not as long as its header says";
  else if (header.manifestBytes != expected)
    problem = "the weights are of another model";
  if (problem) {
    platform::unmapFile(data, size);
    return fail(error, SINTER_ERROR_FORMAT, "%s: %s", path, problem);
  }
  model->parts[2] = {offset, header.manifestBytes, data + kSectionAlignment, true};
  model->weightsChecksum = header.manifestChecksum;
  return SINTER_OK;
}

} // namespace

const uint8_t *sinter::runtime::bytesAt(const sinter_model *model, uint64_t offset, uint64_t size) {
  for (const Part &part : model->parts)
    if (part.data && offset >= part.offset && offset - part.offset <= part.size &&
        size <= part.size - (offset - part.offset))
      return part.data + (offset - part.offset);
  return nullptr;
}

sinter_device_program sinter::runtime::programOf(const sinter_model *model) {
  sinter_device_program program = {};
  program.label = model->label;
  program.manifest = model->manifest;
  program.code = model->code;
  const package::Entry *entries[] = {model->prefill, model->decode, model->head};
  for (int i = 0; i < 3; ++i)
    program.entries[i] = entries[i];
  program.modules = bytesAt(model, model->code->range()->offset(), model->code->range()->size());
  program.weights = weightsOf(model);
  return program;
}

void sinter::runtime::tell(const sinter_model *model, sinter_log_level level, const char *format, ...) {
  if (!model->log)
    return;
  char message[sizeof(sinter_error::message)];
  va_list arguments;
  va_start(arguments, format);
  formatTextFrom(message, sizeof(message), format, arguments);
  va_end(arguments);
  model->log(model->logUser, level, message);
}

void sinter::runtime::holdModel(const sinter_model *model) {
  __atomic_fetch_add(&const_cast<sinter_model *>(model)->users, 1, __ATOMIC_RELAXED);
}

void sinter::runtime::releaseModel(const sinter_model *shared) {
  sinter_model *model = const_cast<sinter_model *>(shared);
  if (__atomic_sub_fetch(&model->users, 1, __ATOMIC_ACQ_REL))
    return;
  if (model->onDevice)
    model->backend->unload(model->onDevice);
  if (model->codeCopied)
    platform::freeExecutable(model->instructions, model->code->range()->size());
  if (model->parts[0].mapped)
    platform::unmapFile(model->parts[0].data, model->parts[0].size);
  if (model->parts[2].mapped)
    platform::unmapFile(model->parts[2].data - kSectionAlignment, model->parts[2].size + kSectionAlignment);
  if (model->owned)
    platform::freePages(model, sizeof(sinter_model));
}

sinter_status sinter_model_open(const char *path, const sinter_model_options *options, sinter_model **result,
                                sinter_error *error) {
  if (!path) {
    if (result)
      *result = nullptr;
    return fail(error, SINTER_ERROR_ARGUMENT, "opening a model: null pointer");
  }
  if (sinter_status status = beginModel(options, result, error))
    return status;
  sinter_model *model = *result;
  setLabel(model, path);
  uint64_t offset = options ? options->offset : 0;
  size_t size = options ? size_t(options->size) : 0;
  if (offset % kSectionAlignment)
    return abandon(result, fail(error, SINTER_ERROR_ARGUMENT,
                                "%s: a package cannot start at byte %" PRIu64 ", which is not a multiple of %" PRIu64,
                                model->label, offset, kSectionAlignment));
  if (const char *problem = platform::mapFile(path, offset, &model->parts[0].data, &size))
    return abandon(result, fail(error, SINTER_ERROR_IO, "%s: %s", model->label, problem));
  model->parts[0].size = size;
  model->parts[0].mapped = true;
  return finishModel(options, result, error);
}

sinter_status sinter_model_open_memory(const void *data, size_t size, const sinter_model_options *options,
                                       sinter_model **result, sinter_error *error) {
  if (sinter_status status = beginModel(options, result, error))
    return status;
  if (!data)
    return abandon(result, fail(error, SINTER_ERROR_ARGUMENT, "opening a model: null pointer"));
  if (reinterpret_cast<uintptr_t>(data) % 64)
    return abandon(result, fail(error, SINTER_ERROR_ARGUMENT, "a package in memory must be 64-byte aligned"));
  setLabel(*result, "package in memory");
  (*result)->parts[0] = {0, size, static_cast<const uint8_t *>(data), false};
  return finishModel(options, result, error);
}

sinter_status sinter_model_open_parts(const sinter_parts *parts, const sinter_model_options *options,
                                      sinter_model **result, sinter_error *error) {
  if (sinter_status status = beginModel(options, result, error))
    return status;
  sinter_model *model = *result;
  if (!parts || !parts->head || !parts->code || (!parts->weights && !parts->weights_path))
    return abandon(result, fail(error, SINTER_ERROR_ARGUMENT, "opening a linked model: null pointer"));
  if (parts->api_version != SINTER_API_VERSION)
    return abandon(result, fail(error, SINTER_ERROR_ARGUMENT, "the parts are of api version %u, the runtime has %u",
                                parts->api_version, SINTER_API_VERSION));
  for (const void *data : {parts->head, parts->code, parts->weights})
    if (reinterpret_cast<uintptr_t>(data) % 64)
      return abandon(result, fail(error, SINTER_ERROR_ARGUMENT, "the parts of a model must be 64-byte aligned"));
  setLabel(model, parts->name ? parts->name : "linked model");
  model->codeInPlace = true;
  model->parts[0] = {0, parts->head_size, static_cast<const uint8_t *>(parts->head), false};
  model->parts[1] = {parts->head_size, parts->code_size, static_cast<const uint8_t *>(parts->code), false};
  uint64_t rest = uint64_t(parts->head_size) + parts->code_size;
  model->parts[2] = {rest, parts->weights_size, static_cast<const uint8_t *>(parts->weights), false};
  if (!parts->weights) {
    model->parts[2] = {};
    if (sinter_status status = mapWeights(model, parts->weights_path, rest, parts->weights_size, error))
      return abandon(result, status);
  }
  return finishModel(options, result, error);
}

void sinter_model_close(sinter_model *model) {
  if (model)
    releaseModel(model);
}

void sinter_model_get_info(const sinter_model *model, sinter_model_info *info) {
  if (!info)
    return;
  if (!model) {
    *info = {};
    return;
  }
  const package::Manifest &manifest = *model->manifest;
  const package::Model &facts = *manifest.model();
  *info = {};
  info->name = facts.name()->c_str();
  info->family = facts.family()->c_str();
  info->compiler = manifest.compiler()->c_str();
  info->isa = model->code->target()->c_str();
  info->device = model->backend ? model->backend->name : "cpu";
  info->vocab = facts.vocab();
  info->hidden = facts.hidden();
  info->layers = facts.layers();
  info->context = manifest.context();
  info->prefill_tokens = model->exec ? 0 : mostTokens(model);
  info->parameters = facts.parameters();
  info->bos = facts.bos();
  info->eos = count(facts.eos()) ? facts.eos()->data() : nullptr;
  info->eos_count = count(facts.eos());
  info->generation = {0, -1, -1, -1, -1, -1};
  if (const package::Generation *generation = facts.generation())
    info->generation = {generation->do_sample(), generation->temperature(), generation->top_k(),
                        generation->top_p(),     generation->min_p(),       generation->repetition_penalty()};
  if (manifest.tokenizer() && manifest.tokenizer()->size()) {
    info->tokenizer = bytesAt(model, manifest.tokenizer()->offset(), manifest.tokenizer()->size());
    info->tokenizer_size = manifest.tokenizer()->size();
  }
  info->chat_template = manifest.chat_template() ? manifest.chat_template()->c_str() : nullptr;
}

sinter_status sinter_model_check(const sinter_model *model, sinter_error *error) {
  if (!model)
    return fail(error, SINTER_ERROR_ARGUMENT, "checking a model: null pointer");
  const package::Range &weights = *model->manifest->weights();
  if (checksum64(weightsOf(model), weights.size()) != model->manifest->weights_checksum())
    return fail(error, SINTER_ERROR_FORMAT, "%s: the weights do not have the checksum that the manifest gives",
                model->label);
  return succeed(error);
}
