// The tx passes change how a program is written, never what it computes: after each of them the reference evaluator
// gives the same logits, for a prompt and for a continuation of it.

#include "passes/Passes.h"
#include "passes/Pipeline.h"
#include "reference/Evaluator.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"

#include <gtest/gtest.h>
#include <random>

using namespace mlir;
using namespace sinter;

namespace {

// Fusion changes no sum and no order of sums; what remains is the evaluator's freedom to block one wide product
// otherwise than two narrow ones.
constexpr float kTolerance = 1e-5f;

// Three layers that between them have what families add: biases; norms per head and a window; a layer that does not
// rotate.
constexpr char kProgram[] = R"(
#rope = #tx.rope<style = half, inverse_frequencies = [1.0, 0.1], factor = 1.0 : f32>
#in = #tx.norm<kind = rms, weight = @n, epsilon = 1.0e-5 : f32>
#post = #tx.norm<kind = layer, weight = @n, epsilon = 1.0e-5 : f32, bias = @b, weight_offset = 1>
#head = #tx.norm<kind = rms, weight = @hn, epsilon = 1.0e-5 : f32>
tx.param @embed "FILE" at 0 : tensor<16x8xf32>
tx.param @q "FILE" at 512 : tensor<8x8xf32>
tx.param @k "FILE" at 768 : tensor<4x8xf32>
tx.param @v "FILE" at 896 : tensor<4x8xf32>
tx.param @o "FILE" at 1024 : tensor<8x8xf32>
tx.param @gate "FILE" at 1280 : tensor<12x8xf32>
tx.param @up "FILE" at 1664 : tensor<12x8xf32>
tx.param @down "FILE" at 2048 : tensor<8x12xf32>
tx.param @n "FILE" at 2432 : tensor<8xf32>
tx.param @b "FILE" at 2464 : tensor<8xf32>
tx.param @kb "FILE" at 2496 : tensor<4xf32>
tx.param @hn "FILE" at 2512 : tensor<4xf32>
tx.cache @kv.0 kv_heads(1) head_dim(4) window(0)
tx.cache @kv.1 kv_heads(1) head_dim(4) window(3)
tx.cache @kv.2 kv_heads(1) head_dim(4) window(0)

func.func @forward(%ids: tensor<?xi32>, %pos: index) -> tensor<?x16xf32> {
  %x0 = tx.embed %ids @embed {scale = 2.0 : f32} : tensor<?xi32> -> tensor<?x8xf32>

  %n0 = tx.norm #in %x0 : tensor<?x8xf32>
  %q0 = tx.linear %n0 [@q] bias [@b] : tensor<?x8xf32> -> tensor<?x8xf32>
  %k0 = tx.linear %n0 [@k] bias [@kb] : tensor<?x8xf32> -> tensor<?x4xf32>
  %v0 = tx.linear %n0 [@v] bias [@hn] : tensor<?x8xf32> -> tensor<?x4xf32>
  %qr0 = tx.rope %q0 at %pos by #rope head_dim(4) : tensor<?x8xf32>
  %kr0 = tx.rope %k0 at %pos by #rope head_dim(4) : tensor<?x4xf32>
  %K0, %V0 = tx.cache_append %kr0, %v0 at %pos @kv.0 : tensor<?x4xf32>
  %a0 = tx.attention %qr0, %K0, %V0 at %pos heads(2) kv_heads(1) head_dim(4) scale(0.5) : tensor<?x8xf32>, tensor<?x4xf32>
  %o0 = tx.linear %a0 [@o] bias [@b] : tensor<?x8xf32> -> tensor<?x8xf32>
  %y0 = tx.add %x0, %o0 : tensor<?x8xf32>
  %m0 = tx.norm #post %y0 : tensor<?x8xf32>
  %g0 = tx.linear %m0 [@gate] : tensor<?x8xf32> -> tensor<?x12xf32>
  %u0 = tx.linear %m0 [@up] : tensor<?x8xf32> -> tensor<?x12xf32>
  %h0 = tx.glu silu %g0, %u0 : tensor<?x12xf32>
  %d0 = tx.linear %h0 [@down] : tensor<?x12xf32> -> tensor<?x8xf32>
  %x1 = tx.add %y0, %d0 {tap = "layers.0"} : tensor<?x8xf32>

  %n1 = tx.norm #in %x1 : tensor<?x8xf32>
  %q1 = tx.linear %n1 [@q] : tensor<?x8xf32> -> tensor<?x8xf32>
  %k1 = tx.linear %n1 [@k] : tensor<?x8xf32> -> tensor<?x4xf32>
  %v1 = tx.linear %n1 [@v] : tensor<?x8xf32> -> tensor<?x4xf32>
  %qn1 = tx.norm #head %q1 {group = 4} : tensor<?x8xf32>
  %kn1 = tx.norm #head %k1 {group = 4} : tensor<?x4xf32>
  %qr1 = tx.rope %qn1 at %pos by #rope head_dim(4) : tensor<?x8xf32>
  %kr1 = tx.rope %kn1 at %pos by #rope head_dim(4) : tensor<?x4xf32>
  %K1, %V1 = tx.cache_append %kr1, %v1 at %pos @kv.1 : tensor<?x4xf32>
  %a1 = tx.attention %qr1, %K1, %V1 at %pos heads(2) kv_heads(1) head_dim(4) scale(0.5) {window = 3} : tensor<?x8xf32>, tensor<?x4xf32>
  %o1 = tx.linear %a1 [@o] : tensor<?x8xf32> -> tensor<?x8xf32>
  %y1 = tx.add %x1, %o1 {tap = "layers.1"} : tensor<?x8xf32>

  %q2 = tx.linear %y1 [@q] : tensor<?x8xf32> -> tensor<?x8xf32>
  %k2 = tx.linear %y1 [@k] : tensor<?x8xf32> -> tensor<?x4xf32>
  %v2 = tx.linear %y1 [@v] : tensor<?x8xf32> -> tensor<?x4xf32>
  %K2, %V2 = tx.cache_append %k2, %v2 at %pos @kv.2 : tensor<?x4xf32>
  %a2 = tx.attention %q2, %K2, %V2 at %pos heads(2) kv_heads(1) head_dim(4) scale(0.5) : tensor<?x8xf32>, tensor<?x4xf32>
  %y2 = tx.add %a2, %y1 {tap = "layers.2"} : tensor<?x8xf32>

  %f = tx.norm #post %y2 : tensor<?x8xf32>
  %logits = tx.linear %f [@embed] : tensor<?x8xf32> -> tensor<?x16xf32>
  return %logits : tensor<?x16xf32>
})";

class Meaning : public testing::Test {
protected:
  Meaning() : remover("") {
    int descriptor = -1;
    llvm::SmallString<128> path;
    EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("sinter-params", "bin", descriptor, path));
    remover.setFile(path);
    std::mt19937 random(7);
    llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
    for (int i = 0; i < 632; ++i) { // 2528 bytes of params
      float value = static_cast<float>(random() % 2001) / 1000 - 1;
      stream.write(reinterpret_cast<const char *>(&value), sizeof(value));
    }
    stream.close();

    context.loadDialect<tx::TxDialect, func::FuncDialect>();
    std::string text = kProgram;
    for (size_t at; (at = text.find("FILE")) != std::string::npos;)
      text.replace(at, 4, path.str().str());
    module = parseSourceString<ModuleOp>(text, &context);
  }

  // Logits of a prompt of four tokens and of two more after it.
  Rows logits() {
    tx::ParamReader reader;
    Evaluator evaluator(*module, reader);
    Rows prompt = llvm::cantFail(evaluator.forward({3, 1, 4, 1})), more = llvm::cantFail(evaluator.forward({5, 9}));
    Rows all(prompt.rows() + more.rows(), prompt.cols());
    all << prompt, more;
    return all;
  }

  void run(std::unique_ptr<Pass> pass) {
    PassManager passes(&context);
    passes.addPass(std::move(pass));
    ASSERT_TRUE(succeeded(passes.run(*module)));
  }

  template <typename Op> int count() {
    int ops = 0;
    module->walk([&](Op) { ++ops; });
    return ops;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;

private:
  llvm::FileRemover remover;
};

TEST_F(Meaning, IsKeptByEveryPass) {
  ASSERT_TRUE(module);
  Rows before = logits();
  ASSERT_GT(before.cwiseAbs().maxCoeff(), 0.1f); // something to compare
  auto stillMeansTheSame = [&](const char *pass) {
    float error = (logits() - before).cwiseAbs().maxCoeff();
    EXPECT_LE(error, kTolerance * before.cwiseAbs().maxCoeff()) << "after " << pass;
  };

  run(createQuantize());
  stillMeansTheSame("quantize");
  run(createFuseGlu());
  EXPECT_EQ(count<tx::GluOp>(), 0);
  stillMeansTheSame("fuse-glu");
  run(createFuseProjections());
  EXPECT_EQ(count<tx::SliceOp>(), 9);
  stillMeansTheSame("fuse-projections");
  run(createFuseNorm());
  EXPECT_EQ(count<tx::NormOp>(), 2); // the norms of heads
  stillMeansTheSame("fuse-norm");
  run(createFuseResidual());
  EXPECT_EQ(count<tx::AddOp>(), 1); // the last one adds no product
  stillMeansTheSame("fuse-residual");
  run(createFuseRotateAppend());
  EXPECT_EQ(count<tx::RotateAppendOp>(), 3);
  EXPECT_EQ(count<tx::RopeOp>() + count<tx::SliceOp>() + count<tx::CacheAppendOp>(), 0);
  stillMeansTheSame("fuse-rotate-append");
  run(createPlanKVCache());
  stillMeansTheSame("plan-kv-cache");
}

} // namespace
