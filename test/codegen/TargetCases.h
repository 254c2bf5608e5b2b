// Kernel tests run once per target that this machine executes.
#pragma once

#include "test/codegen/KernelHarness.h"

#include "llvm/ADT/StringExtras.h"

#include <gtest/gtest.h>

namespace sinter::test {

class TargetCase : public testing::TestWithParam<const Target *> {};

inline std::string targetName(const testing::TestParamInfo<const Target *> &info) {
  std::string name = info.param->name.str();
  for (char &c : name)
    c = llvm::isAlnum(c) ? c : '_';
  return name;
}

} // namespace sinter::test

#define SINTER_FOR_TARGETS(suite)                                                                                      \
  INSTANTIATE_TEST_SUITE_P(Targets, suite, testing::ValuesIn(runnableTargets()), targetName)
