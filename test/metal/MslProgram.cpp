// In: a text as packages have it. Out: a shared object that clang makes of it, and its kernel run by fibers.
//
// Everything that would go unnoticed on the CPU is made to be noticed: variables without a value have a pattern
// (-ftrivial-auto-var-init), memory of a workgroup has one before each workgroup, and invocations run in either order.
// Literals without a suffix are floats, as in Metal; products and sums are not contracted. Straight-line code is not made
// into vectors: clang 22 gets that wrong for attention from 8-bit keys (heads of 22 or 24 columns), and right without.

#include "test/metal/MslProgram.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <functional>
#include <sstream>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

namespace sinter::test {

namespace {

const char *const kFlags = "-x c++ -std=c++17 -O2 -fno-slp-vectorize -march=native -fPIC -shared -nostdinc++ "
                           "-fno-exceptions -fno-rtti -ftrivial-auto-var-init=pattern -ffp-contract=off -Xclang "
                           "-cl-single-precision-constant -Wno-unknown-attributes -Wno-unused";

std::string readFile(const std::string &path) {
  std::ifstream stream(path);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

// A function that finds each argument by its attribute: [[buffer(3)]], [[threadgroup_position_in_grid]].
bool addCaller(std::string &text, const std::string &name) {
  size_t begin = text.find("kernel void " + name + "(");
  size_t end = begin == std::string::npos ? begin : text.find(")\n{", begin);
  if (end == std::string::npos)
    return false;
  std::string arguments;
  for (size_t at = text.find("[[", begin); at < end; at = text.find("[[", at + 1)) {
    std::string attribute = text.substr(at + 2, text.find("]]", at) - at - 2);
    arguments += arguments.empty() ? "" : ", ";
    if (attribute.rfind("buffer(", 0) == 0)
      arguments += "buffers[" + attribute.substr(7, attribute.size() - 8) + "]";
    else if (attribute == "threadgroup_position_in_grid")
      arguments += "group";
    else if (attribute == "thread_position_in_threadgroup")
      arguments += "lane";
    else
      return false;
  }
  text += "\nvoid (*msl_barrier)();\n"
          "extern \"C\" __attribute__((weak, visibility(\"hidden\"))) char __start_threadgroup_memory[], "
          "__stop_threadgroup_memory[];\n"
          "extern \"C\" __attribute__((visibility(\"default\"))) char *msl_shared(bool end) {\n"
          "  return end ? __stop_threadgroup_memory : __start_threadgroup_memory;\n}\n"
          "extern \"C\" __attribute__((visibility(\"default\"))) void msl_call(const MslBuffer *buffers, uint3 group, "
          "uint3 lane) {\n  " +
          name + "(" + arguments + ");\n}\n";
  return true;
}

//===-- Fibers ----------------------------------------------------------------------------------------------------===//

struct Fiber {
  ucontext_t context;
  std::vector<uint8_t> stack = std::vector<uint8_t>(256 << 10);
  std::function<void()> body;
  bool done = false;
};

// Texts run on one thread of a test.
ucontext_t scheduler;
std::vector<Fiber> fibers;
Fiber *running;

void startFiber() {
  running->body();
  running->done = true;
}

void meetBarrier() { swapcontext(&running->context, &scheduler); }

} // namespace

MslProgram::MslProgram(const std::string &source, const std::string &name) {
  std::string text = source;
  hasBarriers = text.find("_barrier(") != std::string::npos;
  if (!addCaller(text, name)) {
    failure = "the text has no kernel '" + name + "' with arguments that are known";
    return;
  }
  static const std::string header = readFile(SINTER_MSL_HEADERS "/metal_stdlib") + kFlags;
  char key[32];
  std::snprintf(key, sizeof(key), "%016zx", std::hash<std::string>()(text + header));
  std::string base = std::string(SINTER_MSL_CACHE "/") + key, path = base + ".so";
  mkdir(SINTER_MSL_CACHE, 0777);
  if (access(path.c_str(), R_OK) != 0) {
    std::string mine = base + "." + std::to_string(getpid());
    std::ofstream(mine + ".metal") << text;
    std::string command = std::string(SINTER_CLANG " ") + kFlags + " -isystem " SINTER_MSL_HEADERS " " + mine +
                          ".metal -o " + mine + ".so 2>" + mine + ".log";
    if (std::system(command.c_str()) != 0) {
      failure = readFile(mine + ".log");
      return;
    }
    rename((mine + ".so").c_str(), path.c_str()); // another process may have made the same
    unlink((mine + ".metal").c_str());
    unlink((mine + ".log").c_str());
  }
  open(path);
}

bool MslProgram::open(const std::string &path) {
  library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    failure = dlerror();
    return false;
  }
  call = reinterpret_cast<decltype(call)>(dlsym(library, "msl_call"));
  *reinterpret_cast<void (**)()>(dlsym(library, "msl_barrier")) = meetBarrier;
  auto *part = reinterpret_cast<uint8_t *(*)(bool)>(dlsym(library, "msl_shared"));
  shared = part(false);
  sharedBytes = static_cast<size_t>(part(true) - shared);
  return true;
}

MslProgram::~MslProgram() {
  if (library)
    dlclose(library);
}

bool MslProgram::run(const std::vector<void *> &buffers, uint32_t workgroups, uint32_t workgroup, MslOrder order) {
  for (uint32_t i = 0; i < workgroups; ++i)
    if (!runWorkgroup(buffers.data(), order == MslOrder::forward ? i : workgroups - 1 - i, workgroup, order))
      return false;
  return true;
}

bool MslProgram::runWorkgroup(void *const *buffers, uint32_t group, uint32_t lanes, MslOrder order) {
  std::memset(shared, 0xfe, sharedBytes); // as floats: large and negative
  auto laneAt = [&](uint32_t i) { return order == MslOrder::forward ? i : lanes - 1 - i; };
  if (!hasBarriers) {
    for (uint32_t i = 0; i < lanes; ++i)
      call(buffers, {group, 0, 0}, {laneAt(i), 0, 0});
    return true;
  }
  if (fibers.size() < lanes)
    fibers.resize(lanes);
  for (uint32_t i = 0; i < lanes; ++i) {
    Fiber &fiber = fibers[i];
    fiber.done = false;
    fiber.body = [this, buffers, group, i] { call(buffers, {group, 0, 0}, {i, 0, 0}); };
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = fiber.stack.size();
    fiber.context.uc_link = &scheduler;
    makecontext(&fiber.context, startFiber, 0);
  }
  for (uint32_t done = 0; done < lanes;) {
    done = 0;
    for (uint32_t i = 0; i < lanes; ++i) {
      running = &fibers[laneAt(i)];
      swapcontext(&scheduler, &running->context);
      done += running->done;
    }
    if (done && done < lanes) {
      failure = "a barrier was met by " + std::to_string(lanes - done) + " of " + std::to_string(lanes) + " invocations";
      return false;
    }
  }
  return true;
}

} // namespace sinter::test
