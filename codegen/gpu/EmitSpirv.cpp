// Serializes spirv.modules and reads from each what the runtime must know before it makes a pipeline of it: size of the
// workgroup, shared memory, and what the device must be able to do. Adds the size of workgroups that is made of a
// specialization constant (ShareWorkgroups.cpp).

#include "codegen/gpu/EmitSpirv.h"

#include "codegen/gpu/GpuLowering.h"
#include "runtime/package_generated.h"

#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Target/SPIRV/Serialization.h"

#include <cassert>
#include <cstring>

using namespace mlir;

namespace sinter {

// What a device has to support besides Vulkan 1.1 for a module that asks for a capability.
static FailureOr<uint64_t> featureOf(spirv::ModuleOp module, spirv::Capability capability) {
  switch (capability) {
  case spirv::Capability::Shader:
  case spirv::Capability::Matrix:
    return 0;
  case spirv::Capability::StorageBuffer16BitAccess:
    return uint64_t(package::GpuFeature::storage_16bit);
  case spirv::Capability::StorageBuffer8BitAccess:
    return uint64_t(package::GpuFeature::storage_8bit);
  default:
    return module.emitError() << "needs the capability " << spirv::stringifyCapability(capability)
                              << ", which the runtime does not know";
  }
}

static uint64_t bytesOf(Type type) {
  if (spirv::StructType members = dyn_cast<spirv::StructType>(type)) {
    uint64_t bytes = 0;
    for (Type member : members.getElementTypes())
      bytes += bytesOf(member);
    return bytes;
  }
  if (spirv::ArrayType array = dyn_cast<spirv::ArrayType>(type))
    return array.getNumElements() * bytesOf(array.getElementType());
  return (type.getIntOrFloatBitWidth() + 7) / 8;
}

static uint64_t workgroupBytes(spirv::ModuleOp module) {
  uint64_t bytes = 0;
  for (spirv::GlobalVariableOp variable : module.getOps<spirv::GlobalVariableOp>()) {
    spirv::PointerType pointer = cast<spirv::PointerType>(variable.getType());
    if (pointer.getStorageClass() == spirv::StorageClass::Workgroup)
      bytes += bytesOf(pointer.getPointeeType());
  }
  return bytes;
}

namespace {

// The few opcodes and numbers of the SPIR-V specification that follow.
enum Opcode : uint32_t { opTypeInt = 21, opTypeVector = 23, opConstant = 43, opSpecConstant = 50, opSpecConstantComposite = 51,
                         opFunction = 54, opDecorate = 71 };
constexpr uint32_t kBuiltIn = 11, kWorkgroupSize = 25, kHeaderWords = 5, kBoundWord = 3;

constexpr uint32_t start(Opcode opcode, uint32_t words) { return words << 16 | opcode; }

// Makes (width, the module's one specialization constant, 1) the size of workgroups.
void addWorkgroupSize(SmallVectorImpl<uint32_t> &words, uint32_t width) {
  uint32_t integer = 0, constant = 0, triple = 0;
  size_t decorations = 0, functions = 0; // where the last decoration ends, where the first function begins
  for (size_t at = kHeaderWords; at < words.size() && !functions; at += words[at] >> 16) {
    const uint32_t opcode = words[at] & 0xffff;
    if (opcode == opDecorate)
      decorations = at + (words[at] >> 16);
    if (opcode == opSpecConstant)
      integer = words[at + 1], constant = words[at + 2];
    if (opcode == opFunction)
      functions = at;
  }
  for (size_t at = kHeaderWords; at < functions; at += words[at] >> 16)
    if (words[at] == start(opTypeVector, 4) && words[at + 2] == integer && words[at + 3] == 3)
      triple = words[at + 1];
  // A kernel that knows its unit has loaded a vector of three.
  assert(integer && triple && decorations && "ShareWorkgroups.cpp was here");
  const uint32_t lanes = words[kBoundWord]++, one = words[kBoundWord]++, size = words[kBoundWord]++;
  const uint32_t constants[] = {start(opConstant, 4), integer, lanes, width, start(opConstant, 4), integer, one, 1,
                                start(opSpecConstantComposite, 6), triple, size, lanes, constant, one};
  const uint32_t decoration[] = {start(opDecorate, 4), size, kBuiltIn, kWorkgroupSize};
  words.insert(words.begin() + functions, std::begin(constants), std::end(constants));
  words.insert(words.begin() + decorations, std::begin(decoration), std::end(decoration));
}

} // namespace

LogicalResult emitSpirv(ModuleOp module, std::vector<uint8_t> &image, llvm::StringMap<GpuModule> &modules) {
  for (spirv::ModuleOp kernel : module.getOps<spirv::ModuleOp>()) {
    spirv::EntryPointOp entry = *kernel.getOps<spirv::EntryPointOp>().begin();
    GpuModule &result = modules[entry.getFn()];
    spirv::FuncOp function = kernel.lookupSymbol<spirv::FuncOp>(entry.getFn());
    for (Attribute slot : function->getAttrOfType<ArrayAttr>(kSlotsAttr))
      result.slots.push_back(uint8_t(cast<IntegerAttr>(slot).getInt()));
    for (spirv::ExecutionModeOp mode : kernel.getOps<spirv::ExecutionModeOp>())
      if (mode.getExecutionMode() == spirv::ExecutionMode::LocalSize)
        result.workgroup = uint32_t(cast<IntegerAttr>(mode.getValues()[0]).getInt());
    for (spirv::Capability capability : kernel.getVceTriple()->getCapabilities()) {
      FailureOr<uint64_t> feature = featureOf(kernel, capability);
      if (failed(feature))
        return failure();
      result.features |= *feature;
    }
    result.workgroupBytes = uint32_t(workgroupBytes(kernel));

    SmallVector<uint32_t> words;
    spirv::SerializationOptions options;
    options.emitSymbolName = false;
    if (failed(spirv::serialize(kernel, words, options)))
      return failure();
    result.sharesWorkgroups = !kernel.getOps<spirv::SpecConstantOp>().empty();
    if (result.sharesWorkgroups)
      addWorkgroupSize(words, result.workgroup);
    result.offset = image.size();
    result.size = words.size() * sizeof(uint32_t);
    image.resize(image.size() + result.size);
    memcpy(image.data() + result.offset, words.data(), result.size);
  }
  return success();
}

} // namespace sinter
