// The steps of a normalizer or pre-tokenizer, run piece by piece.
#pragma once

#include "charsmap.h"
#include "pattern.h"
#include "runtime/tokenizer/tokenizer_generated.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sinter::tokenizer {

// A stretch of text on its way; `first` marks the one that starts where the whole text starts.
struct Piece {
  std::string_view text;
  bool first;
};

// Returns false to stop; the reason is the receiver's to keep.
using PieceReceiver = std::function<bool(Piece)>;

struct SplitPart {
  size_t begin;
  size_t end;
  bool match;
};

// What the steps of one running encode need; reused from piece to piece.
struct StepMemory {
  std::vector<std::string> texts;            // [steps] what the step made of its piece
  std::vector<std::vector<SplitPart>> parts; // [steps]
  MatchMemory match;
  std::string error;
};

class Steps {
public:
  static constexpr size_t kMaxSteps = 256;
  // A piece may not grow past this: replacements that make each other's work could go on to the end of memory.
  static constexpr size_t kMaxPieceBytes = size_t(1) << 27;

  // `steps` must outlive this. Strings are checked to be UTF-8, kinds and behaviours to be known. `where` starts the
  // message.
  bool open(const flatbuffers::Vector<flatbuffers::Offset<tokens::Step>> &steps, const char *where, std::string &error);

  // Sends each non-empty piece that comes out, in order. False: a pattern failed (memory.error says so) or the receiver
  // stopped.
  bool run(Piece piece, StepMemory &memory, const PieceReceiver &receive) const;

  size_t size() const { return steps.size(); }

private:
  struct Step {
    tokens::StepKind kind;
    Pattern pattern;
    Charsmap charsmap;
    std::string_view literal;
    std::string_view text;
    tokens::Behavior behavior;
    bool invert;
    bool onlyFirst;
    bool left;
    bool right;
  };

  bool runFrom(size_t index, Piece piece, StepMemory &memory, const PieceReceiver &receive) const;
  bool replace(const Step &step, std::string_view text, StepMemory &memory, std::string &result) const;
  bool findParts(const Step &step, std::string_view text, StepMemory &memory, std::vector<SplitPart> &parts) const;

  std::vector<Step> steps;
};

} // namespace sinter::tokenizer
