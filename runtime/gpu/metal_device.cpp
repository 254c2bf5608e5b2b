// Opens the system's default device, allocates buffers and compiles kernels. On devices that share the CPU's memory every
// buffer is seen by both, and weights are written where they stay; on the others they go through a copy.
//
// Texts are compiled without fast mathematics: kernels round by adding a large number and subtracting it again, which it
// would take for nothing.

#include "runtime/gpu/metal_device.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

namespace sinter::metal {

namespace {

// Values of Metal's and Foundation's enumerations, which are part of their binary interface.
constexpr Word kStorageShared = 0, kStoragePrivate = 2 << 4, kWriteCombined = 1; // MTLResourceOptions
constexpr Word kLanguage23 = (2 << 16) + 3;                                      // MTLLanguageVersion
constexpr Word kUtf8 = 4;                                                        // NSStringEncoding

// Limits that the interface documents but does not tell: arguments of a function, and the alignment of the largest type.
constexpr uint32_t kMostBuffers = 31, kAlignment = 16, kSimdWidth = 32;

const Device &deviceOf(void *device) { return *static_cast<const Device *>(device); }

void copyName(id device, char *text, size_t capacity) {
  Pool pool;
  const char *name = send<const char *>(send(device, "name"), "UTF8String");
  snprintf(text, capacity, "%s", name ? name : "unnamed");
}

uint64_t memoryOf(id device) {
  SEL working = sel_registerName("recommendedMaxWorkingSetSize"); // iOS has it since 16
  bool told = send<bool>(device, "respondsToSelector:", working);
  return told ? send<uint64_t>(device, working) : send<Word>(device, "maxBufferLength");
}

} // namespace

const char *textOf(id error) {
  const char *text = error ? send<const char *>(send(error, "localizedDescription"), "UTF8String") : nullptr;
  return text ? text : "no reason is given";
}

id defaultDevice() {
  Pool pool;
  return MTLCreateSystemDefaultDevice();
}

void describe(id device, sinter_device_info *info) {
  *info = {};
  copyName(device, info->name, sizeof(info->name));
  info->kind = send<bool>(device, "hasUnifiedMemory") ? SINTER_DEVICE_INTEGRATED : SINTER_DEVICE_DISCRETE;
  info->memory_bytes = memoryOf(device);
  info->largest_range = send<Word>(device, "maxBufferLength");
  info->shared_bytes = uint32_t(send<Word>(device, "maxThreadgroupMemoryLength"));
  info->subgroup_size = kSimdWidth;
}

sinter_status openDevice(uint32_t index, void **result, gpu::Limits *limits, sinter_error *error) {
  id handle = defaultDevice();
  if (!handle)
    return fail(error, SINTER_ERROR_DEVICE, "metal: there is no device for Metal on this machine");
  if (index > 0) {
    release(handle);
    return fail(error, SINTER_ERROR_ARGUMENT, "metal: device %u was asked for, there is 1", index);
  }
  id queue = send(handle, "newCommandQueue");
  Device *device = static_cast<Device *>(calloc(1, sizeof(Device)));
  if (!queue || !device) {
    release(queue);
    release(handle);
    free(device);
    return fail(error, SINTER_ERROR_MEMORY, "metal: no memory for a command queue");
  }
  *device = {handle,
             queue,
             send<bool>(handle, "hasUnifiedMemory"),
             sel_registerName("setComputePipelineState:"),
             sel_registerName("setBuffers:offsets:withRange:"),
             sel_registerName("dispatchThreadgroups:threadsPerThreadgroup:"),
             sel_registerName("memoryBarrierWithScope:")};
  copyName(handle, limits->name, sizeof(limits->name));
  limits->features = UINT64_MAX; // texts need no feature
  limits->largestBuffer = limits->largestRange = send<Word>(handle, "maxBufferLength");
  limits->rangeAlignment = kAlignment;
  limits->buffers = kMostBuffers;
  limits->workgroup = UINT32_MAX; // depends on the kernel: createPipeline
  limits->workgroupBytes = uint32_t(send<Word>(handle, "maxThreadgroupMemoryLength"));
  limits->workgroups = UINT32_MAX;
  *result = device;
  return SINTER_OK;
}

void closeDevice(void *opened) {
  release(deviceOf(opened).queue);
  release(deviceOf(opened).handle);
  free(opened);
}

//===-- Buffers ---------------------------------------------------------------------------------------------------===//

sinter_status createBuffer(void *opened, const char *what, uint64_t size, gpu::Residence residence, gpu::Buffer *buffer,
                           sinter_error *error) {
  const Device &device = deviceOf(opened);
  bool seen = device.unified || residence != gpu::Residence::device;
  Word options = !seen                                   ? kStoragePrivate
                 : residence == gpu::Residence::upload ? kStorageShared | kWriteCombined
                                                         : kStorageShared;
  // Beyond the largest size it is an error of the program, not a null result.
  bool possible = size <= send<Word>(device.handle, "maxBufferLength");
  id handle = possible ? send(device.handle, "newBufferWithLength:options:", Word(size), options) : nullptr;
  if (!handle) {
    char name[64];
    copyName(device.handle, name, sizeof(name));
    return fail(error, SINTER_ERROR_MEMORY, "metal: out of memory: no %" PRIu64 " bytes on %s for %s", size, name, what);
  }
  *buffer = {handle, seen ? send<uint8_t *>(handle, "contents") : nullptr, size};
  return SINTER_OK;
}

void destroyBuffer(void *, gpu::Buffer *buffer) {
  release(static_cast<id>(buffer->object));
  *buffer = {};
}

//===-- Pipelines -------------------------------------------------------------------------------------------------===//

namespace {

id makeString(const void *bytes, uint64_t size) {
  return send(send(objc_getClass("NSString"), "alloc"), "initWithBytes:length:encoding:", bytes, Word(size), kUtf8);
}

// The kernel's function, retained; null with the reason.
id compile(const Device &device, const gpu::Module &module, sinter_error *error) {
  id text = makeString(module.bytes, module.size);
  id options = send(objc_getClass("MTLCompileOptions"), "new");
  send<void>(options, "setFastMathEnabled:", false);
  send<void>(options, "setLanguageVersion:", kLanguage23);
  id reason = nullptr;
  id library = send(device.handle, "newLibraryWithSource:options:error:", text, options, &reason);
  release(options);
  release(text);
  if (!library) {
    fail(error, SINTER_ERROR_DEVICE, "metal: kernel '%.40s' does not compile: %.160s", module.name, textOf(reason));
    return nullptr;
  }
  id name = makeString(module.name, __builtin_strlen(module.name));
  id function = send(library, "newFunctionWithName:", name);
  release(name);
  release(library);
  if (!function)
    fail(error, SINTER_ERROR_FORMAT, "metal: the text of kernel '%.40s' has no function of this name", module.name);
  return function;
}

} // namespace

sinter_status createPipeline(void *opened, const gpu::Module &module, void **result, sinter_error *error) {
  const Device &device = deviceOf(opened);
  Pool pool;
  id function = compile(device, module, error);
  if (!function)
    return error ? error->status : SINTER_ERROR_DEVICE;
  id reason = nullptr;
  id state = send(device.handle, "newComputePipelineStateWithFunction:error:", function, &reason);
  release(function);
  if (!state)
    return fail(error, SINTER_ERROR_DEVICE, "metal: kernel '%.40s' makes no pipeline: %.160s", module.name,
                textOf(reason));
  Word most = send<Word>(state, "maxTotalThreadsPerThreadgroup");
  if (module.workgroup > most) {
    release(state);
    return fail(error, SINTER_ERROR_UNSUPPORTED, "metal: kernel '%.40s' has workgroups of %u, the device allows %lu",
                module.name, module.workgroup, most);
  }
  Pipeline *pipeline = static_cast<Pipeline *>(calloc(1, sizeof(Pipeline)));
  if (!pipeline) {
    release(state);
    return fail(error, SINTER_ERROR_MEMORY, "no memory for a kernel");
  }
  *pipeline = {state, module.workgroup, module.buffers};
  *result = pipeline;
  return SINTER_OK;
}

void destroyPipeline(void *, void *made) {
  release(static_cast<Pipeline *>(made)->state);
  free(made);
}

} // namespace sinter::metal
