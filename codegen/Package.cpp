// Planned module, code and tokenizer -> package file. The layout is known before the first byte is written: the
// manifest is built once to learn its size, sections follow one another, the weights come last because they are
// streamed. The weights' checksum is known only then, so the manifest is built a second time and replaces the first,
// and the header is written over zeros at the very end: a file that was cut short is not a package.
//
// Nothing that is written depends on the time, the machine or pointers: the same contents give the same bytes.

#include "codegen/Package.h"

#include "codegen/Pack.h"
#include "codegen/PackageManifest.h"
#include "codegen/PackageWriter.h"
#include "dialects/sched/Sched.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

#include <cstddef>

using namespace llvm;

namespace sinter {

namespace {

// A weight and its planned place.
struct PlacedWeight {
  uint64_t offset;
  PackedWeight packed;
};

} // namespace

// The module's weights in the order of their offsets, which must not overlap.
static Expected<std::vector<PlacedWeight>> collectWeights(mlir::ModuleOp module, mlir::SymbolTable &symbols,
                                                          uint64_t total) {
  std::vector<PlacedWeight> weights;
  SmallVector<sched::WeightOp> ops = to_vector(module.getOps<sched::WeightOp>());
  for (sched::WeightOp op : ops)
    if (!op.getOffset())
      return createStringError("weight @" + op.getSymName() + " has no offset; run --sinter-plan-weights");
  sort(ops, [](sched::WeightOp a, sched::WeightOp b) { return *a.getOffset() < *b.getOffset(); });
  uint64_t end = 0;
  for (sched::WeightOp op : ops) {
    Expected<PackedWeight> packed = PackedWeight::create(op, symbols);
    if (!packed)
      return packed.takeError();
    const uint64_t offset = *op.getOffset(), bytes = packed->bytes();
    if (offset < end || bytes > total || offset > total - bytes)
      return createStringError("weight @" + op.getSymName() + " takes bytes [" + Twine(offset) + ", " +
                               Twine(offset + bytes) + "), expected a free range of the " + Twine(total) + " planned");
    end = offset + bytes;
    weights.push_back({offset, std::move(*packed)});
  }
  return weights;
}

// What each format stores, in the order of first use. Vectors are plain f32.
static std::vector<FormatUse> countFormats(ArrayRef<PlacedWeight> weights) {
  MapVector<StringRef, FormatUse> uses;
  for (const PlacedWeight &weight : weights) {
    FormatUse &use = uses[weight.packed.formatName()];
    use.parameters += weight.packed.parameters();
    use.bytes += weight.packed.bytes();
  }
  std::vector<FormatUse> result;
  for (auto &[name, use] : uses)
    result.push_back({name.str(), use.parameters, use.bytes});
  return result;
}

static PackageStats countBytes(const PackageContents &contents, const PackageLayout &layout) {
  mlir::ModuleOp module = contents.module;
  PackageStats stats;
  stats.fileBytes = layout.weights.offset + layout.weights.size;
  stats.weightBytes = layout.weights.size;
  stats.tokenizerBytes = layout.tokenizer.size;
  for (const CompiledKernels &code : contents.code) {
    stats.codeBytes += code.image.size();
    for (uint32_t bytes : code.scratchBytes)
      stats.scratchBytesPerThread = std::max<uint64_t>(stats.scratchBytesPerThread, bytes);
  }
  for (sched::PlanOp plan : module.getOps<sched::PlanOp>())
    stats.arenaBytes = plan.getArenaBytes().value_or(0);
  for (sched::CacheOp cache : module.getOps<sched::CacheOp>())
    stats.cacheBytes += cacheBytes(cache);
  if (contents.info.parameters)
    stats.bitsPerWeight = double(stats.weightBytes) * 8 / double(contents.info.parameters);
  return stats;
}

static PackageHeader makeHeader(uint64_t fileBytes, ArrayRef<uint8_t> manifest) {
  PackageHeader header = {};
  memcpy(header.magic, kPackageMagic, sizeof(header.magic));
  header.version = kPackageVersion;
  header.headerBytes = sizeof(PackageHeader);
  header.fileBytes = fileBytes;
  header.manifestOffset = kSectionAlignment;
  header.manifestBytes = manifest.size();
  header.manifestChecksum = checksum64(manifest.data(), manifest.size());
  header.headerChecksum = checksum64(&header, offsetof(PackageHeader, headerChecksum));
  return header;
}

// Streams the weights to the end of the file. Returns their checksum.
static Expected<uint64_t> writeWeights(PackageWriter &file, const PackageLayout::Section &section,
                                       ArrayRef<PlacedWeight> weights, tx::ParamReader &reader,
                                       const std::function<void(uint64_t, uint64_t)> &progress) {
  StreamChecksum checksum;
  uint64_t done = 0; // bytes of the section
  auto write = [&](ArrayRef<uint8_t> bytes) -> Error {
    if (Error error = file.write(bytes))
      return error;
    checksum.update(bytes);
    done += bytes.size();
    if (progress)
      progress(done, section.size);
    return Error::success();
  };
  auto pad = [&](uint64_t offset) -> Error {
    const std::vector<uint8_t> zeros(offset - done);
    return zeros.empty() ? Error::success() : write(zeros);
  };
  for (const PlacedWeight &weight : weights) {
    if (Error error = pad(weight.offset))
      return std::move(error);
    if (Error error = weight.packed.pack(reader, write))
      return std::move(error);
  }
  if (Error error = pad(section.size))
    return std::move(error);
  return checksum.finish();
}

Expected<PackageStats> writePackage(const PackageContents &contents, tx::ParamReader &reader, const std::string &path,
                                    const std::function<void(uint64_t, uint64_t)> &progress) {
  mlir::ModuleOp module = contents.module;
  auto plans = module.getOps<sched::PlanOp>();
  if (plans.empty() || !(*plans.begin()).getWeightsBytes())
    return createStringError("the module has no sched.plan with the weights' size; run --sinter-plan-weights");
  PackageLayout layout;
  layout.weights.size = *(*plans.begin()).getWeightsBytes();
  layout.weightsChecksum = 1; // fields of 0 are left out of FlatBuffers; this one must have its place
  layout.tokenizer.size = contents.tokenizer.size();
  for (const CompiledKernels &code : contents.code)
    layout.code.push_back({0, code.image.size()});

  mlir::SymbolTable symbols(module);
  Expected<std::vector<PlacedWeight>> weights = collectWeights(module, symbols, layout.weights.size);
  if (!weights)
    return weights.takeError();
  const std::vector<FormatUse> formats = countFormats(*weights);
  Expected<std::vector<uint8_t>> manifest = buildManifest(contents, layout, formats);
  if (!manifest)
    return manifest.takeError();

  uint64_t end = kSectionAlignment + manifest->size();
  auto place = [&](PackageLayout::Section &section) {
    section.offset = alignTo(end, kSectionAlignment);
    end = section.offset + section.size;
  };
  place(layout.tokenizer);
  for (PackageLayout::Section &code : layout.code)
    place(code);
  place(layout.weights);
  PackageStats stats = countBytes(contents, layout);
  stats.manifestBytes = manifest->size();
  stats.formats = formats;

  Expected<PackageWriter> file = PackageWriter::create(path);
  if (!file)
    return file.takeError();
  auto writeSection = [&](const PackageLayout::Section &section, ArrayRef<uint8_t> bytes) -> Error {
    if (Error error = file->padTo(section.offset))
      return error;
    return file->write(bytes);
  };
  if (Error error = writeSection({kSectionAlignment, manifest->size()}, *manifest))
    return std::move(error);
  if (Error error = writeSection(layout.tokenizer, contents.tokenizer))
    return std::move(error);
  for (auto [section, code] : zip_equal(layout.code, contents.code))
    if (Error error = writeSection(section, code.image))
      return std::move(error);
  if (Error error = file->padTo(layout.weights.offset))
    return std::move(error);
  Expected<uint64_t> checksum = writeWeights(*file, layout.weights, *weights, reader, progress);
  if (!checksum)
    return checksum.takeError();

  layout.weightsChecksum = *checksum;
  manifest = buildManifest(contents, layout, formats);
  if (!manifest)
    return manifest.takeError();
  manifest->resize(stats.manifestBytes); // a checksum of 0 would make it shorter
  const PackageHeader header = makeHeader(stats.fileBytes, *manifest);
  if (Error error = file->rewrite(kSectionAlignment, *manifest))
    return std::move(error);
  if (Error error = file->rewrite(0, ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(&header), sizeof(header))))
    return std::move(error);
  if (Error error = file->finish())
    return std::move(error);
  return stats;
}

} // namespace sinter
