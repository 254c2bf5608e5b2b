// One sched.weight -> its bytes in the weights section.
#pragma once

#include "dialects/Formats.h"
#include "dialects/sched/Sched.h"
#include "dialects/tx/ParamReader.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <vector>

namespace sinter {

// Takes consecutive pieces of a weight.
using ByteSink = llvm::function_ref<llvm::Error(llvm::ArrayRef<uint8_t>)>;

class PackedWeight {
public:
  // Resolves the weight's sources and checks that their shapes give what the op says.
  static llvm::Expected<PackedWeight> create(sched::WeightOp weight, mlir::SymbolTable &symbols);

  int64_t bytes() const { return tiles * tileBytes; }
  // A row of dialects/Formats.h; vectors are plain f32, raw weights what their file has.
  llvm::StringRef formatName() const { return format ? llvm::StringRef(format->name) : raw ? "raw" : "f32"; }
  // Elements of the sources: what the model's parameters are counted in.
  uint64_t parameters() const;

  // Reads, quantizes and packs everything, a few MiB at a time, over all threads. The bytes do not depend on how many
  // there are. `sink` is called from the calling thread.
  llvm::Error pack(tx::ParamReader &reader, ByteSink sink) const;

private:
  struct Source {
    tx::ParamOp param;
    int64_t rows; // of a vector: its elements
  };

  llvm::Error packTileAt(tx::ParamReader &reader, int64_t tile, uint8_t *out) const;
  llvm::Error packVector(tx::ParamReader &reader, ByteSink sink) const;
  llvm::Error copy(tx::ParamReader &reader, ByteSink sink) const;

  const Format *format = nullptr; // nullptr: a vector, or raw
  bool raw = false;               // one source, byte by byte
  bool interleave = false;        // two sources, tile by tile
  float add = 0;                  // to each element of a vector
  std::vector<Source> sources;
  int64_t columns = 0;
  int64_t tiles = 0, tileBytes = 0;
};

} // namespace sinter
