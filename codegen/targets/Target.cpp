// The table of targets, all architectures together, and how --target's text selects from it.

#include "codegen/targets/Target.h"

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
    std::vector<Target> rows = x86Targets();
    rows.insert(rows.end(), spirvTargets().begin(), spirvTargets().end());
    return rows;
  }();
  return all;
}

const Target *findTarget(llvm::StringRef name) {
  const Target *found = llvm::find_if(targets(), [&](const Target &target) { return target.name == name; });
  return found == targets().end() ? nullptr : found;
}

// Whether this machine has the target's architecture and every feature of its row.
static bool runsHere(const Target &target) {
  if (target.isGpu())
    return false;
  if (llvm::Triple(target.triple).getArch() != llvm::Triple(llvm::sys::getProcessTriple()).getArch())
    return false;
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  for (llvm::StringRef feature : llvm::split(target.features, ','))
    if (!host.lookup(feature.drop_front())) // "+avx2"
      return false;
  return true;
}

static const Target *nativeTarget() {
  const Target *best = nullptr;
  for (const Target &target : targets())
    if (runsHere(target) && (!best || target.priority > best->priority))
      best = &target;
  return best;
}

bool parseTargets(llvm::StringRef text, std::vector<const Target *> &out, std::string &error) {
  std::vector<const Target *> chosen;
  for (llvm::StringRef name : llvm::split(text, ',')) {
    name = name.trim();
    if (name == "all") {
      for (const Target &target : targets())
        if (!target.isGpu())
          chosen.push_back(&target);
      continue;
    }
    const Target *target = name == "native" ? nativeTarget() : findTarget(name);
    if (!target) {
      auto names = llvm::map_range(targets(), [](const Target &each) { return each.name; });
      error = name == "native" ? "no target runs on this machine, expected "
                               : ("unknown target '" + name + "', expected all, native, or ").str();
      error += llvm::join(names, ", ");
      return false;
    }
    chosen.push_back(target);
  }
  // In the table's order, each once.
  out.clear();
  for (const Target &target : targets())
    if (llvm::is_contained(chosen, &target))
      out.push_back(&target);
  return true;
}

} // namespace sinter
