// What the passes make of a program means the same as the program: each fused form against the ops it stands for, over
// random weights, in two steps so that the cache and the position count.

#include "reference/Evaluator.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"

#include <gtest/gtest.h>
#include <random>

using namespace llvm;

namespace sinter {
namespace {

// A file of f32 that is random but the same everywhere.
class RandomFile {
public:
  explicit RandomFile(size_t count) : remover("") {
    int descriptor = -1;
    EXPECT_FALSE(bool(sys::fs::createTemporaryFile("sinter-params", "bin", descriptor, path)));
    remover.setFile(path);
    std::mt19937 random(7);
    raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
    for (size_t i = 0; i < count; ++i) {
      float value = float(random() % 2001) / 1000 - 1;
      stream.write(reinterpret_cast<const char *>(&value), sizeof(value));
    }
  }
  SmallString<128> path;

private:
  FileRemover remover;
};

// Params of a block 8 wide with 2 heads of 4, 1 kv head; %ids and %pos; the body fills in %y.
std::string program(StringRef file, StringRef body) {
  std::string text = R"(
    #rope = #tx.rope<style = half, inverse_frequencies = [1.0, 0.1], factor = 1.0 : f32>
    #rms = #tx.norm<kind = rms, weight = @n, epsilon = 1.0e-5 : f32>
    #layer = #tx.norm<kind = layer, weight = @n, bias = @b, epsilon = 1.0e-5 : f32, weight_offset = 1>
    #head = #tx.norm<kind = rms, weight = @hn, epsilon = 1.0e-5 : f32>
    tx.param @embed "FILE" at 0 : tensor<16x8xf32>
    tx.param @q "FILE" at 512 : tensor<8x8xf32>
    tx.param @k "FILE" at 768 : tensor<4x8xf32>
    tx.param @v "FILE" at 896 : tensor<4x8xf32>
    tx.param @n "FILE" at 1024 : tensor<8xf32>
    tx.param @b "FILE" at 1056 : tensor<8xf32>
    tx.param @hn "FILE" at 1088 : tensor<4xf32>
    tx.param @up "FILE" at 1104 : tensor<8x8xf32>
    tx.param @bias "FILE" at 1360 : tensor<4x2xf32>
    tx.cache @kv kv_heads(1) head_dim(4) window(3)
    func.func @forward(%ids: tensor<?xi32>, %pos: index) -> tensor<?x8xf32> {
      %x = tx.embed %ids @embed {scale = 2.0 : f32} : tensor<?xi32> -> tensor<?x8xf32>
      BODY
      return %y : tensor<?x8xf32>
    })";
  text.replace(text.find("BODY"), 4, body.str());
  for (size_t at; (at = text.find("FILE")) != std::string::npos;)
    text.replace(at, 4, file.str());
  return text;
}

Rows evaluate(StringRef file, StringRef body) {
  mlir::MLIRContext context;
  context.loadDialect<tx::TxDialect, mlir::func::FuncDialect>();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceString<mlir::ModuleOp>(program(file, body), &context);
  EXPECT_TRUE(bool(module));
  tx::ParamReader reader;
  Evaluator evaluator(*module, reader);
  Rows first = cantFail(evaluator.forward({3, 1, 4, 1}));
  Rows second = cantFail(evaluator.forward({5, 9}));
  Rows both(first.rows() + second.rows(), first.cols());
  both << first, second;
  return both;
}

void expectSame(StringRef plain, StringRef fused) {
  RandomFile file(1024);
  Rows expected = evaluate(file.path, plain), actual = evaluate(file.path, fused);
  ASSERT_EQ(expected.rows(), 6);
  EXPECT_GT(expected.cwiseAbs().maxCoeff(), 0.01f);
  EXPECT_LT((expected - actual).cwiseAbs().maxCoeff(), 1e-5f);
}

TEST(Evaluator, NormInsideLinear) {
  expectSame(R"(
      %n = tx.norm #layer %x : tensor<?x8xf32>
      %y = tx.linear %n [@q] : tensor<?x8xf32> -> tensor<?x8xf32>)",
             "%y = tx.linear norm #layer %x [@q] : tensor<?x8xf32> -> tensor<?x8xf32>");
}

TEST(Evaluator, GluAndResidualInsideLinear) {
  expectSame(R"(
      %g = tx.linear %x [@q] : tensor<?x8xf32> -> tensor<?x8xf32>
      %u = tx.linear %x [@up] : tensor<?x8xf32> -> tensor<?x8xf32>
      %h = tx.glu silu %g, %u : tensor<?x8xf32>
      %y = tx.add %x, %h : tensor<?x8xf32>)",
             R"(%y = tx.linear %x [@q, @up] glu silu residual %x : tensor<?x8xf32>
                     : tensor<?x8xf32> -> tensor<?x8xf32>)");
}

TEST(Evaluator, ActivationInsideLinear) {
  expectSame(R"(
      %l = tx.linear %x [@q] bias [@b] : tensor<?x8xf32> -> tensor<?x8xf32>
      %a = tx.activate gelu %l : tensor<?x8xf32>
      %y = tx.add %x, %a : tensor<?x8xf32>)",
             R"(%y = tx.linear %x [@q] bias [@b] act gelu residual %x : tensor<?x8xf32>
                     : tensor<?x8xf32> -> tensor<?x8xf32>)");
}

// What `body` makes of `ids` and `types` in a program of full attention, 8 wide with 2 heads of 4.
Rows encode(StringRef file, StringRef body, ArrayRef<uint32_t> ids, ArrayRef<uint32_t> types) {
  std::string text = program(file, body);
  const StringRef before = "%pos: index)", after = "%types: tensor<?xi32>)";
  text.replace(text.find(before), before.size(), after.str());
  if (body.contains("tx.pool"))
    for (const char *where : {") -> tensor<?x8xf32>", "return %y : tensor<?x8xf32>"})
      text[text.find(where) + StringRef(where).find('?')] = '1';
  mlir::MLIRContext context;
  context.loadDialect<tx::TxDialect, mlir::func::FuncDialect>();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  EXPECT_TRUE(bool(module));
  tx::ParamReader reader;
  return cantFail(Evaluator(*module, reader).forward(ids, types));
}

// A masked key counts as little as one that is not there.
TEST(Evaluator, MaskOfFullAttention) {
  RandomFile file(1024);
  const char *masked = R"(
      %y = tx.attention %x, %x, %x mask %types : tensor<?xi32> heads(2) kv_heads(2) head_dim(4) scale(0.5)
         : tensor<?x8xf32>, tensor<?x8xf32>)";
  const char *plain = R"(
      %y = tx.attention %x, %x, %x heads(2) kv_heads(2) head_dim(4) scale(0.5) : tensor<?x8xf32>, tensor<?x8xf32>)";
  Rows five = encode(file.path, masked, {3, 1, 4, 1, 5}, {1, 1, 0, 1, 0});
  Rows three = encode(file.path, plain, {3, 1, 1}, {0, 0, 0});
  EXPECT_LT((five.row(0) - three.row(0)).cwiseAbs().maxCoeff(), 1e-6f);
  EXPECT_LT((five.row(3) - three.row(2)).cwiseAbs().maxCoeff(), 1e-6f);
  EXPECT_GT((five.row(2) - three.row(2)).cwiseAbs().maxCoeff(), 0.01f);
  EXPECT_EQ(encode(file.path, masked, {3, 1}, {0, 0}).cwiseAbs().maxCoeff(), 0);
}

// A bias that is the same for all distances changes nothing; one that depends on them does.
TEST(Evaluator, RelativeBias) {
  RandomFile file(1024);
  auto attend = [&](const std::string &relative) {
    return encode(file.path,
                  "%y = tx.attention %x, %x, %x " + relative +
                      " heads(2) kv_heads(2) head_dim(4) scale(0.5) : tensor<?x8xf32>, tensor<?x8xf32>",
                  {3, 1, 4, 1}, {0, 0, 0, 0});
  };
  Rows plain = attend(""), far = attend("relative <table = @bias, thresholds = [100]>");
  Rows near = attend("relative <table = @bias, thresholds = [2]>");
  EXPECT_GT((plain - near).cwiseAbs().maxCoeff(), 0.01f);
  // Threshold 100 is never reached, so only the direction counts: for the first query all other keys lie behind it.
  EXPECT_GT((plain - far).cwiseAbs().maxCoeff(), 0.01f);
  EXPECT_LT((plain.row(3) - far.row(3)).cwiseAbs().maxCoeff(), 1e-6f);
}

// [1, 8] of rows [2, 8]: each pooling by hand, and the length after tx.unit.
TEST(Evaluator, Pooling) {
  RandomFile file(1024);
  auto run = [&](const std::string &body, ArrayRef<uint32_t> ids) {
    return encode(file.path, body.c_str(), ids, std::vector<uint32_t>(ids.size(), 0));
  };
  auto pooled = [&](const std::string &pooling, ArrayRef<uint32_t> ids) {
    return run("%p = tx.pool " + pooling + " %x : tensor<?x8xf32> -> tensor<1x8xf32>\n" +
                   "%y = tx.unit %p : tensor<1x8xf32>",
               ids);
  };
  auto unit = [](Rows rows) { return Rows(rows / rows.norm()); };
  Rows first = run("%y = tx.add %x, %x : tensor<?x8xf32>", {3}) / 2, second = run("%y = tx.add %x, %x : tensor<?x8xf32>", {7}) / 2;
  EXPECT_LT((pooled("mean", {3, 7}) - unit(first + second)).norm(), 1e-6f);
  EXPECT_LT((pooled("first", {3, 7}) - unit(first)).norm(), 1e-6f);
  EXPECT_LT((pooled("last", {3, 7}) - unit(second)).norm(), 1e-6f);
  EXPECT_LT((pooled("max", {3, 7}) - unit(first.cwiseMax(second))).norm(), 1e-6f);
}

TEST(Evaluator, ConcatenatedWeightsAndBiases) {
  expectSame(R"(
      %a = tx.linear %x [@q] bias [@b] : tensor<?x8xf32> -> tensor<?x8xf32>
      %y = tx.add %a, %x : tensor<?x8xf32>)",
             R"(
      %qq = tx.linear %x [@k, @q] bias [@hn, @b] : tensor<?x8xf32> -> tensor<?x12xf32>
      %a = tx.slice %qq from 4 : tensor<?x12xf32> -> tensor<?x8xf32>
      %y = tx.add %a, %x : tensor<?x8xf32>)");
}

TEST(Evaluator, RotateAppend) {
  expectSame(R"(
      %q0 = tx.linear %x [@q] : tensor<?x8xf32> -> tensor<?x8xf32>
      %k0 = tx.linear %x [@k] : tensor<?x8xf32> -> tensor<?x4xf32>
      %v = tx.linear %x [@v] : tensor<?x8xf32> -> tensor<?x4xf32>
      %q1 = tx.norm #head %q0 {group = 4} : tensor<?x8xf32>
      %k1 = tx.norm #head %k0 : tensor<?x4xf32>
      %q = tx.rope %q1 at %pos by #rope head_dim(4) : tensor<?x8xf32>
      %k = tx.rope %k1 at %pos by #rope head_dim(4) : tensor<?x4xf32>
      %K, %V = tx.cache_append %k, %v at %pos @kv : tensor<?x4xf32>
      %y = tx.attention %q, %K, %V at %pos heads(2) kv_heads(1) head_dim(4) scale(0.5) {window = 3}
         : tensor<?x8xf32>, tensor<?x4xf32>)",
             R"(
      %qkv = tx.linear %x [@q, @k, @v] : tensor<?x8xf32> -> tensor<?x16xf32>
      %q, %K, %V = tx.rotate_append query_norm #head key_norm #head rope #rope %qkv at %pos @kv heads(2)
         : tensor<?x16xf32> -> tensor<?x8xf32>, tensor<?x4xf32>
      %y = tx.attention %q, %K, %V at %pos heads(2) kv_heads(1) head_dim(4) scale(0.5) {window = 3}
         : tensor<?x8xf32>, tensor<?x4xf32>)");
}

// One pass over six tokens gives what 4 + 2 gave: positions, cache and window agree.
TEST(Evaluator, StepsDoNotMatter) {
  RandomFile file(1024);
  const char *body = R"(
      %qkv = tx.linear %x [@q, @k, @v] : tensor<?x8xf32> -> tensor<?x16xf32>
      %q, %K, %V = tx.rotate_append rope #rope %qkv at %pos @kv heads(2) : tensor<?x16xf32> -> tensor<?x8xf32>, tensor<?x4xf32>
      %y = tx.attention %q, %K, %V at %pos heads(2) kv_heads(1) head_dim(4) scale(0.5) {tap = "layers.0", window = 3}
         : tensor<?x8xf32>, tensor<?x4xf32>)";
  Rows steps = evaluate(file.path, body);
  mlir::MLIRContext context;
  context.loadDialect<tx::TxDialect, mlir::func::FuncDialect>();
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::parseSourceString<mlir::ModuleOp>(program(file.path, body), &context);
  tx::ParamReader reader;
  Evaluator evaluator(*module, reader);
  std::vector<std::string> taps;
  Rows whole = cantFail(
      evaluator.forward({3, 1, 4, 1, 5, 9}, [&](StringRef name, const Rows &) { taps.push_back(name.str()); }));
  EXPECT_LT((whole - steps).cwiseAbs().maxCoeff(), 1e-5f);
  EXPECT_EQ(taps, std::vector<std::string>{"layers.0"});
}

TEST(Evaluator, IdPastTheTable) {
  RandomFile file(1024);
  mlir::MLIRContext context;
  context.loadDialect<tx::TxDialect, mlir::func::FuncDialect>();
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::parseSourceString<mlir::ModuleOp>(program(file.path, "%y = tx.add %x, %x : tensor<?x8xf32>"), &context);
  tx::ParamReader reader;
  Evaluator evaluator(*module, reader);
  Expected<Rows> logits = evaluator.forward({16});
  ASSERT_FALSE(bool(logits));
  EXPECT_EQ(toString(logits.takeError()), "reference: id 16 is past the 16 rows of @embed");
}

} // namespace
} // namespace sinter
