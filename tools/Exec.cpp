// sinter exec: runs a program, a package with named tensors in and out. Inputs come from .npy files, outputs go to them; shapes
// and types are checked before anything runs.

#include "tools/Artifact.h"
#include "tools/CommandLine.h"
#include "tools/Commands.h"
#include "tools/NpyArray.h"
#include "tools/Output.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <sys/stat.h>

namespace sinter {

namespace {
struct ExecOptions {
  std::string file, outputDirectory, isa;
  std::vector<std::string> inputs;
  uint32_t threads = 0, repeat = 1;
  bool json = false;
};
} // namespace

static std::string textOf(const sinter_port &port) {
  std::string text = std::string(port.name) + " " + sinter_type_text(port.type) + " [";
  for (uint32_t i = 0; i < port.rank; ++i)
    text += (i ? ", " : "") + (port.dims[i] >= 0 ? std::to_string(port.dims[i])
                                                  : port.dim_names[i] ? port.dim_names[i] : "?");
  return text + "]";
}

static std::string listInputs(const sinter_model *model) {
  std::string text;
  for (uint32_t i = 0; i < sinter_input_count(model); ++i) {
    sinter_port port;
    sinter_get_input(model, i, &port);
    text += (i ? "; " : "") + textOf(port);
  }
  return text;
}

static void setInput(const sinter_model *model, sinter_session *session, const std::string &argument) {
  const size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Failure("--input is '" + argument + "', expected NAME=FILE.npy");
  const std::string name = argument.substr(0, equals), path = argument.substr(equals + 1);
  const uint32_t index = sinter_find_input(model, name.c_str());
  if (index == SINTER_NONE)
    throw Failure("there is no input '" + name + "'; there are: " + listInputs(model));
  NpyArray array = readNpyArray(path);
  sinter_port port;
  sinter_get_input(model, index, &port);
  const bool stands = port.type == SINTER_BF16 && array.type == SINTER_U16;
  if (array.type != port.type && !stands)
    throw Failure("input '" + name + "' (" + path + ") is of type " + sinter_type_text(array.type) + ", expected " +
                  sinter_type_text(port.type));
  if (sinter_set_input(session, index, array.shape.data(), static_cast<uint32_t>(array.shape.size()),
                       array.bytes.data(), array.bytes.size()) != SINTER_OK)
    throw Failure(sinter_session_error(session));
}

// A name as a file's: what separates folders does not.
static std::string fileName(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name + ".npy";
}

static void exec(const ExecOptions &options) {
  Artifact artifact(options.file, options.isa);
  const sinter_model *model = artifact.model().get();
  if (sinter_output_count(model) == 0)
    throw Failure(options.file + " takes tokens; sinter run runs it");
  Session session = artifact.createSession(options.threads, 0);
  std::vector<bool> given(sinter_input_count(model));
  for (const std::string &input : options.inputs) {
    setInput(model, session.get(), input);
    given[sinter_find_input(model, input.substr(0, input.find('=')).c_str())] = true;
  }
  for (uint32_t i = 0; i < given.size(); ++i)
    if (!given[i]) {
      sinter_port port;
      sinter_get_input(model, i, &port);
      throw Failure("input " + textOf(port) + " is not given; add --input " + port.name + "=FILE.npy");
    }
  using Clock = std::chrono::steady_clock;
  std::vector<double> runs; // milliseconds
  for (uint32_t i = 0; i < options.repeat; ++i) {
    const Clock::time_point begin = Clock::now();
    if (sinter_execute(session.get()) != SINTER_OK)
      throw Failure(sinter_session_error(session.get()));
    runs.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  const double best = *std::min_element(runs.begin(), runs.end());
  if (!options.outputDirectory.empty() && mkdir(options.outputDirectory.c_str(), 0777) != 0 && errno != EEXIST)
    throw Failure("cannot make " + options.outputDirectory + ": " + std::strerror(errno));
  Json outputs = Json::array();
  for (uint32_t i = 0; i < sinter_output_count(model); ++i) {
    sinter_port port;
    sinter_tensor tensor;
    sinter_get_output_port(model, i, &port);
    if (sinter_get_output(session.get(), i, &tensor) != SINTER_OK)
      throw Failure(sinter_session_error(session.get()));
    const std::vector<int64_t> shape(tensor.shape, tensor.shape + tensor.rank);
    std::string path;
    if (!options.outputDirectory.empty()) {
      path = options.outputDirectory + "/" + fileName(port.name);
      writeNpyArray(path, tensor.type, shape, tensor.data, tensor.size);
    }
    outputs.push_back({{"name", port.name}, {"type", sinter_type_text(tensor.type)}, {"shape", shape}, {"file", path}});
    if (!options.json) {
      std::string text;
      for (int64_t size : shape)
        text += (text.empty() ? "" : ", ") + std::to_string(size);
      std::printf("%s: %s [%s]%s%s\n", port.name, sinter_type_text(tensor.type), text.c_str(), path.empty() ? "" : " -> ",
                  path.c_str());
    }
  }
  if (options.json)
    printJson({{"outputs", outputs}, {"milliseconds", best}, {"runs", runs}});
  else
    std::printf("%.3f ms\n", best);
}

void addExecCommand(CLI::App &app) {
  auto options = std::make_shared<ExecOptions>();
  CLI::App *command = app.add_subcommand("exec", "run a model with named inputs and outputs");
  command->add_option("MODEL", options->file, "a package that sinterc made of an .onnx file")->required()->type_name("");
  command->add_option("--input", options->inputs, "a tensor for an input; once for each")->type_name("NAME=FILE.npy");
  command->add_option("--output-dir", options->outputDirectory, "write each output there, as NAME.npy")->type_name("DIR");
  command->add_option("--threads", options->threads, "default: as many as the process may use")
      ->check(positive())
      ->type_name("N");
  command->add_option("--repeat", options->repeat, "run so many times and tell the shortest")
      ->check(positive())
      ->type_name("N");
  command->add_option("--isa", options->isa, "take this code section")->type_name("NAME");
  command->add_flag("--json", options->json, "print JSON");
  command->callback([options] { exec(*options); });
}

} // namespace sinter
