// Text goes in, pieces come out: each step either rewrites its piece or splits it and hands the parts on. The walk is
// depth first, so a long text is never held as a list of its words: a step's buffer is free again as soon as the steps
// after it are done with the piece. The order of splits and their treatment follow Hugging Face's `tokenizers`.

#include "steps.h"
#include "byte_alphabet.h"
#include "section.h"
#include "unicode.h"
#include "utf8.h"

namespace sinter::tokenizer {

using tokens::Behavior;
using tokens::StepKind;

static bool needsNormalization(StepKind kind) {
  switch (kind) {
  case StepKind::nfc:
  case StepKind::nfd:
  case StepKind::nfkc:
  case StepKind::nfkd:
  case StepKind::lowercase:
  case StepKind::clean:
  case StepKind::space_ideographs:
  case StepKind::strip_marks:
  case StepKind::strip_all_marks:
  case StepKind::charsmap:
    return true;
  default:
    return false;
  }
}

bool Steps::open(const flatbuffers::Vector<flatbuffers::Offset<tokens::Step>> &list, const char *where,
                 std::string &error) {
  if (list.size() > kMaxSteps) {
    error =
        std::string(where) + ": " + std::to_string(list.size()) + " steps (limit " + std::to_string(kMaxSteps) + ")";
    return false;
  }
  steps.clear();
  for (const tokens::Step *source : list) {
    std::string place = std::string(where) + " step " + std::to_string(steps.size()) + ": ";
    Step step = {};
    step.kind = source->kind();
    step.behavior = source->behavior();
    step.literal = view(source->literal());
    step.text = view(source->text());
    step.invert = source->invert();
    step.onlyFirst = source->only_first();
    step.left = source->left();
    step.right = source->right();
    if (step.kind > StepKind::MAX || step.behavior > Behavior::MAX) {
      error = place + "unknown kind " + std::to_string(static_cast<int>(step.kind)) + " or behavior " +
              std::to_string(static_cast<int>(step.behavior));
      return false;
    }
    if (!isUtf8(step.literal) || !isUtf8(step.text) || !isUtf8(view(source->regex()))) {
      error = place + "a text is not UTF-8";
      return false;
    }
    if (!hasNormalization() && needsNormalization(step.kind)) {
      error = place + "needs Unicode's tables, and this program was built without them";
      return false;
    }
    if (step.kind == StepKind::charsmap && !step.charsmap.open(*source, error)) {
      error = place + error;
      return false;
    }
    bool searches = step.kind == StepKind::replace || step.kind == StepKind::split;
    if (searches && source->regex()) {
      std::string reason;
      if (!step.pattern.compile(view(source->regex()), reason)) {
        error = place + reason;
        return false;
      }
    } else if (searches || step.kind == StepKind::prepend_missing) {
      if (step.literal.empty()) {
        error = place + "no pattern";
        return false;
      }
      step.pattern.setLiteral(step.literal);
    }
    steps.push_back(std::move(step));
  }
  return true;
}

bool Steps::run(Piece piece, StepMemory &memory, const PieceReceiver &receive) const {
  if (memory.texts.size() < steps.size()) {
    memory.texts.resize(steps.size());
    memory.parts.resize(steps.size());
  }
  return runFrom(0, piece, memory, receive);
}

static bool tooLong(StepMemory &memory) {
  memory.error = "the normalizer makes the text longer than " + std::to_string(Steps::kMaxPieceBytes) + " bytes";
  return false;
}

bool Steps::runFrom(size_t index, Piece piece, StepMemory &memory, const PieceReceiver &receive) const {
  for (; index < steps.size() && !piece.text.empty(); ++index) {
    const Step &step = steps[index];
    if (piece.text.size() > kMaxPieceBytes)
      return tooLong(memory);
    std::string &result = memory.texts[index];
    switch (step.kind) {
    case StepKind::prepend:
    case StepKind::prepend_missing:
      if (step.kind == StepKind::prepend_missing &&
          (piece.text.substr(0, step.literal.size()) == step.literal || (step.onlyFirst && !piece.first)))
        continue;
      result.assign(step.text);
      result += piece.text;
      piece.text = result;
      continue;
    case StepKind::replace:
      if (!replace(step, piece.text, memory, result))
        return false;
      piece.text = result;
      continue;
    case StepKind::nfc:
    case StepKind::nfd:
    case StepKind::nfkc:
    case StepKind::nfkd:
      piece.text = normalize(piece.text, step.kind, result);
      continue;
    case StepKind::lowercase:
      lowercase(piece.text, result);
      piece.text = result;
      continue;
    case StepKind::clean:
    case StepKind::space_ideographs:
    case StepKind::strip_marks:
    case StepKind::strip_all_marks:
      changeCharacters(piece.text, step.kind, result);
      piece.text = result;
      continue;
    case StepKind::charsmap:
      if (!step.charsmap.apply(piece.text, result, kMaxPieceBytes))
        return tooLong(memory);
      piece.text = result;
      continue;
    case StepKind::strip:
      piece.text = strip(piece.text, step.left, step.right);
      continue;
    case StepKind::bytes:
      result.clear();
      for (char byte : piece.text)
        appendCharacter(result, kByteAlphabet.codes[static_cast<unsigned char>(byte)]);
      piece.text = result;
      continue;
    case StepKind::split:
      std::vector<SplitPart> &parts = memory.parts[index];
      if (!findParts(step, piece.text, memory, parts))
        return false;
      for (const SplitPart &part : parts)
        if (part.begin < part.end &&
            !runFrom(index + 1, {piece.text.substr(part.begin, part.end - part.begin), piece.first && part.begin == 0},
                     memory, receive))
          return false;
      return true;
    }
  }
  return piece.text.empty() || receive(piece);
}

// Calls `visit` with each match, left to right; it returns false to stop. An empty match right behind the match before
// it does not count.
template <typename Visit>
static bool forEachMatch(const Pattern &pattern, std::string_view text, StepMemory &memory, const Visit &visit) {
  size_t lastEnd = std::string_view::npos;
  for (size_t from = 0; from <= text.size();) {
    Match match;
    MatchResult result = pattern.find(text, from, memory.match, match, memory.error);
    if (result == MatchResult::failed)
      return false;
    if (result == MatchResult::none)
      break;
    bool empty = match.begin == match.end;
    if (!(empty && match.end == lastEnd) && !visit(match))
      return false;
    lastEnd = match.end;
    from = match.end;
    if (empty)
      from += from < text.size() ? readCharacter(text.substr(from)).size : 1;
  }
  return true;
}

bool Steps::replace(const Step &step, std::string_view text, StepMemory &memory, std::string &result) const {
  result.clear();
  size_t done = 0;
  bool finished = forEachMatch(step.pattern, text, memory, [&](const Match &match) {
    result += text.substr(done, match.begin - done);
    result += step.text;
    done = match.end;
    return result.size() <= kMaxPieceBytes || tooLong(memory);
  });
  result += text.substr(done);
  return finished;
}

// Joins parts as the behaviour asks: a match goes to the part before it (or after it), unless that is a match too.
static void mergeMatches(std::vector<SplitPart> &parts, bool withNext) {
  std::vector<SplitPart> merged;
  bool previousMatch = false;
  size_t count = parts.size();
  for (size_t i = 0; i < count; ++i) {
    const SplitPart &part = parts[withNext ? count - 1 - i : i];
    if (part.match && !previousMatch && !merged.empty()) {
      if (withNext)
        merged.back().begin = part.begin;
      else
        merged.back().end = part.end;
    } else {
      merged.push_back(part);
    }
    previousMatch = part.match;
  }
  if (withNext)
    parts.assign(merged.rbegin(), merged.rend());
  else
    parts.swap(merged);
}

bool Steps::findParts(const Step &step, std::string_view text, StepMemory &memory,
                      std::vector<SplitPart> &parts) const {
  parts.clear();
  size_t done = 0;
  auto add = [&](size_t begin, size_t end, bool isMatch) {
    isMatch ^= step.invert;
    if (isMatch && step.behavior == Behavior::removed)
      return;
    if (step.behavior == Behavior::contiguous && !parts.empty() && parts.back().match == isMatch)
      parts.back().end = end;
    else
      parts.push_back({begin, end, isMatch});
  };
  bool finished = forEachMatch(step.pattern, text, memory, [&](const Match &match) {
    if (match.begin > done)
      add(done, match.begin, false);
    add(match.begin, match.end, true);
    done = match.end;
    return true;
  });
  if (!finished)
    return false;
  if (done < text.size())
    add(done, text.size(), false);
  if (step.behavior == Behavior::merged_with_previous || step.behavior == Behavior::merged_with_next)
    mergeMatches(parts, step.behavior == Behavior::merged_with_next);
  return true;
}

} // namespace sinter::tokenizer
