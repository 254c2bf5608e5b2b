// A planned sched module -> manifest. One function per table of runtime/package.fbs. Operands of dispatches become
// places: an alloc or a module buffer is a range of the arena, a weight one of the weights section, a cache is named by
// its index.

#include "codegen/PackageManifest.h"

#include "dialects/sched/Sched.h"
#include "runtime/package_generated.h"
#include "runtime/package_layout.h"
#include "llvm/ADT/DenseMap.h"

using namespace llvm;

namespace sinter {

namespace fb = flatbuffers;

uint64_t cacheBytes(sched::CacheOp cache) {
  return uint64_t(cache.getCapacity()) / sched::CacheOp::kTileTokens * cache.getTileBytes();
}

// "sched.alloc (head): is not planned".
static Error fail(mlir::Operation *op, const Twine &what) {
  std::string where = op->getName().getStringRef().str();
  if (mlir::StringAttr name = op->getAttrOfType<mlir::StringAttr>("sym_name"))
    where += " @" + name.str();
  else if (sched::FuncOp entry = op->getParentOfType<sched::FuncOp>())
    where += " in @" + entry.getSymName().str();
  return createStringError(where + ": " + what);
}

static Expected<package::Binding> arenaRange(mlir::Operation *op, std::optional<int64_t> offset, mlir::Type type) {
  mlir::MemRefType buffer = cast<mlir::MemRefType>(type);
  if (!offset)
    return fail(op, "has no offset; run --sinter-plan-memory");
  if (!buffer.hasStaticShape())
    return fail(op, "has a dynamic shape, expected a static one");
  return package::Binding(package::Space::arena, 0, *offset,
                          buffer.getNumElements() * buffer.getElementTypeBitWidth() / 8);
}

namespace {

class ManifestBuilder {
public:
  ManifestBuilder(const PackageContents &contents, const PackageLayout &layout, ArrayRef<FormatUse> formats)
      : contents(contents), layout(layout), formats(formats), symbols(contents.module) {}

  Expected<std::vector<uint8_t>> build();

private:
  template <typename Op> Expected<Op> onlyOp(StringRef what);
  Expected<package::Binding> place(mlir::Value operand);
  Expected<package::Binding> roleBuffer(sched::Role role, mlir::MemRefType *type = nullptr);
  bool hasBuffer(sched::Role role);
  Expected<fb::Offset<package::Entry>> entry(sched::FuncOp function);
  Expected<fb::Offset<package::Dispatch>> dispatch(sched::DispatchOp op);
  fb::Offset<package::Cache> cache(sched::CacheOp op);
  fb::Offset<package::Code> code(const CompiledKernels &kernels, const PackageLayout::Section &section);
  fb::Offset<package::Work> work(kern::SpecInterface spec);
  fb::Offset<package::Yardstick> yardstick(kern::YardstickAttr spec, uint16_t kernel);
  fb::Offset<package::Model> model();
  Expected<fb::Offset<package::Encoder>> encoder(const std::optional<mlir::MemRefType> &output);
  Expected<fb::Offset<package::Program>> program();

  const PackageContents &contents;
  const PackageLayout &layout;
  ArrayRef<FormatUse> formats;
  mlir::SymbolTable symbols;
  fb::FlatBufferBuilder out;
  StringMap<uint16_t> kernelIndex, cacheIndex;
};

} // namespace

static package::Range range(const PackageLayout::Section &section) { return {section.offset, section.size}; }

Expected<package::Binding> ManifestBuilder::place(mlir::Value operand) {
  mlir::Operation *op = operand.getDefiningOp();
  if (sched::AllocOp alloc = dyn_cast_if_present<sched::AllocOp>(op))
    return arenaRange(alloc, alloc.getOffset(), alloc.getType());
  sched::RefOp ref = dyn_cast_if_present<sched::RefOp>(op);
  if (!ref)
    return createStringError("a binding is neither a sched.alloc nor a sched.ref");
  mlir::Operation *target = symbols.lookup(ref.getSymbol());
  if (sched::BufferOp buffer = dyn_cast_if_present<sched::BufferOp>(target))
    return arenaRange(buffer, buffer.getOffset(), buffer.getType());
  if (sched::CacheOp cache = dyn_cast_if_present<sched::CacheOp>(target))
    return package::Binding(package::Space::cache, cacheIndex.lookup(cache.getSymName()), 0, cacheBytes(cache));
  if (sched::WeightOp weight = dyn_cast_if_present<sched::WeightOp>(target)) {
    if (!weight.getOffset() || !weight.getBytes())
      return fail(weight, "has no offset; run --sinter-plan-weights");
    return package::Binding(package::Space::weights, 0, *weight.getOffset(), *weight.getBytes());
  }
  return fail(ref, "refers to @" + ref.getSymbol() + ", which is not a sched.weight, sched.cache or sched.buffer");
}

Expected<fb::Offset<package::Dispatch>> ManifestBuilder::dispatch(sched::DispatchOp op) {
  std::vector<package::Binding> bindings;
  for (auto [i, operand] : enumerate(op.getBindings())) {
    Expected<package::Binding> binding = place(operand);
    if (!binding)
      return binding.takeError();
    const uint64_t begin = op.getParts() ? (*op.getParts())[2 * i] : 0, size = op.getParts() ? (*op.getParts())[2 * i + 1] : 0;
    if ((begin && begin >= binding->size()) || size > binding->size() - begin) // tensors may be empty, parts not
      return fail(op, "binds " + Twine(size) + " bytes from byte " + Twine(begin) + " on of " + Twine(binding->size()));
    bindings.emplace_back(binding->space(), binding->index(), binding->offset() + begin,
                          size ? size : binding->size() - begin);
  }
  auto kernel = kernelIndex.find(op.getKernel());
  if (kernel == kernelIndex.end())
    return fail(op, "there is no sched.kernel @" + op.getKernel());
  if (int64_t(op.getUnits()) <= 0 || op.getUnits() > UINT32_MAX || op.getTokensPerUnit() > UINT32_MAX)
    return fail(op, "has " + Twine(op.getUnits()) + " units per " + Twine(op.getTokensPerUnit()) + " tokens");
  const int64_t tapBinding = op.getTap() ? int64_t(op.getTapBinding().value_or(-1)) : 0;
  if (tapBinding < 0 || tapBinding >= int64_t(std::max<size_t>(bindings.size(), 1)) || tapBinding > UINT8_MAX)
    return fail(op, "taps binding " + Twine(tapBinding) + " of " + Twine(bindings.size()));
  const package::Grid grid(op.getUnits(), op.getTokensPerUnit());
  fb::Offset<fb::String> tap = op.getTap() ? out.CreateString(op.getTap()->str()) : 0;
  fb::Offset<fb::Vector<const package::Binding *>> list = out.CreateVectorOfStructs(bindings);
  return package::CreateDispatch(out, kernel->second, &grid, list, op.getBarrier(), tap, uint8_t(tapBinding),
                                 int64_t(op.getRows()), int64_t(op.getSequence()));
}

Expected<fb::Offset<package::Entry>> ManifestBuilder::entry(sched::FuncOp function) {
  std::vector<fb::Offset<package::Dispatch>> dispatches;
  for (sched::DispatchOp op : function.getOps<sched::DispatchOp>()) {
    Expected<fb::Offset<package::Dispatch>> built = dispatch(op);
    if (!built)
      return built.takeError();
    dispatches.push_back(*built);
  }
  const bool onGpu = function.getDevice() == sched::Device::gpu;
  StringRef symbol = function.getSymName();
  symbol.consume_front("gpu.");
  fb::Offset<fb::String> name = out.CreateString(symbol.str());
  return package::CreateEntry(out, name, uint32_t(function.getMaxTokens()), out.CreateVector(dispatches),
                              onGpu ? package::Device::gpu : package::Device::cpu);
}

fb::Offset<package::Cache> ManifestBuilder::cache(sched::CacheOp op) {
  const package::ElementType element = op.getElement().isF32()   ? package::ElementType::f32
                                       : op.getElement().isF16() ? package::ElementType::f16
                                                                 : package::ElementType::q8;
  return package::CreateCache(out, out.CreateString(op.getSymName().str()), element, uint32_t(op.getKvHeads()),
                              uint32_t(op.getHeadDim()), uint32_t(sched::CacheOp::kTileTokens), op.getTileBytes(),
                              uint32_t(op.getCapacity()), uint32_t(op.getWindow()));
}

fb::Offset<package::Code> ManifestBuilder::code(const CompiledKernels &kernels, const PackageLayout::Section &section) {
  const package::Range place = range(section);
  const uint64_t checksum = checksum64(kernels.image.data(), kernels.image.size());
  if (kernels.target->isGpu()) {
    std::vector<fb::Offset<package::GpuKernel>> modules;
    uint64_t features = 0;
    for (const GpuModule &module : kernels.modules) {
      const package::Range bytes(module.offset, module.size);
      features |= module.features;
      modules.push_back(package::CreateGpuKernel(out, &bytes, module.workgroup, module.workgroupBytes, module.features,
                                                 out.CreateVector(module.slots), module.sharesWorkgroups));
    }
    return package::CreateCode(out, out.CreateString(kernels.target->name.str()),
                               package::Machine(kernels.target->machine), features, kernels.target->priority, &place,
                               checksum, 0, 0, 0, out.CreateVector(modules));
  }
  fb::Offset<fb::String> target = out.CreateString(kernels.target->name.str());
  return package::CreateCode(out, target, package::Machine(kernels.target->machine), kernels.target->requiredFeatures,
                             kernels.target->priority, &place, checksum,
                             out.CreateVector(kernels.entries), out.CreateVector(kernels.scratchBytes),
                             out.CreateVector(kernels.stackBytes));
}

fb::Offset<package::Work> ManifestBuilder::work(kern::SpecInterface spec) {
  const kern::Work work = spec.getWork();
  StringRef kind = spec.getAbstractAttribute().getName(); // "kern.linear"
  kind.consume_front("kern.");
  return package::CreateWork(out, out.CreateString(kind.str()), work.int8, work.weightBytes, work.tokenWeightBytes,
                             work.tokenMultiplyAdds, work.positionCacheBytes, work.positionMultiplyAdds, work.window);
}

fb::Offset<package::Yardstick> ManifestBuilder::yardstick(kern::YardstickAttr spec, uint16_t kernel) {
  return package::CreateYardstick(out, out.CreateString(kern::stringifyYardstickKind(spec.getKind()).str()), kernel,
                                  spec.getUnitBytes(), spec.getSharedBytes(), spec.getUnitMultiplyAdds());
}

fb::Offset<package::Model> ManifestBuilder::model() {
  const ModelInfo &info = contents.info;
  const GenerationDefaults &defaults = info.generation;
  std::vector<fb::Offset<package::FormatUse>> uses;
  for (const FormatUse &use : formats)
    uses.push_back(package::CreateFormatUse(out, out.CreateString(use.format), use.parameters, use.bytes));
  fb::Offset<package::Generation> generation =
      package::CreateGeneration(out, defaults.doSample, defaults.temperature, defaults.topK, defaults.topP,
                                defaults.minP, defaults.repetitionPenalty);
  fb::Offset<fb::String> name = out.CreateString(info.name), family = out.CreateString(info.family);
  return package::CreateModel(out, name, family, uint32_t(info.vocab), uint32_t(info.hidden), uint32_t(info.layers),
                              uint32_t(info.trainedContext), info.parameters, info.bos, out.CreateVector(info.eos),
                              generation, out.CreateVector(uses));
}

bool ManifestBuilder::hasBuffer(sched::Role role) {
  mlir::ModuleOp module = contents.module;
  return any_of(module.getOps<sched::BufferOp>(), [&](sched::BufferOp buffer) { return buffer.getRole() == role; });
}

Expected<package::Binding> ManifestBuilder::roleBuffer(sched::Role role, mlir::MemRefType *type) {
  mlir::ModuleOp module = contents.module;
  for (sched::BufferOp buffer : module.getOps<sched::BufferOp>())
    if (buffer.getRole() == role) {
      if (type)
        *type = cast<mlir::MemRefType>(buffer.getType());
      return arenaRange(buffer, buffer.getOffset(), buffer.getType());
    }
  return createStringError("the module has no sched.buffer for " + sched::stringifyRole(role));
}

// `output`: of the head's buffer, if there is a head.
Expected<fb::Offset<package::Encoder>> ManifestBuilder::encoder(const std::optional<mlir::MemRefType> &output) {
  if (!contents.info.encoder)
    return fb::Offset<package::Encoder>();
  const EncoderInfo &info = *contents.info.encoder;
  std::optional<package::Binding> types;
  if (hasBuffer(sched::Role::types)) {
    Expected<package::Binding> buffer = roleBuffer(sched::Role::types);
    if (!buffer)
      return buffer.takeError();
    types = *buffer;
  }
  const int64_t stride = output ? output->getShape().back() : kern::rowStride(contents.info.hidden);
  fb::Offset<fb::String> pooling = out.CreateString(info.pooling);
  fb::Offset<fb::Vector<fb::Offset<fb::String>>> labels = out.CreateVectorOfStrings(info.labels);
  return package::CreateEncoder(out, package::Task(info.task), uint32_t(info.outputWidth), uint32_t(stride), pooling,
                                info.unit, types ? &*types : nullptr, uint32_t(info.types), labels,
                                info.multiLabel);
}

// By the names that frontends give element types, in the order of package::TensorType.
static Expected<package::TensorType> typeNamed(sched::PortOp port) {
  static constexpr StringLiteral names[] = {"f32", "f16", "bf16", "f64", "i8",  "u8",  "i16",
                                            "u16", "i32", "u32",  "i64", "u64", "bool"};
  for (auto [number, name] : enumerate(names))
    if (port.getType() == name)
      return package::TensorType(number);
  return createStringError("sched.port \"" + port.getName() + "\" has elements of type " + port.getType() +
                           ", which a program cannot take or give");
}

// Inputs, outputs and run-time dimensions of @exec.
Expected<fb::Offset<package::Program>> ManifestBuilder::program() {
  mlir::ModuleOp module = contents.module;
  std::vector<fb::Offset<package::Dimension>> dimensions;
  for (sched::DimOp dim : module.getOps<sched::DimOp>())
    dimensions.push_back(package::CreateDimension(out, out.CreateString(dim.getName().str()), dim.getMax()));
  std::vector<fb::Offset<package::Port>> ports[2];
  for (sched::PortOp port : module.getOps<sched::PortOp>()) {
    sched::BufferOp buffer = symbols.lookup<sched::BufferOp>(port.getBuffer());
    if (!buffer)
      return fail(port, "refers to @" + port.getBuffer() + ", which is not a sched.buffer");
    Expected<package::Binding> place = arenaRange(buffer, buffer.getOffset(), buffer.getType());
    if (!place)
      return place.takeError();
    Expected<package::TensorType> type = typeNamed(port);
    if (!type)
      return type.takeError();
    fb::Offset<fb::String> name = out.CreateString(port.getName().str());
    ports[port.getOutput()].push_back(package::CreatePort(
        out, name, *type, out.CreateVector(port.getDims().data(), port.getDims().size()), &*place));
  }
  std::vector<fb::Offset<package::Check>> checks;
  for (sched::CheckOp check : module.getOps<sched::CheckOp>())
    checks.push_back(package::CreateCheck(out, uint32_t(check.getLeft()), uint32_t(check.getRight()),
                                          out.CreateString(check.getMessage().str())));
  std::optional<package::Binding> sizes, rows;
  for (auto [role, found] : {std::pair(sched::Role::sizes, &sizes), std::pair(sched::Role::rows, &rows)})
    if (hasBuffer(role)) {
      Expected<package::Binding> place = roleBuffer(role);
      if (!place)
        return place.takeError();
      *found = *place;
    }
  return package::CreateProgram(out, out.CreateVector(dimensions), out.CreateVector(ports[0]),
                                out.CreateVector(ports[1]), sizes ? &*sizes : nullptr, out.CreateVector(checks), rows ? &*rows : nullptr);
}

Expected<std::vector<uint8_t>> ManifestBuilder::build() {
  mlir::ModuleOp module = contents.module;
  auto plans = module.getOps<sched::PlanOp>();
  if (plans.empty() || !(*plans.begin()).getArenaBytes())
    return createStringError("the module has no sched.plan with the arena's size; run --sinter-plan-memory");
  sched::PlanOp plan = *plans.begin();

  std::vector<std::string> kernels;
  std::vector<fb::Offset<package::Work>> works;
  std::vector<fb::Offset<package::Yardstick>> yardsticks;
  for (sched::KernelOp kernel : module.getOps<sched::KernelOp>()) {
    kernelIndex[kernel.getSymName()] = uint16_t(kernels.size());
    kernels.push_back(kernel.getSymName().str());
    works.push_back(work(cast<kern::SpecInterface>(kernel.getSpec())));
    if (kern::YardstickAttr spec = dyn_cast<kern::YardstickAttr>(kernel.getSpec()))
      yardsticks.push_back(yardstick(spec, kernelIndex[kernel.getSymName()]));
  }
  if (kernels.size() > UINT16_MAX)
    return createStringError("the module has " + Twine(kernels.size()) + " kernels, at most 65535 are possible");
  std::vector<fb::Offset<package::Cache>> caches;
  for (sched::CacheOp op : module.getOps<sched::CacheOp>()) {
    cacheIndex[op.getSymName()] = uint16_t(caches.size());
    caches.push_back(cache(op));
  }
  std::vector<fb::Offset<package::Entry>> entries;
  for (sched::FuncOp function : module.getOps<sched::FuncOp>()) {
    Expected<fb::Offset<package::Entry>> built = entry(function);
    if (!built)
      return built.takeError();
    entries.push_back(*built);
  }
  std::vector<fb::Offset<package::Code>> codes;
  for (auto [compiled, section] : zip_equal(contents.code, layout.code))
    codes.push_back(code(compiled, section));

  // What takes tokens has places for them; a program has ports instead.
  const bool isProgram = !module.getOps<sched::PortOp>().empty();
  std::optional<package::Binding> tokens, hidden, logits;
  uint32_t hiddenStride = 0;
  fb::Offset<package::Program> ports = 0;
  fb::Offset<package::Encoder> encoderFacts = 0;
  if (isProgram) {
    Expected<fb::Offset<package::Program>> built = program();
    if (!built)
      return built.takeError();
    ports = *built;
  } else {
    mlir::MemRefType hiddenType, logitsType;
    struct Place {
      sched::Role role;
      std::optional<package::Binding> *place;
      mlir::MemRefType *type;
    };
    const bool hasLogits = hasBuffer(sched::Role::logits);
    for (Place each : {Place{sched::Role::tokens, &tokens, nullptr}, Place{sched::Role::hidden, &hidden, &hiddenType},
                       Place{sched::Role::logits, &logits, &logitsType}}) {
      // Only an encoder may do without a head.
      if (each.role == sched::Role::logits && contents.info.encoder && !hasLogits)
        continue;
      Expected<package::Binding> found = roleBuffer(each.role, each.type);
      if (!found)
        return found.takeError();
      *each.place = *found;
    }
    hiddenStride = uint32_t(hiddenType.getShape().back());
    Expected<fb::Offset<package::Encoder>> facts =
        encoder(logits ? std::optional<mlir::MemRefType>(logitsType) : std::nullopt);
    if (!facts)
      return facts.takeError();
    encoderFacts = *facts;
  }
  auto orNull = [](const std::optional<package::Binding> &place) { return place ? &*place : nullptr; };
  std::optional<package::Binding> greedy; // only entries for GPUs have it
  if (hasBuffer(sched::Role::greedy)) {
    Expected<package::Binding> buffer = roleBuffer(sched::Role::greedy);
    if (!buffer)
      return buffer.takeError();
    greedy = *buffer;
  }

  fb::Offset<fb::String> compiler = out.CreateString("sinter " SINTER_VERSION);
  fb::Offset<fb::String> chatTemplate = contents.chatTemplate.empty() ? 0 : out.CreateString(contents.chatTemplate);
  fb::Offset<package::Model> facts = model();
  fb::Offset<fb::Vector<fb::Offset<fb::String>>> names = out.CreateVectorOfStrings(kernels);
  fb::Offset<fb::Vector<fb::Offset<package::Code>>> codeList = out.CreateVector(codes);
  fb::Offset<fb::Vector<fb::Offset<package::Cache>>> cacheList = out.CreateVector(caches);
  fb::Offset<fb::Vector<fb::Offset<package::Entry>>> entryList = out.CreateVector(entries);
  fb::Offset<fb::Vector<fb::Offset<package::Work>>> workList = out.CreateVector(works);
  fb::Offset<fb::Vector<fb::Offset<package::Yardstick>>> yardstickList = out.CreateVector(yardsticks);
  const package::Range weights = range(layout.weights), tokenizer = range(layout.tokenizer);
  const uint64_t tokenizerChecksum =
      contents.tokenizer.empty() ? 0 : checksum64(contents.tokenizer.data(), contents.tokenizer.size());
  out.Finish(package::CreateManifest(out, compiler, facts, uint32_t(plan.getContext()), &weights,
                                     layout.weightsChecksum, &tokenizer, tokenizerChecksum, chatTemplate,
                                     *plan.getArenaBytes(), names, codeList, cacheList, entryList, orNull(tokens),
                                     orNull(hidden), hiddenStride, orNull(logits), workList, yardstickList, encoderFacts,
                                     orNull(greedy), ports));
  return std::vector<uint8_t>(out.GetBufferPointer(), out.GetBufferPointer() + out.GetSize());
}

Expected<std::vector<uint8_t>> buildManifest(const PackageContents &contents, const PackageLayout &layout,
                                             ArrayRef<FormatUse> formats) {
  return ManifestBuilder(contents, layout, formats).build();
}

} // namespace sinter
