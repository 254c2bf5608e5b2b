// Opens packages through the public API, as any program would.

#include "tools/Artifact.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

namespace sinter {

static ModelOptions withIsa(const std::string &isa) {
  ModelOptions options;
  options.isa = isa.empty() ? nullptr : isa.c_str();
  return options;
}

Artifact::Artifact(const std::string &path, const std::string &isa, const DeviceChoice &device)
    : Artifact(path, withIsa(isa), path, device) {}

Artifact::Artifact(const std::string &path, const ModelOptions &options, const std::string &name,
                   const DeviceChoice &device)
    : file(name), source(path), onCpu(options) {
  if (device.backend && options.isa)
    throw Failure("--isa names code for a CPU, --device " + std::string(device.backend->name) + " has none");
  std::string obstacle = device.obstacle;
  bool onDevice = false;
  mayFallBack = device.backend && device.mayFallBack;
  if (device.backend) {
    ModelOptions withDevice = options;
    withDevice.backend = device.backend;
    withDevice.device = device.number;
    Status status = opened.open(path, withDevice);
    onDevice = status.ok();
    if (!onDevice && !mayFallBack)
      status.orThrow();
    obstacle = status.message;
  }
  if (!onDevice)
    openOnCpu(obstacle);
  readFacts();
}

void Artifact::openOnCpu(const std::string &obstacle) {
  if (!obstacle.empty())
    std::fprintf(stderr, "sinter: using the cpu: %s\n", obstacle.c_str());
  mayFallBack = false;
  opened.open(source, onCpu).orThrow();
}

void Artifact::readFacts() {
  description = opened.info();
  std::string reason;
  if (description.tokenizer && !text.open(description.tokenizer, description.tokenizer_size, reason))
    throw Failure(file + ": " + reason);
}

const Tokenizer &Artifact::tokenizer() const {
  if (!hasTokenizer())
    throw Failure(file + " has no tokenizer: give ids with --prompt-ids");
  return text;
}

std::vector<uint32_t> Artifact::encode(const std::string &prompt, bool special) const {
  std::vector<uint32_t> ids;
  std::string error;
  if (!tokenizer().encode(prompt, special ? SINTER_ADD_SPECIAL | SINTER_PARSE_SPECIAL : 0, ids, error))
    throw Failure(file + ": " + error);
  return ids;
}

std::string Artifact::decode(const std::vector<uint32_t> &ids, uint32_t flags) const {
  std::string result, error;
  if (!tokenizer().decode(ids, flags, result, error))
    throw Failure(file + ": " + error);
  return result;
}

static SessionOptions sessionOptions(uint32_t threads, uint32_t context) {
  SessionOptions options;
  options.threads = threads;
  options.context = context;
  return options;
}

sinter_memory_plan Artifact::plan(uint32_t threads, uint32_t context) const {
  sinter_memory_plan result = {};
  opened.plan(result, sessionOptions(threads, context)).orThrow();
  return result;
}

Session Artifact::createSession(uint32_t threads, uint32_t context) {
  Session session;
  Status status = session.create(opened, sessionOptions(threads, context));
  // The weights found room on the device, the caches did not.
  if (!status.ok() && mayFallBack) {
    openOnCpu(status.message);
    readFacts();
    status = session.create(opened, sessionOptions(threads, context));
  }
  status.orThrow();
  return session;
}

std::vector<uint32_t> parseIds(const std::string &text) {
  std::vector<uint32_t> ids;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    uint32_t id = 0;
    std::from_chars_result parsed = std::from_chars(text.data() + begin, text.data() + end, id);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + end)
      throw Failure("'" + text.substr(begin, end - begin) + "' in the list of ids is not a token id");
    ids.push_back(id);
    begin = end + 1;
  }
  return ids;
}

std::string readText(const std::string &path) {
  std::FILE *stream = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  if (!stream)
    throw Failure("cannot open " + path + ": " + std::strerror(errno));
  std::string text;
  char block[65536];
  errno = 0;
  while (size_t count = std::fread(block, 1, sizeof block, stream))
    text.append(block, count);
  bool failed = std::ferror(stream) != 0;
  int reason = errno;
  if (stream != stdin)
    std::fclose(stream);
  if (failed)
    throw Failure("cannot read " + path + ": " + std::strerror(reason));
  return text;
}

} // namespace sinter
