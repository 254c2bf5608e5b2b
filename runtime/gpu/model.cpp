// Loading a package onto a device. What the device must have is checked first, so that an error names what is missing
// before gigabytes were copied. Weights are cut into buffers between weights, each as large as the device allows; where the
// CPU sees the device's memory they are written in place, else they go through a buffer of a few megabytes.

#include "runtime/gpu/model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

namespace sinter::gpu {

namespace {

// Invocations: some GPUs run 64 in step, and others only 16 or 32 workgroups at once on what could run 1024 invocations.
constexpr uint32_t kFullWorkgroup = 64;
constexpr uint64_t kStagingBytes = 16 << 20;
// Larger buffers gain nothing, and some drivers handle them badly.
constexpr uint64_t kLargestPiece = 1 << 30;

int compareBindings(const void *a, const void *b) {
  uint64_t x = (*static_cast<const package::Binding *const *>(a))->offset();
  uint64_t y = (*static_cast<const package::Binding *const *>(b))->offset();
  return x < y ? -1 : x > y;
}

class Loader {
public:
  Loader(Model *model, sinter_error *error) : model(model), api(*model->api), error(error) {}

  sinter_status run(uint32_t device) {
    if (sinter_status status = api.open(device, &model->device, &model->limits, error))
      return status;
    if (sinter_status status = checkDevice())
      return status;
    for (uint32_t i = 0; i < model->kernels; ++i)
      if (sinter_status status = makePipeline(i))
        return status;
    return placeWeights();
  }

private:
  const char *nameOf(uint32_t kernel) const { return model->manifest->kernels()->Get(kernel)->c_str(); }

  sinter_status checkDevice() {
    const Limits &limits = model->limits;
    uint64_t missing = model->code->features() & ~limits.features;
    char names[128];
    nameFeatures(missing, names, sizeof(names));
    if (missing)
      return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: %s device %.64s lacks %s, which the package's kernels need",
                  model->program.label, api.name, limits.name, names[0] ? names : "a feature newer than this runtime");
    for (uint32_t i = 0; i < model->kernels; ++i) {
      const package::GpuKernel *kernel = model->code->gpu_kernels()->Get(i);
      if (kernel->workgroup() > limits.workgroup)
        return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: kernel '%.40s' has workgroups of %u, %s device %.64s allows %u",
                    model->program.label, nameOf(i), kernel->workgroup(), api.name, limits.name, limits.workgroup);
      if (kernel->workgroup_bytes() > limits.workgroupBytes)
        return fail(error, SINTER_ERROR_UNSUPPORTED,
                    "%s: kernel '%.40s' shares %u bytes in a workgroup, %s device %.64s has %u", model->program.label,
                    nameOf(i), kernel->workgroup_bytes(), api.name, limits.name, limits.workgroupBytes);
      if (bufferCount(*model, i) > limits.buffers)
        return fail(error, SINTER_ERROR_UNSUPPORTED, "%s: kernel '%.40s' reads %u buffers, %s device %.64s allows %u",
                    model->program.label, nameOf(i), bufferCount(*model, i), api.name, limits.name, limits.buffers);
    }
    return checkRanges();
  }

  // Every binding must be visible to a kernel as a whole.
  sinter_status checkRanges() {
    const Limits &limits = model->limits;
    for (const package::Entry *entry : model->entries)
      for (uint32_t i = 0; i < count(entry->dispatches()); ++i) {
        const package::Dispatch *dispatch = entry->dispatches()->Get(i);
        for (uint32_t b = 0; b < count(dispatch->bindings()); ++b) {
          const package::Binding *binding = dispatch->bindings()->Get(b);
          if (binding->size() > limits.largestRange)
            return fail(error, SINTER_ERROR_UNSUPPORTED,
                        "%s: kernel '%.40s' reads a buffer of %" PRIu64 " bytes, %s device %.64s allows %" PRIu64,
                        model->program.label, nameOf(dispatch->kernel()), binding->size(), api.name, limits.name,
                        limits.largestRange);
          if (binding->offset() % limits.rangeAlignment)
            return fail(error, SINTER_ERROR_UNSUPPORTED,
                        "%s: a buffer starts at byte %" PRIu64 ", %s device %.64s needs multiples of %" PRIu64,
                        model->program.label, binding->offset(), api.name, limits.name, limits.rangeAlignment);
        }
      }
    return SINTER_OK;
  }

  // Units of a kernel that share a workgroup: as many as fill a subgroup, and kFullWorkgroup, if all of the kernel's
  // dispatches have a multiple of that.
  uint32_t unitsOf(uint32_t index) const {
    const uint32_t width = model->code->gpu_kernels()->Get(index)->workgroup();
    uint32_t wanted = model->limits.subgroup > kFullWorkgroup ? model->limits.subgroup : kFullWorkgroup;
    wanted = (wanted < model->limits.workgroup ? wanted : model->limits.workgroup) / (width ? width : 1);
    uint32_t units = 1;
    while (units * 2 <= wanted)
      units *= 2;
    for (const package::Entry *entry : model->entries)
      for (uint32_t i = 0; i < count(entry->dispatches()); ++i)
        while (entry->dispatches()->Get(i)->kernel() == index && entry->dispatches()->Get(i)->grid()->units() % units)
          units /= 2;
    return units;
  }

  sinter_status makePipeline(uint32_t index) {
    const package::GpuKernel *kernel = model->code->gpu_kernels()->Get(index);
    if (kernel->range()->size() == 0)
      return SINTER_OK;
    model->units[index] = kernel->shares_workgroups() ? unitsOf(index) : 1;
    const Module module = {nameOf(index),
                           static_cast<const uint8_t *>(model->program.modules) + kernel->range()->offset(),
                           kernel->range()->size(), kernel->workgroup() * model->units[index],
                           bufferCount(*model, index), model->units[index]};
    return api.createPipeline(model->device, module, &model->pipelines[index], error);
  }

  //===-- Weights -------------------------------------------------------------------------------------------------===//

  uint64_t largestPiece() const {
    uint64_t largest = model->limits.largestBuffer;
    return largest < kLargestPiece ? largest : kLargestPiece;
  }

  sinter_status placeWeights() {
    uint32_t most = 0;
    for (const package::Entry *entry : model->entries)
      for (uint32_t i = 0; i < count(entry->dispatches()); ++i)
        most += count(entry->dispatches()->Get(i)->bindings());
    const package::Binding **sorted =
        static_cast<const package::Binding **>(malloc((most + 1) * sizeof(const package::Binding *)));
    model->weights = static_cast<WeightPiece *>(calloc(most + 1, sizeof(WeightPiece)));
    if (!sorted || !model->weights) {
      free(sorted);
      return fail(error, SINTER_ERROR_MEMORY, "no memory for the list of weights");
    }
    uint32_t used = 0;
    for (const package::Entry *entry : model->entries)
      for (uint32_t i = 0; i < count(entry->dispatches()); ++i)
        for (uint32_t b = 0; b < count(entry->dispatches()->Get(i)->bindings()); ++b)
          if (const package::Binding *binding = entry->dispatches()->Get(i)->bindings()->Get(b);
              binding->space() == package::Space::weights)
            sorted[used++] = binding;
    qsort(sorted, used, sizeof(sorted[0]), compareBindings);
    sinter_status status = cutWeights(sorted, used);
    free(sorted);
    return status;
  }

  // Pieces end where no weight does not fit any more; then all are written.
  sinter_status cutWeights(const package::Binding *const *sorted, uint32_t used) {
    uint64_t begin = 0, end = 0;
    for (uint32_t i = 0; i <= used; ++i) {
      uint64_t next = i < used ? sorted[i]->offset() + sorted[i]->size() : UINT64_MAX;
      bool overlaps = i < used && sorted[i]->offset() < end;
      if (end > begin && !overlaps && (i == used || next - begin > largestPiece())) {
        WeightPiece &piece = model->weights[model->pieces];
        piece.begin = begin;
        if (sinter_status status =
                api.createBuffer(model->device, "the weights", end - begin, Residence::device, &piece.buffer, error))
          return status;
        ++model->pieces;
        begin = i < used ? sorted[i]->offset() : end;
      }
      if (i < used && next > end)
        end = next;
    }
    return upload();
  }

  sinter_status upload() {
    const uint8_t *section = static_cast<const uint8_t *>(model->program.weights);
    bool direct = true;
    for (uint32_t i = 0; i < model->pieces; ++i) {
      WeightPiece &piece = model->weights[i];
      if (piece.buffer.mapped)
        memcpy(piece.buffer.mapped, section + piece.begin, piece.buffer.size);
      direct &= piece.buffer.mapped != nullptr;
    }
    if (direct)
      return SINTER_OK;
    Buffer staging = {};
    void *recorder = nullptr;
    sinter_status status =
        api.createBuffer(model->device, "uploading weights", kStagingBytes, Residence::upload, &staging, error);
    if (status == SINTER_OK)
      status = api.createRecorder(model->device, 1, 0, 0, &recorder, error);
    for (uint32_t i = 0; i < model->pieces && status == SINTER_OK; ++i) {
      const WeightPiece &piece = model->weights[i];
      for (uint64_t done = 0; done < piece.buffer.size && !piece.buffer.mapped && status == SINTER_OK;) {
        uint64_t rest = piece.buffer.size - done, bytes = rest < kStagingBytes ? rest : kStagingBytes;
        memcpy(staging.mapped, section + piece.begin + done, bytes);
        status = api.begin(recorder, 0, error);
        if (status != SINTER_OK)
          break;
        api.copy(recorder, 0, {&staging, 0, bytes}, {&piece.buffer, done, bytes});
        api.barrier(recorder, 0);
        status = api.end(recorder, 0, error);
        const uint32_t recording = 0;
        if (status == SINTER_OK)
          status = api.submit(recorder, &recording, 1, error);
        done += bytes;
      }
    }
    if (recorder)
      api.destroyRecorder(recorder);
    api.destroyBuffer(model->device, &staging);
    return status;
  }

  Model *model;
  const Interface &api;
  sinter_error *error;
};

} // namespace

uint32_t bufferCount(const Model &model, uint32_t kernel) {
  return 1 + count(model.code->gpu_kernels()->Get(kernel)->slots());
}

sinter_status loadModel(const Interface &api, const sinter_device_program *program, uint32_t device, void **result,
                        sinter_error *error) {
  Model *model = static_cast<Model *>(calloc(1, sizeof(Model)));
  const package::Manifest *manifest = static_cast<const package::Manifest *>(program->manifest);
  uint32_t kernels = manifest->kernels()->size();
  void **pipelines = static_cast<void **>(calloc(kernels + 1, sizeof(void *)));
  uint32_t *units = static_cast<uint32_t *>(calloc(kernels + 1, sizeof(uint32_t)));
  if (!model || !pipelines || !units) {
    free(model);
    free(pipelines);
    free(units);
    return fail(error, SINTER_ERROR_MEMORY, "no memory for a model");
  }
  model->api = &api;
  model->program = *program;
  model->manifest = manifest;
  model->code = static_cast<const package::Code *>(program->code);
  for (uint32_t i = 0; i < 3; ++i)
    model->entries[i] = static_cast<const package::Entry *>(program->entries[i]);
  model->pipelines = pipelines;
  model->units = units;
  model->kernels = kernels;
  sinter_status status = Loader(model, error).run(device);
  if (status != SINTER_OK)
    unloadModel(model);
  else
    *result = model;
  return status;
}

void unloadModel(void *opened) {
  Model *model = static_cast<Model *>(opened);
  const Interface &api = *model->api;
  if (model->device) {
    for (uint32_t i = 0; i < model->kernels; ++i)
      if (model->pipelines[i])
        api.destroyPipeline(model->device, model->pipelines[i]);
    for (uint32_t i = 0; i < model->pieces; ++i)
      api.destroyBuffer(model->device, &model->weights[i].buffer);
    api.close(model->device);
  }
  free(model->weights);
  free(model->pipelines);
  free(model->units);
  free(model);
}

} // namespace sinter::gpu
