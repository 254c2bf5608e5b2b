// Prints what the compiler did.
#pragma once

#include "tools/Compiler.h"

namespace sinter {

struct ReportStyle {
  bool stats = false, json = false, quiet = false;
};

void printReport(const CompileOptions &options, const CompileReport &report, const ReportStyle &style);

} // namespace sinter
