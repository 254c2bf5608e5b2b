// Plays planned schedules with several threads and looks for races and for buffers that overwrite one another.
//
// A shadow of the arena remembers, for every byte since the last barrier, which thread wrote it and which read it. Each
// dispatch touches what its kernel is documented to touch (dialects/kern/KernAttrs.td), written down here anew and unit
// by unit, so that the passes' shortcuts are checked against the meaning and not against themselves.

#include "frontend/Frontend.h"
#include "passes/Arena.h"
#include "passes/Passes.h"
#include "passes/Pipeline.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>
#include <map>

using namespace mlir;
using namespace sinter;

namespace {

// What threads did to one byte, or one token of one head of a cache, since the last barrier. -1: nobody; -2: several.
struct Cell {
  int writer = -1, reader = -1;

  // False on a race.
  bool touch(int thread, bool write) {
    bool clean = (writer == -1 || writer == thread) && (!write || reader == -1 || reader == thread);
    (write ? writer : reader) = (write ? writer : reader) == -1 || (write ? writer : reader) == thread ? thread : -2;
    return clean;
  }
};

struct Step {
  int64_t tokens, position, row;
  int threads;
};

class Player {
public:
  Player(ModuleOp module, sched::FuncOp entry, Step step) : symbols(module), entry(entry), step(step) {
    sched::PlanOp plan = *module.getOps<sched::PlanOp>().begin();
    arena.resize(*plan.getArenaBytes());
  }

  // The kernel of the first dispatch that races, or nothing; `without` plays as if that dispatch had no barrier.
  std::string race(sched::DispatchOp without = {}) {
    for (sched::DispatchOp dispatch : entry.getOps<sched::DispatchOp>()) {
      if (dispatch.getBarrier() && dispatch != without) {
        std::fill(arena.begin(), arena.end(), Cell());
        caches.clear();
      }
      int64_t units = dispatch.getUnits();
      if (int64_t per = dispatch.getTokensPerUnit())
        units *= (step.tokens + per - 1) / per;
      for (int thread = 0; thread < step.threads; ++thread)
        for (int64_t unit = units * thread / step.threads; unit < units * (thread + 1) / step.threads; ++unit)
          play(dispatch, unit, thread);
      if (raced)
        return dispatch.getKernel().str();
    }
    return "";
  }

private:
  // Touches columns [from, to) of row t of a buffer.
  void columns(Value buffer, int64_t t, int64_t from, int64_t to, bool write, int thread) {
    MemRefType type = cast<MemRefType>(buffer.getType());
    int64_t bytes = type.getElementTypeBitWidth() / 8, stride = type.getRank() == 2 ? type.getDimSize(1) : 1;
    for (int64_t byte = (t * stride + from) * bytes; byte < (t * stride + to) * bytes; ++byte)
      raced |= !arena[offset(buffer) + byte].touch(thread, write);
  }
  void row(Value buffer, int64_t t, bool write, int thread) {
    MemRefType type = cast<MemRefType>(buffer.getType());
    columns(buffer, t, 0, type.getRank() == 2 ? type.getDimSize(1) : 1, write, thread);
  }
  void rows(Value buffer, bool write, int thread) {
    for (int64_t t = 0; t < step.tokens; ++t)
      row(buffer, t, write, thread);
  }
  void cached(Value cache, int64_t head, int64_t position, bool write, int thread) {
    raced |= !caches[{cache.getAsOpaquePointer(), head, position}].touch(thread, write);
  }

  int64_t offset(Value buffer) {
    if (sched::AllocOp alloc = buffer.getDefiningOp<sched::AllocOp>())
      return *alloc.getOffset();
    sched::RefOp ref = buffer.getDefiningOp<sched::RefOp>();
    return *symbols.lookup<sched::BufferOp>(ref.getSymbol()).getOffset();
  }

  void play(sched::DispatchOp dispatch, int64_t unit, int thread) {
    kern::SpecInterface spec =
        cast<kern::SpecInterface>(symbols.lookup<sched::KernelOp>(dispatch.getKernel()).getSpec());
    // By name, as documented; a name that the kernel lacks is null.
    auto binding = [&](StringRef name) {
      for (auto [info, value] : llvm::zip_equal(spec.getBindings(), dispatch.getBindings()))
        if (name == info.name)
          return value;
      return Value();
    };
    auto reads = [&](StringRef name, auto touch) { binding(name) ? touch(binding(name), false) : void(); };
    auto writes = [&](StringRef name, auto touch) { binding(name) ? touch(binding(name), true) : void(); };

    if (isa<kern::EmbedAttr, kern::RowsAttr, kern::RopeTableAttr, kern::UnitAttr>(spec)) { // unit: a token
      auto own = [&](Value buffer, bool write) { row(buffer, unit, write, thread); };
      for (StringRef name : {"ids", "type_ids", "in"})
        reads(name, own);
      for (StringRef name : {"out", "codes", "scales", "sums"})
        writes(name, own);
    } else if (kern::LinearAttr linear = dyn_cast<kern::LinearAttr>(spec)) { // unit: 32 outputs, all tokens
      auto input = [&](Value buffer, bool write) {
        if (linear.getRowFromScalar() || linear.getSingle())
          return row(buffer, linear.getRowFromScalar() ? step.row : 0, write, thread);
        rows(buffer, write, thread);
      };
      auto tile = [&](Value buffer, bool write) {
        for (int64_t t = 0; t < (linear.getSingle() ? 1 : step.tokens); ++t)
          columns(buffer, t, 32 * unit, 32 * unit + 32, write, thread);
      };
      for (StringRef name : {"in", "codes", "scales", "sums"})
        reads(name, input);
      reads("residual", tile);
      writes("out", tile);
    } else if (kern::RotateAppendAttr rotate = dyn_cast<kern::RotateAppendAttr>(spec)) {
      heads(rotate, unit, [&](int64_t head, int64_t t, int64_t group, int64_t dim) {
        int64_t keys = rotate.getHeads() * dim, values = keys + rotate.getKvHeads() * dim;
        for (bool write : {false, true}) {
          columns(binding("qkv"), t, head * group * dim, (head + 1) * group * dim, write, thread);
          columns(binding("qkv"), t, keys + head * dim, keys + (head + 1) * dim, write, thread);
        }
        columns(binding("qkv"), t, values + head * dim, values + (head + 1) * dim, false, thread);
        reads("table", [&](Value table, bool write) { row(table, t, write, thread); });
        cached(binding("cache"), head, step.position + t, true, thread);
      });
    } else if (kern::AttentionAttr attention = dyn_cast<kern::AttentionAttr>(spec)) {
      heads(attention, unit, [&](int64_t head, int64_t t, int64_t group, int64_t dim) {
        columns(binding("qkv"), t, head * group * dim, (head + 1) * group * dim, false, thread);
        for (int64_t position = 0; position <= step.position + t; ++position)
          cached(binding("cache"), head, position, false, thread);
        columns(binding("out"), t, head * group * dim, (head + 1) * group * dim, true, thread);
      });
    } else if (kern::FullAttentionAttr full = dyn_cast<kern::FullAttentionAttr>(spec)) {
      heads(full, unit, [&](int64_t head, int64_t t, int64_t group, int64_t dim) {
        ArrayRef<int64_t> from = full.getColumns();
        columns(binding("query"), t, from[0] + head * group * dim, from[0] + (head + 1) * group * dim, false, thread);
        for (int64_t other = 0; other < step.tokens; ++other) {
          columns(binding("keys"), other, from[1] + head * dim, from[1] + (head + 1) * dim, false, thread);
          columns(binding("values"), other, from[2] + head * dim, from[2] + (head + 1) * dim, false, thread);
        }
        reads("bias", [&](Value bias, bool write) {
          for (int64_t member = head * group; member < (head + 1) * group; ++member)
            row(bias, member, write, thread);
        });
        columns(binding("out"), t, head * group * dim, (head + 1) * group * dim, true, thread);
      });
    } else if (isa<kern::RelativeBiasAttr>(spec)) { // unit: a head
      row(binding("out"), unit, true, thread);
    } else if (isa<kern::PoolAttr>(spec)) { // unit: 32 columns
      for (int64_t t = 0; t < step.tokens; ++t)
        columns(binding("in"), t, 32 * unit, 32 * unit + 32, false, thread);
      columns(binding("out"), 0, 32 * unit, 32 * unit + 32, true, thread);
    } else {
      ADD_FAILURE() << "a kind of kernel that this test does not know";
    }
  }

  // Units of heads are numbered kv_head * blocks + block; calls `touch` with each token of the unit's block.
  template <typename Spec, typename Touch> void heads(Spec spec, int64_t unit, Touch touch) {
    int64_t per = spec.getTokensPerUnit(), blocks = (step.tokens + per - 1) / per;
    for (int64_t t = unit % blocks * per; t < std::min(step.tokens, (unit % blocks + 1) * per); ++t)
      touch(unit / blocks, t, spec.getHeads() / spec.getKvHeads(), spec.getHeadDim());
  }

  SymbolTable symbols;
  sched::FuncOp entry;
  Step step;
  std::vector<Cell> arena;
  std::map<std::tuple<const void *, int64_t, int64_t>, Cell> caches; // cache, head, position
  bool raced = false;
};

// A decoder, and the encoder whose text is a test of the pipeline.
struct Program {
  const char *name;
  const char *format;
  bool encoder;
};

class Schedule : public testing::TestWithParam<Program> {
protected:
  void SetUp() override {
    context.loadDialect<tx::TxDialect, sched::SchedDialect, func::FuncDialect>();
    if (GetParam().encoder) {
      module = parseSourceFile<ModuleOp>(SINTER_SOURCE_DIR "/test/passes/encoder.mlir", &context);
      ASSERT_TRUE(bool(module));
    } else {
      llvm::Expected<ImportedModel> model = importHuggingFace(SINTER_SOURCE_DIR "/models/tales", context);
      ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
      module = std::move(model->module);
    }
    PassManager passes(&context);
    PipelineOptions options;
    options.format = GetParam().format;
    options.context = GetParam().encoder ? 40 : 64;
    options.prefillTokens = 40; // blocks of 16, 16 and 8 tokens
    buildPipeline(passes, options);
    ASSERT_TRUE(succeeded(passes.run(*module)));
  }

  // The largest step of an entry, and the smallest.
  SmallVector<Step> steps(sched::FuncOp entry) {
    SmallVector<Step> steps;
    for (int threads : {2, 3, 5})
      for (int64_t tokens : {static_cast<int64_t>(entry.getMaxTokens()), int64_t(1)})
        steps.push_back({tokens, /*position=*/7, /*row=*/3, threads});
    return steps;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_P(Schedule, HasNoRaces) {
  for (sched::FuncOp entry : module->getOps<sched::FuncOp>())
    for (Step step : steps(entry))
      EXPECT_EQ(Player(*module, entry, step).race(), "")
          << entry.getSymName().str() << " of " << step.tokens << " tokens on " << step.threads << " threads";
}

TEST_P(Schedule, NeedsEveryBarrier) {
  for (sched::FuncOp entry : module->getOps<sched::FuncOp>())
    for (sched::DispatchOp dispatch : entry.getOps<sched::DispatchOp>()) {
      if (!dispatch.getBarrier())
        continue;
      bool races =
          llvm::any_of(steps(entry), [&](Step step) { return Player(*module, entry, step).race(dispatch) != ""; });
      EXPECT_TRUE(races) << entry.getSymName().str() << ": nothing races without the barrier before "
                         << dispatch.getKernel().str();
    }
}

// Whatever is between its first and last use has its bytes to itself.
TEST_P(Schedule, KeepsLiveBuffersApart) {
  SymbolTable symbols(*module);
  for (sched::FuncOp entry : module->getOps<sched::FuncOp>()) {
    std::map<int64_t, int64_t> pinned; // offset -> end
    for (sched::BufferOp buffer : module->getOps<sched::BufferOp>())
      pinned[*buffer.getOffset()] = *buffer.getOffset() + bufferBytes(cast<MemRefType>(buffer.getType()));
    for (sched::DispatchOp dispatch : entry.getOps<sched::DispatchOp>()) {
      std::map<int64_t, int64_t> live = pinned;
      for (sched::AllocOp alloc : entry.getOps<sched::AllocOp>()) {
        bool used = false, usedLater = false;
        for (Operation *user : alloc->getUsers()) {
          used |= user == dispatch || user->isBeforeInBlock(dispatch);
          usedLater |= user == dispatch || dispatch->isBeforeInBlock(user);
        }
        if (used && usedLater) {
          EXPECT_EQ(*alloc.getOffset() % 64, 0);
          EXPECT_TRUE(live.insert({*alloc.getOffset(), *alloc.getOffset() + bufferBytes(alloc.getType())}).second);
        }
      }
      int64_t end = 0;
      for (auto [from, to] : live) {
        EXPECT_GE(from, end);
        end = to;
      }
      sched::PlanOp plan = *module->getOps<sched::PlanOp>().begin();
      EXPECT_LE(end, static_cast<int64_t>(*plan.getArenaBytes()));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Schedule, testing::Values(Program{"f32", "f32", false}, Program{"q4", "q4", false},
                                         Program{"q4z_128", "q4z-128", false}, Program{"encoder_f32", "f32", true},
                                         Program{"encoder_q8", "q8", true}),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
