// sinter inspect: what is in a package and what running it will need. The manifest is read as it is, so that packages
// for other machines can be looked at too; the memory plan is the runtime's own, and nothing is loaded for it.

#include "tools/Artifact.h"
#include "tools/CommandLine.h"
#include "tools/Commands.h"
#include "tools/Output.h"
#include "tools/PackageFile.h"

namespace sinter {

namespace {
struct InspectOptions {
  std::string file, isa;
  uint32_t threads = 0, context = 0;
  bool check = false, dispatches = false, memory = false, json = false;
};

struct Part {
  const char *name;
  uint64_t bytes;
};
} // namespace

// The parts add up to the file.
static std::vector<Part> partsOf(const PackageFile &file) {
  const package::Manifest &manifest = file.manifest();
  uint64_t code = 0;
  for (const package::Code *target : *manifest.codes())
    code += target->range() ? target->range()->size() : 0;
  uint64_t weights = manifest.weights() ? manifest.weights()->size() : 0;
  uint64_t tokenizer = manifest.tokenizer() ? manifest.tokenizer()->size() : 0;
  uint64_t named = weights + code + tokenizer + file.manifestBytes();
  return {{"weights", weights},
          {"code", code},
          {"tokenizer", tokenizer},
          {"manifest", file.manifestBytes()},
          {"header and padding", file.fileBytes() - std::min(named, file.fileBytes())}};
}

static uint32_t barriersOf(const package::Entry &entry) {
  uint32_t barriers = 0;
  if (entry.dispatches())
    for (const package::Dispatch *dispatch : *entry.dispatches())
      barriers += dispatch->barrier();
  return barriers;
}

static double bitsPerWeight(const package::Manifest &manifest) {
  uint64_t parameters = manifest.model()->parameters();
  uint64_t bytes = manifest.weights() ? manifest.weights()->size() : 0;
  return parameters ? static_cast<double>(bytes) * 8 / static_cast<double>(parameters) : 0;
}

// What the runtime will use with one session: the parts add up to the plan's total.
static std::vector<Part> partsOf(const sinter_memory_plan &plan) {
  uint64_t named = plan.cache + plan.arena + plan.scratch + plan.stacks + plan.session;
  return {{"weights", plan.weights},
          {"code", plan.code},
          {"manifest", plan.manifest},
          {"tokenizer", plan.tokenizer},
          {"model", plan.model},
          {"cache", plan.cache},
          {"arena", plan.arena},
          {"scratch", plan.scratch},
          {"stacks", plan.stacks},
          {"session", plan.session},
          {"padding", plan.block - std::min(named, plan.block)}};
}

// The plan for any code of the package, also what this machine does not run: nothing is loaded or executed.
static void describeMemory(const InspectOptions &options, Json &facts) {
  ModelOptions how;
  how.facts_only = 1;
  how.isa = options.isa.empty() ? nullptr : options.isa.c_str();
  Model model;
  model.open(options.file, how).orThrow();
  SessionOptions session;
  session.threads = options.threads;
  session.context = options.context;
  sinter_memory_plan plan = {};
  model.plan(plan, session).orThrow();
  Json memory = {{"total", plan.total}};
  for (const Part &part : partsOf(plan))
    memory[part.name] = part.bytes;
  facts["isa"] = model.info().isa;
  facts["memory_context"] = plan.context;
  facts["memory_threads"] = plan.threads;
  facts["scratch_per_thread"] = plan.scratch / plan.threads;
  facts["stack_per_thread"] = plan.threads > 1 ? plan.stacks / (plan.threads - 1) : 0;
  facts["memory"] = memory;
}

static void printMemory(const Json &facts) {
  std::printf("memory of one session of %u tokens on %u threads, %s\n", facts["memory_context"].get<unsigned>(),
              facts["memory_threads"].get<unsigned>(), facts["isa"].get<std::string>().c_str());
  for (auto &[name, bytes] : facts["memory"].items())
    std::printf("  %-22s %15s\n", name.c_str(), grouped(bytes).c_str());
}

// "prefill", "gpu.prefill"
static std::string nameOf(const package::Entry &entry) {
  return (entry.device() == package::Device::gpu ? "gpu." : "") + entry.name()->str();
}

// The modules of code for GPUs, without those kernels that only CPUs have.
static Json describeModules(const package::Manifest &manifest, const package::Code &code) {
  Json modules = Json::array();
  for (uint32_t i = 0; code.gpu_kernels() && i < code.gpu_kernels()->size(); ++i) {
    const package::GpuKernel *kernel = code.gpu_kernels()->Get(i);
    if (!kernel->range() || kernel->range()->size() == 0 || i >= manifest.kernels()->size())
      continue;
    modules.push_back({{"kernel", manifest.kernels()->Get(i)->str()},
                       {"offset", kernel->range()->offset()},
                       {"bytes", kernel->range()->size()},
                       {"workgroup", kernel->workgroup()},
                       {"shares_workgroups", kernel->shares_workgroups()},
                       {"workgroup_bytes", kernel->workgroup_bytes()},
                       {"features", kernel->features()}});
  }
  return modules;
}

static Json describe(const PackageFile &file) {
  const package::Manifest &manifest = file.manifest();
  const package::Model &model = *manifest.model();
  Json formats = Json::array(), targets = Json::array(), entries = Json::array();
  if (model.formats())
    for (const package::FormatUse *use : *model.formats())
      formats.push_back(
          {{"format", use->format()->str()},
           {"parameters", use->parameters()},
           {"bytes", use->bytes()},
           {"bits_per_weight", use->parameters() ? double(use->bytes()) * 8 / double(use->parameters()) : 0}});
  for (const package::Code *code : *manifest.codes()) {
    targets.push_back({{"target", code->target()->str()},
                       {"offset", code->range() ? code->range()->offset() : 0},
                       {"bytes", code->range() ? code->range()->size() : 0}});
    if (code->machine() == package::Machine::spirv || code->machine() == package::Machine::msl)
      targets.back()["modules"] = describeModules(manifest, *code);
  }
  for (const package::Entry *entry : *manifest.entries())
    entries.push_back({{"entry", nameOf(*entry)},
                       {"max_tokens", entry->max_tokens()},
                       {"dispatches", entry->dispatches() ? entry->dispatches()->size() : 0},
                       {"barriers", barriersOf(*entry)}});
  Json parts = Json::object();
  for (const Part &part : partsOf(file))
    parts[part.name] = part.bytes;
  return {{"model", model.name()->str()},
          {"family", model.family()->str()},
          {"compiler", manifest.compiler()->str()},
          {"parameters", model.parameters()},
          {"layers", model.layers()},
          {"hidden", model.hidden()},
          {"vocab", model.vocab()},
          {"context", manifest.context()},
          {"trained_context", model.trained_context()},
          {"bits_per_weight", bitsPerWeight(manifest)},
          {"file_bytes", file.fileBytes()},
          {"parts", parts},
          {"formats", formats},
          {"targets", targets},
          {"kernels", manifest.kernels()->size()},
          {"entries", entries}};
}

static const char *spaceName(package::Space space) {
  return space == package::Space::weights ? "weights" : space == package::Space::arena ? "arena" : "cache";
}

static Json describeDispatches(const package::Manifest &manifest) {
  Json list = Json::array();
  for (const package::Entry *entry : *manifest.entries()) {
    if (!entry->dispatches())
      continue;
    for (const package::Dispatch *dispatch : *entry->dispatches()) {
      Json bindings = Json::array();
      if (dispatch->bindings())
        for (const package::Binding *binding : *dispatch->bindings())
          bindings.push_back({{"space", spaceName(binding->space())},
                              {"index", binding->index()},
                              {"offset", binding->offset()},
                              {"bytes", binding->size()}});
      bool known = dispatch->kernel() < manifest.kernels()->size();
      Json row = {{"entry", nameOf(*entry)},
                  {"barrier", dispatch->barrier()},
                  {"kernel", known ? manifest.kernels()->Get(dispatch->kernel())->str() : "?"},
                  {"units", dispatch->grid() ? dispatch->grid()->units() : 0},
                  {"tokens_per_unit", dispatch->grid() ? dispatch->grid()->tokens_per_unit() : 0},
                  {"bindings", bindings}};
      if (dispatch->tap())
        row["tap"] = dispatch->tap()->str();
      list.push_back(row);
    }
  }
  return list;
}

static void printSummary(const Json &facts) {
  std::printf("%s: %s, %s parameters, %llu layers, hidden %llu, vocab %llu, context %llu\n",
              facts["model"].get<std::string>().c_str(), facts["family"].get<std::string>().c_str(),
              grouped(facts["parameters"]).c_str(), facts["layers"].get<unsigned long long>(),
              facts["hidden"].get<unsigned long long>(), facts["vocab"].get<unsigned long long>(),
              facts["context"].get<unsigned long long>());
  std::printf("compiled by %s\n\n", facts["compiler"].get<std::string>().c_str());
  std::printf("%-24s %s, %.2f bits per weight\n", "file", exactBytes(facts["file_bytes"]).c_str(),
              facts["bits_per_weight"].get<double>());
  for (auto &[name, bytes] : facts["parts"].items())
    std::printf("  %-22s %15s\n", name.c_str(), grouped(bytes).c_str());
  std::printf("\nformats\n");
  for (const Json &use : facts["formats"])
    std::printf("  %-22s %15s bytes %15s parameters  %.2f bits each\n", use["format"].get<std::string>().c_str(),
                grouped(use["bytes"]).c_str(), grouped(use["parameters"]).c_str(),
                use["bits_per_weight"].get<double>());
  std::printf("\ntargets\n");
  for (const Json &target : facts["targets"])
    std::printf("  %-22s %15s bytes of code%s\n", target["target"].get<std::string>().c_str(),
                grouped(target["bytes"]).c_str(),
                target.contains("modules") ? (" in " + grouped(target["modules"].size()) + " modules").c_str() : "");
  std::printf("\nschedule, of %s kernels\n", grouped(facts["kernels"]).c_str());
  for (const Json &entry : facts["entries"])
    std::printf("  %-22s %5u dispatches %5u barriers, up to %u tokens at once\n",
                entry["entry"].get<std::string>().c_str(), entry["dispatches"].get<unsigned>(),
                entry["barriers"].get<unsigned>(), entry["max_tokens"].get<unsigned>());
}

static void printDispatches(const Json &dispatches) {
  std::string entry;
  for (const Json &dispatch : dispatches) {
    if (entry != dispatch["entry"].get<std::string>())
      std::printf("\n%s\n", (entry = dispatch["entry"].get<std::string>()).c_str());
    std::string units = std::to_string(dispatch["units"].get<unsigned>());
    if (unsigned per = dispatch["tokens_per_unit"])
      units += " x tokens/" + std::to_string(per);
    std::printf("%s %-40s %-18s", dispatch["barrier"].get<bool>() ? "|" : " ",
                dispatch["kernel"].get<std::string>().c_str(), units.c_str());
    for (const Json &binding : dispatch["bindings"])
      if (binding["space"] == "cache")
        std::printf(" cache[%u]", binding["index"].get<unsigned>());
      else
        std::printf(" %s+%llu", binding["space"].get<std::string>().c_str(),
                    binding["offset"].get<unsigned long long>());
    std::printf("%s\n", dispatch.contains("tap") ? (" -> " + dispatch["tap"].get<std::string>()).c_str() : "");
  }
}

static void inspect(const InspectOptions &options) {
  PackageFile file(options.file);
  Json facts = options.memory ? Json::object() : describe(file);
  describeMemory(options, facts);
  if (options.check) {
    Artifact(options.file, options.isa).model().check().orThrow();
    facts["weights_checked"] = true;
  }
  if (options.dispatches)
    facts["dispatches"] = describeDispatches(file.manifest());
  if (options.json) {
    printJson(facts);
    return;
  }
  if (!options.memory) {
    printSummary(facts);
    std::printf("\n");
  }
  printMemory(facts);
  if (!file.obstacle().empty())
    std::printf("\n%s\n", file.obstacle().c_str());
  if (options.check)
    std::printf("\nweights: checksum holds\n");
  if (options.dispatches)
    printDispatches(facts["dispatches"]);
  flushOutput();
}

void addInspectCommand(CLI::App &app) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App *command = app.add_subcommand("inspect", "Shows what is in a compiled model and the memory it needs");
  command->add_option("FILE", options->file, "a compiled model")->required()->type_name("");
  command->add_option("--context", options->context, "plan memory for this many tokens (default: the model's context)")
      ->check(positive());
  command->add_option("--threads", options->threads, "plan memory for this many threads")->check(positive());
  command->add_option("--isa", options->isa, "plan memory for this code of the package, e.g. x86-64-avx2")
      ->type_name("NAME");
  command->add_flag("--memory", options->memory, "the memory alone, planned without loading anything");
  command->add_flag("--check", options->check, "read all weights and compare their checksum");
  command->add_flag("--dispatches", options->dispatches, "list the schedule; | marks where all threads meet");
  command->add_flag("--json", options->json, "print all of it as JSON");
  command->footer("Examples:\n"
                  "  sinter inspect tales.sinter\n"
                  "  sinter inspect tales.sinter --memory --context 128 --threads 2 --json\n"
                  "  sinter inspect tales.sinter --dispatches\n");
  command->callback([options] { inspect(*options); });
}

} // namespace sinter
