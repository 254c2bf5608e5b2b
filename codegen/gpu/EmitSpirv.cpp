// Serializes spirv.modules and reads from each what the runtime must know before it makes a pipeline of it: size of the
// workgroup, shared memory, and what the device must be able to do.

#include "codegen/gpu/EmitSpirv.h"

#include "codegen/gpu/GpuLowering.h"
#include "runtime/package_generated.h"

#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Target/SPIRV/Serialization.h"

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
    result.offset = image.size();
    result.size = words.size() * sizeof(uint32_t);
    image.resize(image.size() + result.size);
    memcpy(image.data() + result.offset, words.data(), result.size);
  }
  return success();
}

} // namespace sinter
