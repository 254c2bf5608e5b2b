// From a model directory to a package: what to compile, what came of it. Free of MLIR, so that the program's main file
// stays free of it too.
#pragma once

#include "tools/Progress.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sinter {

struct CompileOptions {
  std::string model;       // a Hugging Face directory
  std::string output;      // the package, or with `emit` the text; may be empty with `emit` and `printAfter`
  std::string format;      // of the layers' matrices; empty: q4, of encoders and integer weights q8
  std::string embedFormat; // of embeddings and head; empty: what goes with `format`
  std::string targets = "host";
  std::string cacheElement; // "f32", "f16", "q8"; empty: what goes with `format`
  std::string emit;         // "tx", "sched", "kern", "llvm", "asm", "spirv", "metal"; empty: a package
  std::string printAfter;   // name of a pass
  int64_t context = 0;      // 0: what the model was trained for, at most 4096
  int64_t prefillTokens = 0; // 0: 256
  bool verify = false;
  bool yardsticks = true; // for `sinter bench --limits`
  // What to make of the package (LinkOutput.h); compile() itself only writes packages.
  std::string outputKind = "package"; // or "exe", "static", "shared"
  std::string platform;               // what it is to run on, a name of platformChoices()
  std::string symbolPrefix;           // of libraries; empty: made of the output's name
  std::string sysroot;                // where libc is found
  std::string depfile;                // where the files that the output was made of are listed, for build systems
  bool weightsInFile = false;
  bool staticProgram = false;
  // Of .onnx files:
  std::map<std::string, int64_t> dims, maxDims;   // run-time dimensions: fixed, or the most that they may be
  std::map<std::string, std::string> inputValues; // inputs that are fixed: name -> .npy file
};

struct FormatSize {
  std::string format;
  uint64_t parameters, bytes;
};

struct EntrySize {
  std::string name;
  uint64_t dispatches, barriers;
};

// One layer's difference to the reference: the largest absolute one, and L2 of the difference over L2 of the reference.
struct LayerDifference {
  std::string name;
  double largest, relative;
};

struct Verification {
  std::string isa;
  std::vector<LayerDifference> layers; // the last one is the logits
  double klMean = 0, klMax = 0, klBound = 0;
  double top1Agreement = 0, errorBound = 0;
  bool encoder = false; // compared by its outputs: `cosine` is the smallest between them and the model's
  double cosine = 1;
  int64_t positions = 0;
  bool passed = false;
};

struct CompileReport {
  std::string model, family;
  uint64_t parameters = 0, layers = 0, context = 0;
  uint64_t fileBytes = 0, weightBytes = 0, codeBytes = 0, tokenizerBytes = 0, manifestBytes = 0;
  double bitsPerWeight = 0;
  std::vector<FormatSize> formats;
  std::vector<std::pair<std::string, uint64_t>> targets; // name, bytes of code
  std::vector<EntrySize> entries;
  uint64_t kernels = 0;
  std::map<std::string, int> raised; // of an ONNX graph: how many of each op were found in it; "generic" are the rest
  std::vector<std::pair<std::string, double>> stages; // name, seconds
  uint64_t peakCompilerBytes = 0;                     // largest resident size so far
  uint64_t peakRuntimeBytes = 0;                      // one session on `threads` threads; 0: no code for this machine
  uint32_t threads = 0;
  std::vector<Verification> verifications;
  std::vector<std::string> notVerified; // targets that this machine cannot run
  std::vector<std::string> warnings;
  uint64_t outputBytes = 0;              // of an executable or a library; 0: the package is the output
  std::vector<std::string> furtherFiles; // written beside it: headers, weights
};

// False, with one line in `error`, if it failed; then no output was written. A failed verification is not a failure to
// compile: it is in the report.
bool compile(const CompileOptions &options, Progress &progress, CompileReport &report, std::string &error);

// What --help and errors list.
std::vector<std::pair<std::string, std::string>> formatSummaries(); // name, phrase
std::vector<std::string> targetNames();
// Names that stand for some of them: systems and CPUs.
std::vector<std::string> targetAliasNames();

} // namespace sinter
