// First half of what the loader checks: header, sections, model facts and code. A package is not trusted: each offset
// and size is compared with the space it lies in before it is used, by subtraction so that nothing can overflow, and
// messages say which place of which file is wrong. The schedule has its own file, schedule_check.cpp.

#include "runtime/format_text.h"
#include "runtime/model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

using namespace sinter;
using namespace sinter::runtime;

namespace {

// Far above any real model, and low enough that the manifest is verified in well under a second.
constexpr uint32_t kMostTables = 1000000, kMostDepth = 16;
constexpr uint64_t kMostManifestBytes = uint64_t(1) << 30;

// The FlatBuffers verifier leaves out the alignment of vector elements larger than their length field.
template <class Vector> bool aligned(const Vector *vector, size_t alignment) {
  return !vector || vector->size() == 0 || reinterpret_cast<uintptr_t>(vector->Data()) % alignment == 0;
}

bool vectorsAligned(const package::Manifest &manifest) {
  for (const package::Code *code : *manifest.codes())
    if (!aligned(code->entries(), alignof(uint64_t)))
      return false;
  for (const package::Entry *entry : *manifest.entries())
    for (uint32_t i = 0; i < count(entry->dispatches()); ++i)
      if (!aligned(entry->dispatches()->Get(i)->bindings(), alignof(package::Binding)))
        return false;
  if (const package::Program *program = manifest.program())
    for (const auto *ports : {program->inputs(), program->outputs()})
      for (uint32_t i = 0; i < count(ports); ++i)
        if (!aligned(ports->Get(i)->dims(), alignof(int64_t)))
          return false;
  return true;
}

// `says`: who names the range, "header" or "manifest".
sinter_status checkSection(const sinter_model *model, const char *says, const char *name, const package::Range *range,
                           sinter_error *error) {
  if (!range)
    return damaged(model, error, "%s does not say where %s is", says, name);
  if (range->offset() % kSectionAlignment)
    return damaged(model, error, "%s says %s starts at byte %" PRIu64 ", which is not a multiple of %" PRIu64, says,
                   name, range->offset(), kSectionAlignment);
  uint64_t end;
  if (__builtin_add_overflow(range->offset(), range->size(), &end))
    end = UINT64_MAX;
  if (end > model->fileBytes)
    return damaged(model, error, "%s says %s ends at byte %" PRIu64 ", but the file has %" PRIu64 " bytes", says, name,
                   end, model->fileBytes);
  if (!bytesAt(model, range->offset(), range->size()))
    return damaged(model, error, "%s says %s is at byte %" PRIu64 ", across two parts of the package", says, name,
                   range->offset());
  return SINTER_OK;
}

sinter_status checkHeader(const sinter_model *model, PackageHeader *header, sinter_error *error) {
  if (model->parts[0].size < sizeof(PackageHeader))
    return damaged(model, error, "the file has %" PRIu64 " bytes, a package has at least %zu", model->parts[0].size,
                   sizeof(PackageHeader));
  memcpy(header, model->parts[0].data, sizeof(PackageHeader));
  if (memcmp(header->magic, kPackageMagic, sizeof(kPackageMagic)) != 0)
    return damaged(model, error, "not a sinter package");
  if (header->version != kPackageVersion)
    return damaged(model, error, "package version %u, this runtime reads version %u", header->version, kPackageVersion);
  if (header->headerBytes != sizeof(PackageHeader) ||
      header->headerChecksum != checksum64(header, offsetof(PackageHeader, headerChecksum)))
    return damaged(model, error, "the header is damaged");
  if (header->fileBytes != model->fileBytes)
    return damaged(model, error, "the header says %" PRIu64 " bytes, but the file has %" PRIu64, header->fileBytes,
                   model->fileBytes);
  package::Range manifest(header->manifestOffset, header->manifestBytes);
  if (sinter_status status = checkSection(model, "header", "the manifest", &manifest, error))
    return status;
  if (header->manifestBytes > kMostManifestBytes)
    return damaged(model, error, "the header says the manifest has %" PRIu64 " bytes, at most %" PRIu64 " are allowed",
                   header->manifestBytes, kMostManifestBytes);
  if (checksum64(bytesAt(model, header->manifestOffset, header->manifestBytes), header->manifestBytes) !=
      header->manifestChecksum)
    return damaged(model, error, "the manifest (byte %" PRIu64 " on) does not have the header's checksum",
                   header->manifestOffset);
  return SINTER_OK;
}

sinter_status checkFacts(const sinter_model *model, sinter_error *error) {
  const package::Manifest &manifest = *model->manifest;
  const package::Model &facts = *manifest.model();
  if (manifest.program() && (facts.vocab() || facts.hidden()))
    return damaged(model, error, "a program with a vocabulary of %u and a hidden size of %u", facts.vocab(),
                   facts.hidden());
  if (!manifest.program() &&
      (facts.vocab() == 0 || facts.vocab() > uint32_t(INT32_MAX) || facts.hidden() == 0))
    return damaged(model, error, "manifest gives a vocabulary of %u and a hidden size of %u", facts.vocab(),
                   facts.hidden());
  if (manifest.context() == 0 || manifest.context() > kMostContext)
    return damaged(model, error, "manifest gives a context of %u tokens, expected 1 to %u", manifest.context(),
                   kMostContext);
  if (count(manifest.work()) && count(manifest.work()) != manifest.kernels()->size())
    return damaged(model, error, "the manifest describes the work of %u kernels, but has %u", count(manifest.work()),
                   manifest.kernels()->size());
  if (facts.bos() < -1 || (facts.bos() >= 0 && uint32_t(facts.bos()) >= facts.vocab()))
    return damaged(model, error, "bos token %d is not in the vocabulary of %u", facts.bos(), facts.vocab());
  for (uint32_t i = 0; i < count(facts.eos()); ++i)
    if (facts.eos()->Get(i) >= facts.vocab())
      return damaged(model, error, "eos token %u is not in the vocabulary of %u", facts.eos()->Get(i), facts.vocab());
  return SINTER_OK;
}

} // namespace

sinter_status sinter::runtime::damaged(const sinter_model *model, sinter_error *error, const char *format, ...) {
  if (!error)
    return SINTER_ERROR_FORMAT;
  error->status = SINTER_ERROR_FORMAT;
  size_t length = formatText(error->message, sizeof(error->message), "%s: ", model->label);
  va_list arguments;
  va_start(arguments, format);
  formatTextFrom(error->message + length, sizeof(error->message) - length, format, arguments);
  va_end(arguments);
  return SINTER_ERROR_FORMAT;
}

sinter_status sinter::runtime::checkPackage(sinter_model *model, sinter_error *error) {
  PackageHeader header;
  if (sinter_status status = checkHeader(model, &header, error))
    return status;

  const uint8_t *bytes = bytesAt(model, header.manifestOffset, header.manifestBytes);
  flatbuffers::Verifier verifier(bytes, header.manifestBytes, kMostDepth, kMostTables);
  if (!isSound<package::Manifest>(verifier, bytes, header.manifestBytes))
    return damaged(model, error, "the manifest (byte %" PRIu64 " on) is not well formed", header.manifestOffset);
  model->manifest = package::GetManifest(bytes);
  model->manifestBytes = header.manifestBytes;
  const package::Manifest &manifest = *model->manifest;
  if (!vectorsAligned(manifest))
    return damaged(model, error, "the manifest (byte %" PRIu64 " on) has a misaligned vector", header.manifestOffset);

  if (sinter_status status = checkSection(model, "manifest", "the weights section", manifest.weights(), error))
    return status;
  if (model->weightsChecksum && model->weightsChecksum != manifest.weights_checksum())
    return damaged(model, error, "the weights are of another model");
  if (manifest.tokenizer()) {
    const package::Range &tokenizer = *manifest.tokenizer();
    if (sinter_status status = checkSection(model, "manifest", "the tokenizer section", &tokenizer, error))
      return status;
    if (tokenizer.size() && checksum64(bytesAt(model, tokenizer.offset(), tokenizer.size()), tokenizer.size()) !=
                                manifest.tokenizer_checksum())
      return damaged(model, error, "the tokenizer (byte %" PRIu64 " on) does not have the manifest's checksum",
                     tokenizer.offset());
  }
  return checkFacts(model, error);
}

namespace {

bool isForGpu(const package::Code *code) {
  return code->machine() == package::Machine::spirv || code->machine() == package::Machine::msl;
}

// Machine code: where kernels start, but for those that no entry for CPUs uses.
sinter_status checkImage(const sinter_model *model, const package::Code *code, sinter_error *error) {
  const char *target = code->target()->c_str();
  uint64_t size = code->range()->size();
  uint32_t kernels = model->manifest->kernels()->size();
  if (count(code->entries()) != kernels || count(code->scratch_bytes()) != kernels ||
      count(code->stack_bytes()) != kernels)
    return damaged(model, error, "code for '%.32s' has %u entries, %u scratch sizes and %u stack sizes for %u kernels",
                   target, count(code->entries()), count(code->scratch_bytes()), count(code->stack_bytes()), kernels);
  for (uint32_t i = 0; i < kernels; ++i)
    if (code->entries()->Get(i) >= size && code->entries()->Get(i) != kNoKernel)
      return damaged(model, error, "kernel '%.40s' starts at byte %" PRIu64 " of the %" PRIu64 " bytes for '%.32s'",
                     model->manifest->kernels()->Get(i)->c_str(), code->entries()->Get(i), size, target);
  return SINTER_OK;
}

// Modules for GPUs: where they are, and the bindings that they want.
sinter_status checkModules(const sinter_model *model, const package::Code *code, sinter_error *error) {
  const char *target = code->target()->c_str();
  uint64_t size = code->range()->size();
  uint32_t kernels = model->manifest->kernels()->size();
  if (count(code->gpu_kernels()) != kernels)
    return damaged(model, error, "code for '%.32s' has %u modules for %u kernels", target, count(code->gpu_kernels()),
                   kernels);
  for (uint32_t i = 0; i < kernels; ++i) {
    const package::GpuKernel *kernel = code->gpu_kernels()->Get(i);
    const package::Range *range = kernel->range();
    if (!range || range->offset() % 4 || range->size() % 4 || range->offset() > size ||
        range->size() > size - range->offset() || (range->size() && kernel->workgroup() == 0) ||
        count(kernel->slots()) > UINT8_MAX)
      return damaged(model, error, "kernel '%.40s' has no module within the %" PRIu64 " bytes for '%.32s'",
                     model->manifest->kernels()->Get(i)->c_str(), size, target);
  }
  return SINTER_OK;
}

// Every kernel that the device's entries use must be there, with bindings for all it reads.
sinter_status checkUse(const sinter_model *model, const package::Code *code, sinter_error *error) {
  for (const package::Entry *entry : {model->prefill, model->decode, model->head, model->encode})
    for (uint32_t i = 0; entry && i < count(entry->dispatches()); ++i) {
      const package::Dispatch *dispatch = entry->dispatches()->Get(i);
      const char *name = model->manifest->kernels()->Get(dispatch->kernel())->c_str();
      bool there = true;
      if (isForGpu(code)) {
        const package::GpuKernel *kernel = code->gpu_kernels()->Get(dispatch->kernel());
        there = kernel->range()->size() != 0;
        for (uint32_t s = 0; s < count(kernel->slots()); ++s)
          if (kernel->slots()->Get(s) >= count(dispatch->bindings()))
            return damaged(model, error, "entry '%.40s', dispatch %u: kernel '%.40s' reads binding %u of %u",
                           entry->name()->c_str(), i, name, unsigned(kernel->slots()->Get(s)),
                           count(dispatch->bindings()));
      } else {
        there = code->entries()->Get(dispatch->kernel()) != kNoKernel;
      }
      if (!there)
        return damaged(model, error, "kernel '%.40s', which entry '%.40s' uses, is not in the code for '%.32s'", name,
                       entry->name()->c_str(), code->target()->c_str());
    }
  for (uint32_t i = 0; i < count(model->manifest->yardsticks()) && !isForGpu(code); ++i)
    if (uint32_t kernel = model->manifest->yardsticks()->Get(i)->kernel(); code->entries()->Get(kernel) == kNoKernel)
      return damaged(model, error, "yardstick '%.40s' is not in the code for '%.32s'",
                     model->manifest->kernels()->Get(kernel)->c_str(), code->target()->c_str());
  return SINTER_OK;
}

} // namespace

sinter_status sinter::runtime::checkCode(const sinter_model *model, const package::Code *code, sinter_error *error) {
  if (sinter_status status = checkSection(model, "manifest", "the code section", code->range(), error))
    return status;
  if (sinter_status status = isForGpu(code) ? checkModules(model, code, error) : checkImage(model, code, error))
    return status;
  if (sinter_status status = model->factsOnly ? SINTER_OK : checkUse(model, code, error))
    return status;
  uint64_t offset = code->range()->offset(), size = code->range()->size();
  if (size == 0 || checksum64(bytesAt(model, offset, size), size) != code->checksum())
    return damaged(model, error, "code for '%.32s' (byte %" PRIu64 " on) does not have the manifest's checksum",
                   code->target()->c_str(), offset);
  return SINTER_OK;
}
