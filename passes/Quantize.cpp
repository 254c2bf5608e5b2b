// In: params as the model's files store them. Out: each matrix names the format it will be packed in.
//
// A recipe says which part of a model gets which format; parts are told by what the ops around them compute, not by names
// of tensors. Nothing is quantized here: weights are not in the IR. The packer reads the choice from the params, and every later
// pass that cares (a product's weights must share a format; quantized products want quantized rows) sees it before it
// fuses. Embeddings and head are chosen apart from the body, since errors there show up directly in the logits. Vectors
// (norm weights, biases) cost next to nothing and stay f32.

#include "dialects/Formats.h"
#include "passes/Passes.h"
#include "passes/Recipes.h"

#include "llvm/ADT/DenseMap.h"

namespace sinter {
#define GEN_PASS_DEF_QUANTIZE
#include "passes/Passes.h.inc"
} // namespace sinter

using namespace mlir;
using namespace sinter;

namespace {

// Of 8-bit codes that come with scales of their own: as close to them as 8 bits get, and the fastest.
constexpr StringLiteral kOfCodes = "q8-64";

// What a matrix is used for, by the name of its param. Of several uses the last decides: a tied head is an embedding.
class Roles {
public:
  Roles(ModuleOp module, const Recipe &recipe) {
    module.walk([&](tx::LinearOp op) {
      if (isa_and_nonnull<tx::GluOp, tx::ActivateOp>(op.getInput().getDefiningOp()))
        mark(op, recipe.down);
    });
    module.walk([&](tx::AttentionOp op) {
      Value values = op.getValues();
      if (tx::CacheAppendOp append = values.getDefiningOp<tx::CacheAppendOp>())
        values = append.getValue();
      if (tx::LinearOp value = values.getDefiningOp<tx::LinearOp>())
        for (Operation *user : value.getInput().getUsers())
          if (tx::LinearOp sibling = dyn_cast<tx::LinearOp>(user))
            mark(sibling, recipe.attention);
    });
    module.walk([&](tx::EmbedOp op) { formats[op.getTableAttr().getAttr()] = recipe.embed; });
    module.walk([&](tx::PositionEmbedOp op) { formats[op.getTableAttr().getAttr()] = recipe.embed; });
    // Biases of attention are small tables that scores come from directly.
    module.walk([&](tx::AttentionOp op) {
      if (op.getRelative())
        formats[op.getRelative()->getTable().getAttr()] = "f32";
    });
    module.walk([&](func::ReturnOp op) {
      for (Value result : op.getOperands())
        if (tx::LinearOp head = result.getDefiningOp<tx::LinearOp>())
          mark(head, recipe.embed);
    });
  }

  // Empty if the param has no use of its own.
  StringRef formatOf(StringAttr param) const { return formats.lookup(param); }

private:
  void mark(tx::LinearOp linear, StringRef format) {
    for (FlatSymbolRefAttr weight : linear.getWeights().getAsRange<FlatSymbolRefAttr>())
      formats[weight.getAttr()] = format;
  }

  llvm::DenseMap<StringAttr, StringRef> formats;
};

struct Quantize : sinter::impl::QuantizeBase<Quantize> {
  using QuantizeBase::QuantizeBase;

  void runOnOperation() override {
    const bool asStored = format == "stored";
    std::optional<Recipe> recipe = findRecipe(asStored ? StringRef("f32") : StringRef(format));
    if (!recipe) {
      getOperation().emitError("unknown weight format '") << format << "', expected one of " << recipeNames();
      return signalPassFailure();
    }
    if (!embedFormat.empty())
      recipe->embed = embedFormat;
    if (!findFormat(recipe->embed)) {
      getOperation().emitError("unknown weight format '") << recipe->embed << "', expected one of " << formatNames();
      return signalPassFailure();
    }
    Roles roles(getOperation(), *recipe);
    llvm::DenseSet<StringAttr> raw;
    getOperation().walk([&](tx::ValueOp value) { raw.insert(value.getParamAttr().getAttr()); });
    for (tx::ParamOp param : getOperation().getOps<tx::ParamOp>())
      if (param.getTensorType().getRank() == 2 && !raw.contains(param.getSymNameAttr())) {
        StringRef chosen = roles.formatOf(param.getSymNameAttr());
        const bool codes = param.getStored() && param.getStored()->getScales();
        param.setFormat(asStored && codes ? StringRef(kOfCodes) : chosen.empty() ? recipe->body : chosen);
      }
  }
};

} // namespace
