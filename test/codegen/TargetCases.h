// Kernel tests run once per target that this machine executes.
#pragma once

#include "test/codegen/KernelHarness.h"

#include "llvm/ADT/StringExtras.h"

#include <gtest/gtest.h>

namespace sinter::test {

class TargetCase : public testing::TestWithParam<const Target *> {};

inline std::vector<const Target *> runnableCpus() {
  std::vector<const Target *> cpus;
  for (const Target *target : runnableTargets())
    if (!target->isGpu())
      cpus.push_back(target);
  return cpus;
}

inline std::string targetName(const testing::TestParamInfo<const Target *> &info) {
  std::string name = info.param->name.str();
  for (char &c : name)
    c = llvm::isAlnum(c) ? c : '_';
  return name;
}

} // namespace sinter::test

// For kernels that no entry for GPUs uses.
#define SINTER_FOR_CPUS(suite)                                                                                         \
  INSTANTIATE_TEST_SUITE_P(Targets, suite, testing::ValuesIn(runnableCpus()), targetName)

#define SINTER_FOR_TARGETS(suite)                                                                                      \
  INSTANTIATE_TEST_SUITE_P(Targets, suite, testing::ValuesIn(runnableTargets()), targetName)
