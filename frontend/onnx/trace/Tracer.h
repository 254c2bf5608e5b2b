// Follows an exported transformer at a few chosen sizes and writes down what it computes as tx ops.
#pragma once

#include "frontend/onnx/ModelFile.h"
#include "frontend/onnx/trace/Known.h"
#include "frontend/onnx/trace/StridedView.h"

#include "dialects/tx/Tx.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

#include <map>
#include <memory>
#include <set>
#include <string>

namespace sinter::onnx_import {

// What a value of the graph is.
enum class Form {
  known,  // its content is known
  weight, // elements of a tensor of the file, in another order
  ids,    // the tokens
  codes,  // rows of a quantized table, gathered by the ids
  rows,   // elements of tx rows, times a factor
  // On their way to an activation or a norm; each knows the rows that it was made of.
  mean, centered, square, variance, root, inverse, normalized, erf, erfPlusOne, sigmoid,
  // Of integer products.
  quantized, scale, zero, scaleProduct, product,
  // Of rotary embeddings: the second half of each head in front of the first, negated; rows times a table.
  swapped, turned,
  // Of attention.
  past,   // keys or values of the tokens so far
  sofar,  // those, and the step's
  scores, probabilities, isNaN,
};

// Elements of the weight are `(stored - zero) * scale`, per element of `axis` if there are several scales.
struct Weight {
  const ::onnx::TensorProto *tensor = nullptr;
  std::vector<double> scales, zeros; // empty: as stored
  int64_t axis = 0;                  // of the tensor in its file
};

struct Traced {
  Form form = Form::known;
  Known known;       // of known; the table of turned; the scales of scaleProduct
  Weight weight;     // of weight, codes, product
  mlir::Value rows;  // of what comes from rows; the queries of scores
  StridedView view;         // into rows, the weight's tensor, or a tensor [heads, tokens, keys] of scores
  StridedView weightView;   // of product
  std::shared_ptr<Traced> keys; // of scores
  double factor = 1;
  double epsilon = 0;     // of variance and what follows
  bool isCentered = false;
  bool isSwapped = false; // of turned
  bool isCausal = false;  // of scores: later keys are masked
  bool isMasked = false;  // of scores: whether there was a mask at all
  // Of past, sofar, scores.
  int64_t cache = -1;
  bool isValue = false;
  int64_t heads = 0, kvHeads = 0, headDim = 0;
};

// The sizes at which a graph is followed. None of them is a size of the model.
struct Probe {
  int64_t tokens = 1, past = 0;
};

// Key and value of one layer, by the names of inputs and outputs.
struct CacheName {
  int64_t layer;
  bool isValue, ofEncoder;
};
std::optional<CacheName> parseCacheName(const std::string &name);

// The params of a module, each tensor in each form once.
struct ParamTable {
  std::map<std::string, std::string> names; // by what they are made of; the same in all modules that are compared
  std::set<std::string> taken, made;        // names; of these, those in this module
  uint64_t parameters = 0;
};

class Tracer {
public:
  // Ops are appended at the builder's place; params at the front of its module.
  Tracer(const ModelFile &file, mlir::OpBuilder &builder, ParamTable &params, Probe probe);

  mlir::Value tokenIds;         // i32[tokens]; null in an encoder
  mlir::Value position;         // index: of the first token; null in an encoder
  std::vector<std::pair<int64_t, int64_t>> cacheShapes; // by layer: kv heads, head dim; filled as caches are met

  // Fixes an input, or any value, before the run.
  void define(const std::string &name, Traced value) { fixed[name] = std::move(value); }
  // The values of outputs. Nothing else of the graph is looked at.
  std::vector<Traced> run(const std::vector<std::string> &outputs);

  // Rows as they are, all tokens by all columns; an error if the value is not that.
  mlir::Value wholeRows(const Traced &value);
  static Known ones(std::vector<int64_t> shape);
  Traced rowsOf(mlir::Value rows, int64_t tokens, std::vector<int64_t> shape);
  Traced headsOf(mlir::Value rows, int64_t tokens, int64_t heads, int64_t headDim);
  mlir::Value linear(const std::string &name, mlir::Value input, const Weight &weight, const StridedView &view);
  mlir::FlatSymbolRefAttr zeroVector(const std::string &name, int64_t count) {
    return vectorParam(name, {{count}, std::vector<double>(count, 0.0), true});
  }
  // Products for queries, keys and values of one attention stand in this order, and have biases if one of them does: so
  // they can become one product.
  void orderProjections(mlir::func::FuncOp func);
  mlir::Location at(const std::string &name);
  mlir::RankedTensorType rowsType(int64_t width);

private:
  using Scope = std::map<std::string, Traced>;

  void runNodes(const ::onnx::GraphProto &graph, const std::vector<std::string> &wanted);
  void runNode(const ::onnx::NodeProto &node, const std::set<std::string> &wanted);
  const Traced &lookup(const std::string &name);
  void put(const std::string &name, Traced value);
  Traced initializer(const ::onnx::TensorProto &tensor);
  void traceOp(const ::onnx::NodeProto &node, std::vector<Traced> &in, std::vector<Traced> &out);
  // Ops on views, of any form.
  bool traceShape(const ::onnx::NodeProto &node, std::vector<Traced> &in, std::vector<Traced> &out);
  Traced add(const ::onnx::NodeProto &node, Traced &a, Traced &b);
  Traced subtract(Traced &a, Traced &b);
  Traced multiply(const ::onnx::NodeProto &node, Traced &a, Traced &b);
  Traced divide(Traced &a, Traced &b);
  Traced power(Traced &a, Traced &b);
  Traced mean(const ::onnx::NodeProto &node, std::vector<Traced> &in);
  Traced normOf(const std::string &name, const Traced &source, const Known &weight, const Known *bias, bool isCentered, double epsilon);
  Traced addBias(const ::onnx::NodeProto &node, const Traced &rows, const Traced &bias);
  Traced rotate(const ::onnx::NodeProto &node, const Traced &direct, const Traced &swapped);
  Traced activate(const Traced &source, tx::Activation activation);
  Traced gather(const ::onnx::NodeProto &node, std::vector<Traced> &in);
  Traced concat(const ::onnx::NodeProto &node, std::vector<Traced> &in);
  Traced matmul(const ::onnx::NodeProto &node, Traced &a, Traced &b);
  Traced product(const ::onnx::NodeProto &node, const Traced &a, Weight weight, const StridedView &view);
  Traced scores(const Traced &query, const Traced &keys);
  Traced maskScores(const Traced &scores, const Known &mask);
  Traced attend(const ::onnx::NodeProto &node, const Traced &probabilities, const Traced &values);
  Traced cached(const Traced &view, int64_t layer, bool isValue);

  mlir::FlatSymbolRefAttr matrixParam(const std::string &name, const Weight &weight, const StridedView &view);
  mlir::FlatSymbolRefAttr vectorParam(const std::string &name, const Known &content);
  mlir::FlatSymbolRefAttr addParam(const std::string &name, const std::string &key, llvm::StringRef path, int64_t offset,
                                   mlir::RankedTensorType type, mlir::DenseI8ArrayAttr data, tx::StoredAttr stored);

  // A head's rows within rows [tokens, ...]: which columns, how many tokens.
  struct Heads {
    int64_t column, heads, kvHeads, headDim, tokens;
  };
  Heads headsIn(const Traced &value, bool transposed);
  int64_t width(mlir::Value rows) { return llvm::cast<mlir::RankedTensorType>(rows.getType()).getDimSize(1); }
  int64_t tokensOf(const Traced &value);
  mlir::Value columnsOf(mlir::Value rows, int64_t begin, int64_t width);

  const ModelFile &file;
  mlir::OpBuilder &builder;
  mlir::ModuleOp module;
  ParamTable &params;
  Probe probe;
  std::vector<Scope> scopes;
  std::vector<std::map<std::string, const ::onnx::TensorProto *>> initializers;
  std::map<std::string, Traced> fixed;
  struct NewRows { // of the step, on their way into a cache
    mlir::Value key, value, keys, values;
  };
  std::map<int64_t, NewRows> newRows;
  std::string where;
  int depth = 0;
};

// "/model/layers.0/self_attn/q_proj/MatMul" -> "layers.0.self_attn.q_proj": names for params and messages.
std::string labelOf(const std::string &name);

} // namespace sinter::onnx_import
