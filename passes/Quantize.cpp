// In: params as the model's files store them. Out: each matrix names the format it will be packed in.
//
// Nothing is quantized here: weights are not in the IR. The packer reads the choice from the params, and every later
// pass that cares (a product's weights must share a format; quantized products want quantized rows) sees it before it
// fuses. Embeddings and head are chosen apart from the body, since errors there show up directly in the logits. Vectors
// (norm weights, biases) cost next to nothing and stay f32.

#include "dialects/Formats.h"
#include "passes/Passes.h"
#include "passes/Pipeline.h"

#include "llvm/ADT/DenseSet.h"

namespace sinter {
#define GEN_PASS_DEF_QUANTIZE
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;

// 4-bit bodies get 6 bits here: embedding and head are where rounding moves the logits most, and 8 bits are no better
// (docs/formats.md) but take a quarter more to read.
std::string sinter::defaultEmbedFormat(llvm::StringRef format) {
  const Format *body = findFormat(format);
  return body && body->isQuantized() && body->bits < 6 ? "q6" : format.str();
}

namespace {

// Names of the params that a module embeds tokens with, or computes logits with.
llvm::DenseSet<StringAttr> embeddingsAndHead(ModuleOp module) {
  llvm::DenseSet<StringAttr> names;
  module.walk([&](sinter::tx::EmbedOp embed) { names.insert(embed.getTableAttr().getAttr()); });
  module.walk([&](func::ReturnOp op) {
    for (Value result : op.getOperands())
      if (sinter::tx::LinearOp head = result.getDefiningOp<sinter::tx::LinearOp>())
        for (FlatSymbolRefAttr weight : head.getWeights().getAsRange<FlatSymbolRefAttr>())
          names.insert(weight.getAttr());
  });
  return names;
}

struct Quantize : sinter::impl::QuantizeBase<Quantize> {
  using QuantizeBase::QuantizeBase;

  void runOnOperation() override {
    std::string embed = embedFormat.empty() ? sinter::defaultEmbedFormat(format) : std::string(embedFormat);
    for (StringRef name : {StringRef(format), StringRef(embed)})
      if (!sinter::findFormat(name)) {
        getOperation().emitError("unknown weight format '") << name << "', expected one of " << sinter::formatNames();
        return signalPassFailure();
      }
    llvm::DenseSet<StringAttr> outer = embeddingsAndHead(getOperation());
    for (sinter::tx::ParamOp param : getOperation().getOps<sinter::tx::ParamOp>())
      if (param.getTensorType().getRank() == 2)
        param.setFormat(outer.contains(param.getSymNameAttr()) ? StringRef(embed) : StringRef(format));
  }
};

} // namespace
