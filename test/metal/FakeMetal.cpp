// The machine: objects with counted references, methods in a table by class and selector, command buffers that keep what
// was recorded until they are committed. Between barriers of a concurrent encoder, dispatches run in the machine's order:
// two that needed a barrier between them give wrong numbers in one of the two.

#include "test/metal/FakeMetal.h"

#include "runtime/gpu/metal_objc.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <sstream>
#include <sys/mman.h>
#include <unistd.h>

using namespace sinter::metal;
using sinter::test::FakeMetal;
using sinter::test::fakeMetal;
using sinter::test::MslOrder;
using sinter::test::MslProgram;

namespace {

[[noreturn]] void misuse(const std::string &what) {
  std::fprintf(stderr, "metal stand-in: %s\n", what.c_str());
  std::abort();
}

void require(bool holds, const char *what) {
  if (!holds)
    misuse(what);
}

} // namespace

FakeMetal::FakeMetal() {
  const char *text = std::getenv("METAL_STAND_IN");
  std::stringstream wishes(text ? text : "");
  for (std::string wish; std::getline(wishes, wish, ',');) {
    size_t equals = std::min(wish.find('='), wish.size());
    std::string name = wish.substr(0, equals);
    uint64_t number = equals < wish.size() ? std::strtoull(wish.c_str() + equals + 1, nullptr, 10) : 0;
    if (name == "absent")
      present = false;
    else if (name == "card")
      unified = false;
    else if (name == "memory")
      memory = number;
    else if (name == "threads")
      mostThreads = number;
    else if (name == "steps")
      steps = number;
    else if (name == "fault")
      fault = long(number);
    else if (name == "unordered")
      dropsBarriers = true;
    else if (name == "broken")
      breaksTexts = true;
    else if (name == "backward")
      order = MslOrder::backward;
    else
      misuse("METAL_STAND_IN says '" + wish + "'");
  }
}

FakeMetal::~FakeMetal() {
  if (objects)
    misuse(std::to_string(objects) + " objects were not released");
}

FakeMetal &sinter::test::fakeMetal() {
  static FakeMetal machine;
  return machine;
}

//===-- Objects ---------------------------------------------------------------------------------------------------===//

namespace {

enum class Kind {
  stringClass, optionsClass, string, options, device, queue, buffer, library, function, pipeline, commands, compute, blit,
  error
};
} // namespace

struct sinter::metal::objc_object {
  explicit objc_object(Kind kind) : kind(kind) { ++fakeMetal().objects; }
  objc_object(const objc_object &) = delete;
  virtual ~objc_object() { --fakeMetal().objects; }
  Kind kind;
  int references = 1;
};
struct sinter::metal::objc_selector {
  std::string name;
};

namespace {

using Object = sinter::metal::objc_object;

struct String : Object {
  String() : Object(Kind::string) {}
  std::string text;
};

struct Options : Object {
  Options() : Object(Kind::options) {}
  bool fast = true;
  Word version = 0;
};

struct MetalBuffer : Object {
  MetalBuffer(uint64_t size, bool hidden) : Object(Kind::buffer), size(size), hidden(hidden) {
    uint64_t page = uint64_t(sysconf(_SC_PAGESIZE));
    usable = (size + page - 1) / page * page;
    pages = static_cast<uint8_t *>(mmap(nullptr, usable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    require(pages != MAP_FAILED, "no memory for the tests");
    mprotect(pages + usable, page, PROT_NONE); // what reads past the end crashes
    data = pages + (usable - size) / 16 * 16;
    std::memset(data, 0xfe, size);
  }
  ~MetalBuffer() override {
    fakeMetal().memory += size;
    munmap(pages, usable + uint64_t(sysconf(_SC_PAGESIZE)));
  }
  uint64_t size, usable;
  bool hidden;
  uint8_t *pages, *data;
};

struct Library : Object {
  Library() : Object(Kind::library) {}
  std::string text;
};

struct Function : Object {
  Function() : Object(Kind::function) {}
  std::shared_ptr<MslProgram> program;
};

struct MetalPipeline : Object {
  MetalPipeline() : Object(Kind::pipeline) {}
  std::shared_ptr<MslProgram> program;
};

struct Error : Object {
  Error(std::string text, long code) : Object(Kind::error), text(std::move(text)), code(code) {}
  std::string text;
  long code;
};

struct Command {
  MslProgram *program = nullptr; // null: a barrier, or `action`
  std::vector<void *> buffers;
  uint32_t workgroups = 0, workgroup = 0;
  void (*action)(const Command &) = nullptr;
  uint8_t *to = nullptr;
  const uint8_t *from = nullptr; // null: zeros
  uint64_t size = 0;
};

struct Commands : Object {
  Commands() : Object(Kind::commands) {}
  std::vector<Command> list;
  Object *open = nullptr; // its encoder
  bool committed = false;
  Word status = 0;
};

struct Encoder : Object {
  Encoder(Kind kind, Commands *commands) : Object(kind), commands(commands) {}
  Commands *commands;
  MetalPipeline *pipeline = nullptr;
  std::vector<void *> buffers;
};

std::vector<std::vector<Object *>> pools;

Object *autoreleased(Object *object) {
  require(!pools.empty(), "an object is returned without a pool around it, which leaks");
  pools.back().push_back(object);
  return object;
}

template <class T> T *as(id object) { return static_cast<T *>(object); }

void drop(id object) {
  require(object->references > 0, "an object is released too often");
  if (--object->references == 0)
    delete object;
}

//===-- Methods ---------------------------------------------------------------------------------------------------===//

id retainObject(id self, SEL) {
  ++self->references;
  return self;
}
void releaseObject(id self, SEL) { drop(self); }

id allocString(id, SEL) { return new String; }
id initString(id self, SEL, const void *bytes, Word size, Word encoding) {
  require(encoding == 4, "a string that is not UTF-8");
  as<String>(self)->text.assign(static_cast<const char *>(bytes), size);
  return self;
}
const char *stringText(id self, SEL) { return as<String>(self)->text.c_str(); }
id makeString(const std::string &text) {
  String *string = new String;
  string->text = text;
  return autoreleased(string);
}

id newOptions(id, SEL) { return new Options; }
void setFast(id self, SEL, bool fast) { as<Options>(self)->fast = fast; }
void setVersion(id self, SEL, Word version) { as<Options>(self)->version = version; }

id deviceName(id, SEL) { return makeString("Stand-in GPU"); }
bool isUnified(id, SEL) { return fakeMetal().unified; }
constexpr Word kLargestBuffer = 1 << 30;
Word largestBuffer(id, SEL) { return kLargestBuffer; }
Word threadgroupMemory(id, SEL) { return 32 << 10; }
bool responds(id, SEL, SEL selector) { return selector->name == "recommendedMaxWorkingSetSize"; }
uint64_t workingSet(id, SEL) { return uint64_t(1) << 33; }
id newQueue(id, SEL) { return new Object(Kind::queue); }

id newBuffer(id, SEL, Word size, Word options) {
  require(size > 0 && size <= kLargestBuffer, "a buffer of a size that is not allowed");
  require(options == 0 || options == 1 || options == 32, "a buffer with unknown options");
  if (size > fakeMetal().memory)
    return nullptr;
  fakeMetal().memory -= size;
  return new MetalBuffer(size, options == 32);
}
void *bufferContents(id self, SEL) { return as<MetalBuffer>(self)->hidden ? nullptr : as<MetalBuffer>(self)->data; }

id newLibrary(id, SEL, id text, id options, id *error) {
  require(!as<Options>(options)->fast, "a text is compiled with fast mathematics");
  require(as<Options>(options)->version == (2 << 16) + 3, "a text is compiled as another version of the language");
  if (fakeMetal().breaksTexts) {
    *error = autoreleased(new Error("program_source:1:1: error: unknown type name", 3));
    return nullptr;
  }
  Library *library = new Library;
  library->text = as<String>(text)->text;
  return library;
}

id newFunction(id self, SEL, id name) {
  const std::string &text = as<Library>(self)->text, &kernelName = as<String>(name)->text;
  if (text.find("kernel void " + kernelName + "(") == std::string::npos)
    return nullptr;
  // Processes live shorter than texts; a model that is opened again finds them compiled.
  static std::map<std::string, std::shared_ptr<MslProgram>> programs;
  std::shared_ptr<MslProgram> &program = programs[text];
  if (!program)
    program = std::make_shared<MslProgram>(text, kernelName);
  Function *function = new Function;
  function->program = program;
  return function;
}

id newPipeline(id, SEL, id function, id *error) {
  if (!as<Function>(function)->program->error().empty()) {
    *error = autoreleased(new Error(as<Function>(function)->program->error(), 1));
    return nullptr;
  }
  MetalPipeline *pipeline = new MetalPipeline;
  pipeline->program = as<Function>(function)->program;
  return pipeline;
}
Word mostThreads(id, SEL) { return fakeMetal().mostThreads; }

id commandBuffer(id, SEL) { return autoreleased(new Commands); }

id openEncoder(id self, Kind kind) {
  Commands *commands = as<Commands>(self);
  require(!commands->committed, "commands are recorded after they were committed");
  require(!commands->open, "two encoders are open at once");
  Encoder *encoder = new Encoder(kind, commands);
  commands->open = encoder;
  commands->list.push_back({}); // encoders wait for each other
  return autoreleased(encoder);
}
id computeEncoder(id self, SEL, Word type) {
  require(type == 1, "an encoder that is not concurrent");
  return openEncoder(self, Kind::compute);
}
id blitEncoder(id self, SEL) { return openEncoder(self, Kind::blit); }

Encoder *encoderOf(id self) {
  Encoder *encoder = as<Encoder>(self);
  require(encoder->commands->open == encoder, "an encoder is used after it was ended");
  return encoder;
}

void endEncoding(id self, SEL) { encoderOf(self)->commands->open = nullptr; }
void setPipeline(id self, SEL, id pipeline) { encoderOf(self)->pipeline = as<MetalPipeline>(pipeline); }

void setBuffers(id self, SEL, const id *buffers, const Word *offsets, Range range) {
  Encoder *encoder = encoderOf(self);
  require(range.location == 0 && range.length <= 31, "buffers at places that there are not");
  encoder->buffers.clear();
  for (Word i = 0; i < range.length; ++i) {
    MetalBuffer *buffer = as<MetalBuffer>(buffers[i]);
    require(buffer && offsets[i] < buffer->size && offsets[i] % 16 == 0, "a buffer is bound outside of itself or askew");
    encoder->buffers.push_back(buffer->data + offsets[i]);
  }
}

void dispatchGroups(id self, SEL, Size groups, Size threads) {
  Encoder *encoder = encoderOf(self);
  require(encoder->pipeline, "a dispatch without a pipeline");
  require(groups.height == 1 && groups.depth == 1 && threads.height == 1 && threads.depth == 1, "grids have one dimension");
  require(threads.width > 0 && threads.width <= fakeMetal().mostThreads, "a threadgroup of a size that is not allowed");
  Command command;
  command.program = encoder->pipeline->program.get();
  command.buffers = encoder->buffers;
  command.workgroups = uint32_t(groups.width);
  command.workgroup = uint32_t(threads.width);
  encoder->commands->list.push_back(command);
}

void memoryBarrier(id self, SEL, Word scope) {
  require(scope == 1, "a barrier for something that is not buffers");
  if (!fakeMetal().dropsBarriers)
    encoderOf(self)->commands->list.push_back({});
  else
    encoderOf(self);
}

void addCopy(Encoder *encoder, MetalBuffer *to, Word toOffset, MetalBuffer *from, Word fromOffset, Word size) {
  require(toOffset + size <= to->size && (!from || fromOffset + size <= from->size), "a copy outside of a buffer");
  require(toOffset % 4 == 0 && fromOffset % 4 == 0 && size % 4 == 0, "a copy of parts of words");
  Command command;
  command.to = to->data + toOffset;
  command.from = from ? from->data + fromOffset : nullptr;
  command.size = size;
  command.action = [](const Command &self) {
    if (self.from)
      std::memcpy(self.to, self.from, self.size);
    else
      std::memset(self.to, 0, self.size);
  };
  encoder->commands->list.push_back(command);
}
void copyBuffer(id self, SEL, id from, Word fromOffset, id to, Word toOffset, Word size) {
  addCopy(encoderOf(self), as<MetalBuffer>(to), toOffset, as<MetalBuffer>(from), fromOffset, size);
}
void fillBuffer(id self, SEL, id buffer, Range range, uint8_t value) {
  require(value == 0, "a buffer is filled with something else than zeros");
  addCopy(encoderOf(self), as<MetalBuffer>(buffer), range.location, nullptr, 0, range.length);
}

void execute(std::vector<Command *> &together) {
  if (fakeMetal().order == MslOrder::backward)
    together = {together.rbegin(), together.rend()};
  for (Command *command : together)
    if (command->action)
      command->action(*command);
    else if (!command->program->run(command->buffers, command->workgroups, command->workgroup, fakeMetal().order))
      misuse(command->program->error());
  together.clear();
}

void commit(id self, SEL) {
  Commands *commands = as<Commands>(self);
  require(!commands->open, "commands are committed with an open encoder");
  require(!commands->committed, "commands are committed twice");
  commands->committed = true;
  if (fakeMetal().steps == 0) {
    commands->status = 5;
    return;
  }
  --fakeMetal().steps;
  std::vector<Command *> together;
  for (Command &command : commands->list) {
    if (command.program || command.action)
      together.push_back(&command);
    else
      execute(together);
  }
  execute(together);
  commands->status = 4;
}
void waitFor(id self, SEL) { require(as<Commands>(self)->committed, "waiting for commands that were not committed"); }
Word commandStatus(id self, SEL) { return as<Commands>(self)->status; }
id commandError(id self, SEL) {
  return as<Commands>(self)->status == 5 ? autoreleased(new Error("Caused GPU Stand-in Error", fakeMetal().fault)) : nullptr;
}
id errorText(id self, SEL) { return makeString(as<Error>(self)->text); }
long errorCode(id self, SEL) { return as<Error>(self)->code; }

template <class F> void *at(F *function) { return reinterpret_cast<void *>(function); }

void *find(id self, SEL selector) {
  static const std::map<std::pair<Kind, std::string>, void *> methods = {
      {{Kind::stringClass, "alloc"}, at(allocString)},
      {{Kind::string, "initWithBytes:length:encoding:"}, at(initString)},
      {{Kind::string, "UTF8String"}, at(stringText)},
      {{Kind::optionsClass, "new"}, at(newOptions)},
      {{Kind::options, "setFastMathEnabled:"}, at(setFast)},
      {{Kind::options, "setLanguageVersion:"}, at(setVersion)},
      {{Kind::device, "name"}, at(deviceName)},
      {{Kind::device, "hasUnifiedMemory"}, at(isUnified)},
      {{Kind::device, "maxBufferLength"}, at(largestBuffer)},
      {{Kind::device, "maxThreadgroupMemoryLength"}, at(threadgroupMemory)},
      {{Kind::device, "respondsToSelector:"}, at(responds)},
      {{Kind::device, "recommendedMaxWorkingSetSize"}, at(workingSet)},
      {{Kind::device, "newCommandQueue"}, at(newQueue)},
      {{Kind::device, "newBufferWithLength:options:"}, at(newBuffer)},
      {{Kind::device, "newLibraryWithSource:options:error:"}, at(newLibrary)},
      {{Kind::device, "newComputePipelineStateWithFunction:error:"}, at(newPipeline)},
      {{Kind::buffer, "contents"}, at(bufferContents)},
      {{Kind::library, "newFunctionWithName:"}, at(newFunction)},
      {{Kind::pipeline, "maxTotalThreadsPerThreadgroup"}, at(mostThreads)},
      {{Kind::queue, "commandBuffer"}, at(commandBuffer)},
      {{Kind::commands, "computeCommandEncoderWithDispatchType:"}, at(computeEncoder)},
      {{Kind::commands, "blitCommandEncoder"}, at(blitEncoder)},
      {{Kind::commands, "commit"}, at(commit)},
      {{Kind::commands, "waitUntilCompleted"}, at(waitFor)},
      {{Kind::commands, "status"}, at(commandStatus)},
      {{Kind::commands, "error"}, at(commandError)},
      {{Kind::compute, "endEncoding"}, at(endEncoding)},
      {{Kind::compute, "setComputePipelineState:"}, at(setPipeline)},
      {{Kind::compute, "setBuffers:offsets:withRange:"}, at(setBuffers)},
      {{Kind::compute, "dispatchThreadgroups:threadsPerThreadgroup:"}, at(dispatchGroups)},
      {{Kind::compute, "memoryBarrierWithScope:"}, at(memoryBarrier)},
      {{Kind::blit, "endEncoding"}, at(endEncoding)},
      {{Kind::blit, "copyFromBuffer:sourceOffset:toBuffer:destinationOffset:size:"}, at(copyBuffer)},
      {{Kind::blit, "fillBuffer:range:value:"}, at(fillBuffer)},
      {{Kind::error, "localizedDescription"}, at(errorText)},
      {{Kind::error, "code"}, at(errorCode)},
  };
  if (selector->name == "retain")
    return at(retainObject);
  if (selector->name == "release")
    return at(releaseObject);
  auto found = methods.find({self->kind, selector->name});
  if (found == methods.end())
    misuse("an object does not understand " + selector->name);
  return found->second;
}

} // namespace

//===-- The Objective-C runtime -----------------------------------------------------------------------------------===//

extern "C" {

__attribute__((used)) void *metalStandInFind(id self, SEL selector) { return find(self, selector); }

// Finds the method and goes there with all arguments as they came. Messages to null do nothing.
__asm__(R"(
  .text
  .globl objc_msgSend
  .hidden metalStandInFind
  .type objc_msgSend, @function
objc_msgSend:
  testq %rdi, %rdi
  je 1f
  pushq %rbp
  movq %rsp, %rbp
  pushq %rdi
  pushq %rsi
  pushq %rdx
  pushq %rcx
  pushq %r8
  pushq %r9
  call metalStandInFind
  popq %r9
  popq %r8
  popq %rcx
  popq %rdx
  popq %rsi
  popq %rdi
  popq %rbp
  jmpq *%rax
1:
  xorl %eax, %eax
  ret
  .size objc_msgSend, . - objc_msgSend
)");
}

// The names of runtime/gpu/metal_objc.h, as it declares them.
SEL sinter::metal::sel_registerName(const char *name) {
  static std::map<std::string, objc_selector> selectors;
  objc_selector &selector = selectors[name];
  selector.name = name;
  return &selector;
}

id sinter::metal::objc_getClass(const char *name) {
  // Classes are always there, and not counted.
  static Object *const strings = new Object(Kind::stringClass), *const options = new Object(Kind::optionsClass);
  static const int64_t counted = fakeMetal().objects -= 2;
  (void)counted;
  std::string wanted = name;
  return wanted == "NSString" ? strings : wanted == "MTLCompileOptions" ? options : nullptr;
}

void *sinter::metal::objc_autoreleasePoolPush() {
  pools.emplace_back();
  return nullptr;
}

void sinter::metal::objc_autoreleasePoolPop(void *) {
  std::vector<Object *> dying = std::move(pools.back());
  pools.pop_back();
  for (Object *object : dying)
    drop(object);
}

id sinter::metal::MTLCreateSystemDefaultDevice() { return fakeMetal().present ? new Object(Kind::device) : nullptr; }
