// The table of targets, all architectures together, and how --target's text selects from it.

#include "codegen/targets/Target.h"

#include "codegen/targets/Arm.h"
#include "codegen/targets/Spirv.h"
#include "codegen/targets/X86.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

namespace sinter {

llvm::ArrayRef<Target> targets() {
  static const std::vector<Target> all = [] {
    std::vector<Target> rows;
    for (llvm::ArrayRef<Target> architecture : {x86Targets(), armTargets(), spirvTargets()})
      rows.insert(rows.end(), architecture.begin(), architecture.end());
    return rows;
  }();
  return all;
}

llvm::ArrayRef<TargetAlias> targetAliases() { return armAliases(); }

const Target *findTarget(llvm::StringRef name) {
  const Target *found = llvm::find_if(targets(), [&](const Target &target) { return target.name == name; });
  return found == targets().end() ? nullptr : found;
}

static bool isArchitectureOfHost(const Target &target) {
  return llvm::Triple(target.triple).getArch() == llvm::Triple(llvm::sys::getProcessTriple()).getArch();
}

// Whether this machine has the target's architecture and every feature of its row.
static bool runsHere(const Target &target) {
  if (target.isGpu() || !isArchitectureOfHost(target))
    return false;
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  for (llvm::StringRef feature : llvm::split(target.features, ','))
    if (!host.lookup(feature.drop_front())) // "+avx2"
      return false;
  return true;
}

// What one name stands for; empty if it is unknown, or nothing of it runs here.
static std::vector<const Target *> select(llvm::StringRef name) {
  std::vector<const Target *> chosen;
  if (name == "all" || name == "host") {
    for (const Target &target : targets())
      if (!target.isGpu() && (name == "all" || isArchitectureOfHost(target)))
        chosen.push_back(&target);
  } else if (name == "native") {
    for (const Target &target : targets())
      if (runsHere(target) && (chosen.empty() || target.priority > chosen.front()->priority))
        chosen = {&target};
  } else if (const Target *target = findTarget(name)) {
    chosen = {target};
  }
  for (const TargetAlias &alias : targetAliases())
    if (alias.name == name)
      for (llvm::StringRef part : llvm::split(alias.targets, ','))
        chosen.push_back(findTarget(part));
  return chosen;
}

// "x86-64, x86-64-avx2, ..., or one of the names ...".
static std::string expectedNames() {
  auto names = llvm::map_range(targets(), [](const Target &each) { return each.name; });
  auto aliases = llvm::map_range(targetAliases(), [](const TargetAlias &each) { return each.name; });
  return "expected all, host, native, or " + llvm::join(names, ", ") + ", or what stands for some of them: " +
         llvm::join(aliases, ", ");
}

bool parseTargets(llvm::StringRef text, std::vector<const Target *> &out, std::string &error) {
  std::vector<const Target *> chosen;
  for (llvm::StringRef name : llvm::split(text, ',')) {
    name = name.trim();
    std::vector<const Target *> found = select(name);
    if (found.empty()) {
      bool known = name == "native" || name == "host";
      error = known ? "there are no targets for this machine, " : ("unknown target '" + name + "', ").str();
      error += expectedNames();
      return false;
    }
    chosen.insert(chosen.end(), found.begin(), found.end());
  }
  // In the table's order, each once.
  out.clear();
  for (const Target &target : targets())
    if (llvm::is_contained(chosen, &target))
      out.push_back(&target);
  return true;
}

} // namespace sinter
