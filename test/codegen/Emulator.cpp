// Starts the emulator once and speaks the protocol of kernel-runner.c with it over two pipes.

#include "test/codegen/Emulator.h"

#include "gtest/gtest.h"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace sinter::test {

namespace {

struct Request {
  uint64_t imageBytes, entry, scratchBytes;
  sinter_kernel_scalars scalars;
  uint32_t units, parts, buffers, bindings, vectorBytes, unused;
};

class Emulator {
public:
  ~Emulator() { stop(); }

  bool start() {
    if (process)
      return true;
    int request[2], answer[2];
    if (pipe(request) != 0 || pipe(answer) != 0)
      return false;
    signal(SIGPIPE, SIG_IGN); // a crash there is a failed write here
    process = fork();
    if (process == 0) {
      dup2(request[0], 0);
      dup2(answer[1], 1);
      for (int file : {request[0], request[1], answer[0], answer[1]})
        close(file);
      execl(SINTER_EMULATOR, SINTER_EMULATOR, "-cpu", "max", SINTER_KERNEL_RUNNER, nullptr);
      _exit(127);
    }
    close(request[0]);
    close(answer[1]);
    to = fdopen(request[1], "wb");
    from = fdopen(answer[0], "rb");
    return process > 0 && to && from;
  }
  // What became of it.
  int stop() {
    int status = 0;
    if (to)
      fclose(to);
    if (from)
      fclose(from);
    if (process > 0)
      waitpid(process, &status, 0);
    to = from = nullptr;
    process = 0;
    return status;
  }
  bool send(const void *data, size_t bytes) { return bytes == 0 || fwrite(data, bytes, 1, to) == 1; }
  bool flush() { return fflush(to) == 0; }
  bool receive(void *data, size_t bytes) { return bytes == 0 || fread(data, bytes, 1, from) == 1; }

private:
  pid_t process = 0;
  FILE *to = nullptr, *from = nullptr;
};

} // namespace

bool hasEmulator() { return SINTER_EMULATOR[0] != 0; }

bool runEmulated(const EmulatedRun &run, llvm::ArrayRef<EmulatedBuffer> buffers, llvm::ArrayRef<uint32_t> bindings) {
  static Emulator emulator;
  Request request = {run.image.size(),
                     run.entry,
                     run.scratchBytes,
                     run.scalars,
                     run.units,
                     run.parts,
                     static_cast<uint32_t>(buffers.size()),
                     static_cast<uint32_t>(bindings.size()),
                     run.vectorBytes,
                     0};
  bool good = emulator.start() && emulator.send(&request, sizeof(request)) &&
              emulator.send(run.image.data(), run.image.size());
  for (const EmulatedBuffer &buffer : buffers)
    good = good && emulator.send(&buffer.bytes, sizeof(buffer.bytes)) && emulator.send(buffer.data, buffer.bytes);
  good = good && emulator.send(bindings.data(), bindings.size() * sizeof(uint32_t)) && emulator.flush();
  for (const EmulatedBuffer &buffer : buffers)
    good = good && emulator.receive(buffer.data, buffer.bytes);
  if (!good)
    ADD_FAILURE() << "the kernel did not survive in the emulator, which ended with status " << emulator.stop();
  return good;
}

} // namespace sinter::test
