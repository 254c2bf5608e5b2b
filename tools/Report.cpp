// A compile report as a summary for people or as JSON. The summary is short; --stats adds what a developer asks for
// next.

#include "tools/Report.h"
#include "tools/Output.h"

#include <cstdio>

namespace sinter {

static double bits(const FormatSize &size) {
  return size.parameters ? static_cast<double>(size.bytes) * 8 / static_cast<double>(size.parameters) : 0;
}

static uint64_t padding(const CompileReport &report) {
  return report.fileBytes - (report.weightBytes + report.codeBytes + report.tokenizerBytes + report.manifestBytes);
}

static double seconds(const CompileReport &report) {
  double sum = 0;
  for (const auto &[name, taken] : report.stages)
    sum += taken;
  return sum;
}

static Json verificationJson(const Verification &verification) {
  Json layers = Json::array();
  for (const LayerDifference &layer : verification.layers)
    layers.push_back({{"layer", layer.name}, {"largest", layer.largest}, {"relative", layer.relative}});
  return {{"isa", verification.isa},
          {"passed", verification.passed},
          {"positions", verification.positions},
          {"kl_mean", verification.klMean},
          {"kl_max", verification.klMax},
          {"kl_bound", verification.klBound},
          {"top1_agreement", verification.top1Agreement},
          {"relative_error_bound", verification.errorBound},
          {"cosine", verification.cosine},
          {"layers", layers}};
}

static Json reportJson(const CompileOptions &options, const CompileReport &report) {
  Json formats = Json::array(), targets = Json::array(), entries = Json::array(), stages = Json::object();
  for (const FormatSize &size : report.formats)
    formats.push_back({{"format", size.format},
                       {"parameters", size.parameters},
                       {"bytes", size.bytes},
                       {"bits_per_weight", bits(size)}});
  for (const auto &[name, bytes] : report.targets)
    targets.push_back({{"target", name}, {"bytes", bytes}});
  for (const EntrySize &entry : report.entries)
    entries.push_back({{"entry", entry.name}, {"dispatches", entry.dispatches}, {"barriers", entry.barriers}});
  for (const auto &[name, taken] : report.stages)
    stages[name] = taken;
  Json result = {{"file", options.output},
                 {"model", report.model},
                 {"family", report.family},
                 {"parameters", report.parameters},
                 {"layers", report.layers},
                 {"context", report.context},
                 {"file_bytes", report.outputBytes ? report.outputBytes : report.fileBytes},
                 {"package_bytes", report.fileBytes},
                 {"further_files", report.furtherFiles},
                 {"parts",
                  {{"weights", report.weightBytes},
                   {"code", report.codeBytes},
                   {"tokenizer", report.tokenizerBytes},
                   {"manifest", report.manifestBytes},
                   {"header and padding", padding(report)}}},
                 {"bits_per_weight", report.bitsPerWeight},
                 {"formats", formats},
                 {"targets", targets},
                 {"kernels", report.kernels},
                 {"raised", report.raised},
                 {"entries", entries},
                 {"peak_memory_bytes", report.peakRuntimeBytes ? Json(report.peakRuntimeBytes) : Json(nullptr)},
                 {"threads", report.threads},
                 {"seconds", seconds(report)},
                 {"stages", stages},
                 {"compiler_peak_bytes", report.peakCompilerBytes},
                 {"warnings", report.warnings}};
  if (options.verify) {
    result["verify"] = Json::array();
    for (const Verification &verification : report.verifications)
      result["verify"].push_back(verificationJson(verification));
    result["not_verified"] = report.notVerified;
  }
  return result;
}

static void printVerification(const Verification &verification) {
  std::printf("\nverified on %s with %lld tokens, against the reference in f32\n", verification.isa.c_str(),
              static_cast<long long>(verification.positions));
  std::printf("  %-12s %14s %14s\n", "layer", "largest error", "relative error");
  for (const LayerDifference &layer : verification.layers)
    std::printf("  %-12s %14.3g %14.3g\n", layer.name.c_str(), layer.largest, layer.relative);
  if (verification.encoder) {
    std::printf("  cosine of outputs %.7f\n  %s: the bound is relative error %.3g\n", verification.cosine,
                verification.passed ? "passed" : "FAILED", verification.errorBound);
    return;
  }
  std::printf("  KL mean %.3g, largest %.3g nats; same most likely token %.1f %%\n", verification.klMean,
              verification.klMax, verification.top1Agreement * 100);
  std::printf("  %s: bounds are KL %.3g nats, relative error %.3g\n", verification.passed ? "passed" : "FAILED",
              verification.klBound, verification.errorBound);
}

static void printStats(const CompileReport &report) {
  std::printf("\nformats\n");
  for (const FormatSize &size : report.formats)
    std::printf("  %-22s %15s bytes %15s parameters  %.2f bits each\n", size.format.c_str(),
                grouped(size.bytes).c_str(), grouped(size.parameters).c_str(), bits(size));
  std::printf("\ntargets\n");
  for (const auto &[name, bytes] : report.targets)
    std::printf("  %-22s %15s bytes of code\n", name.c_str(), grouped(bytes).c_str());
  std::printf("\nschedule, of %s kernels\n", grouped(report.kernels).c_str());
  for (const EntrySize &entry : report.entries)
    std::printf("  %-22s %5llu dispatches %5llu barriers, %.1f per layer\n", entry.name.c_str(),
                static_cast<unsigned long long>(entry.dispatches), static_cast<unsigned long long>(entry.barriers),
                report.layers ? static_cast<double>(entry.barriers) / static_cast<double>(report.layers) : 0);
  if (!report.raised.empty())
    std::printf("\nfound in the graph\n");
  for (const auto &[name, count] : report.raised)
    std::printf("  %-22s %15d\n", name.c_str(), count);
  std::printf("\nseconds\n");
  for (const auto &[name, taken] : report.stages)
    std::printf("  %-22s %15.3f\n", name.c_str(), taken);
  std::printf("\npeak memory of the compiler: %s\n", exactBytes(report.peakCompilerBytes).c_str());
}

static void printSummary(const CompileOptions &options, const CompileReport &report) {
  if (report.outputBytes)
    std::printf("%s: %s", options.output.c_str(), exactBytes(report.outputBytes).c_str());
  for (size_t i = 0; i < report.furtherFiles.size(); ++i)
    std::printf("%s%s", i ? ", " : "; beside it ", report.furtherFiles[i].c_str());
  if (report.outputBytes)
    std::printf("\n");
  if (!report.fileBytes) // made of a package, of which nothing new is known
    return;
  std::printf("%s: %s, %s parameters, context %llu\n", options.output.c_str(), report.model.c_str(),
              grouped(report.parameters).c_str(), static_cast<unsigned long long>(report.context));
  std::printf("  %-16s %s, %.2f bits per weight\n", report.outputBytes ? "package in it" : "file", exactBytes(report.fileBytes).c_str(), report.bitsPerWeight);
  std::printf("  %-16s weights %s, code %s, tokenizer %s, manifest %s, padding %s\n", "of which",
              grouped(report.weightBytes).c_str(), grouped(report.codeBytes).c_str(),
              grouped(report.tokenizerBytes).c_str(), grouped(report.manifestBytes).c_str(),
              grouped(padding(report)).c_str());
  std::string targets;
  for (const auto &[name, bytes] : report.targets)
    targets += (targets.empty() ? "" : ", ") + name;
  std::printf("  %-16s %s\n", "targets", targets.c_str());
  if (report.peakRuntimeBytes)
    std::printf("  %-16s %s, one session on %u threads\n", "needs to run", exactBytes(report.peakRuntimeBytes).c_str(),
                report.threads);
  std::printf("  %-16s %.2f s\n", "compiled in", seconds(report));
}

void printReport(const CompileOptions &options, const CompileReport &report, const ReportStyle &style) {
  if (style.json) {
    printJson(reportJson(options, report));
    return;
  }
  if (!style.quiet)
    printSummary(options, report);
  if (style.stats)
    printStats(report);
  for (const Verification &verification : report.verifications)
    if (!style.quiet || !verification.passed)
      printVerification(verification);
  if (!style.quiet)
    for (const std::string &name : report.notVerified)
      std::printf("\nnot verified: this machine does not run %s\n", name.c_str());
  flushOutput();
}

} // namespace sinter
