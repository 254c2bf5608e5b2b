// One ONNX graph on its way into a tx module. Ops (ops/*.cpp) see a Node with its inputs and attributes, and make
// tensors of tensors with the functions of Importer.
#pragma once

#include "frontend/Frontend.h"
#include "frontend/onnx/Code.h"
#include "frontend/onnx/View.h"

#include "dialects/tx/Tx.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/ArrayRef.h"

#include <deque>
#include <map>
#include <set>

namespace sinter::onnx_import {

using llvm::ArrayRef;
class Importer;

// Attributes of a call of a model's function, which its nodes refer to by name.
using Attributes = std::map<std::string, const ::onnx::AttributeProto *>;

class Node {
public:
  Node(Importer &importer, const ::onnx::NodeProto &proto, int64_t version, Tensors inputs, const Attributes &outer)
      : importer(importer), proto(proto), version(version), inputs(std::move(inputs)), outer(outer) {}

  Importer &importer;
  const ::onnx::NodeProto &proto;
  const int64_t version; // of the op's domain that the model imports
  Tensors inputs;        // those that are left out do not exist()

  bool has(size_t i) const { return i < inputs.size() && inputs[i].exists(); }
  Tensor &in(size_t i); // error if it is left out
  size_t outputs() const { return static_cast<size_t>(proto.output_size()); }
  bool wants(size_t i) const { return i < outputs() && !proto.output(static_cast<int>(i)).empty(); }

  const ::onnx::AttributeProto *find(const char *name) const; // nullptr: left out
  bool has(const char *name) const { return find(name); }
  int64_t integer(const char *name, std::optional<int64_t> otherwise = std::nullopt) const;
  double real(const char *name, std::optional<double> otherwise = std::nullopt) const;
  std::string text(const char *name, std::optional<std::string> otherwise = std::nullopt) const;
  std::vector<int64_t> integers(const char *name) const; // empty if left out
  std::vector<double> reals(const char *name) const;
  std::vector<std::string> texts(const char *name) const;
  // An axis that counts from the end if negative, in [0, rank), or [0, rank] with `end`.
  int64_t axis(int64_t value, int64_t rank, bool end = false) const;

private:
  const Attributes &outer;
};

using Handler = Tensors (*)(Node &node);

// A row of the table of ops: versions of the domain from `since` to `until` mean what the handler does.
struct Op {
  const char *domain; // "" is ai.onnx
  const char *name;
  int64_t since, until;
  Handler handler;
};
inline constexpr int64_t kNewest = 24; // of ai.onnx
ArrayRef<Op> allOps();
const Op *findOp(const std::string &domain, const std::string &name, int64_t version);

struct TensorType {
  ElemRef elem;
  Shape shape;
};

class Importer {
public:
  using Value = mlir::Value;

  Importer(const ModelFile &file, const OnnxOptions &options, mlir::MLIRContext &context);
  ImportedModel run();

  Code code;
  DimTable dims;

  // -- What is known
  std::vector<uint8_t> bytes(const Tensor &tensor);                // of known content; error if it is not
  std::optional<std::vector<int64_t>> knownIntegers(const Tensor &tensor);
  std::optional<std::vector<double>> knownReals(const Tensor &tensor);
  std::optional<std::vector<Dim>> knownSizes(const Tensor &tensor); // integers, as sizes
  // The same, or an error that says what to do.
  std::vector<int64_t> integersOf(const Tensor &tensor, const char *what);
  std::vector<double> realsOf(const Tensor &tensor, const char *what);
  std::vector<Dim> sizesOf(const Tensor &tensor, const char *what);

  // -- New tensors
  Tensor constant(ElemRef elem, std::vector<int64_t> shape, std::vector<uint8_t> bytes);
  Tensor scalar(ElemRef elem, double value);
  Tensor vectorOf(const std::vector<int64_t> &values); // i64
  Tensor fromSizes(std::vector<Dim> values, ElemRef elem, Shape shape);
  Tensor fromProto(const ::onnx::TensorProto &proto);
  // A kernel: `body` gets the memory of inputs and outputs.
  Tensors loops(ArrayRef<Tensor> inputs, ArrayRef<TensorType> outputs,
                llvm::function_ref<void(Code &, ArrayRef<Mem> in, ArrayRef<Mem> out)> body);
  // The same, of one output each of whose elements is computed by itself.
  Tensor compute(ArrayRef<Tensor> inputs, TensorType output,
                 llvm::function_ref<Value(Code &, ArrayRef<Mem> in, mlir::ValueRange at)> element);
  // Elementwise, broadcasting; `body` gets and gives compute types.
  Tensor map(ArrayRef<Tensor> inputs, ElemRef elem, llvm::function_ref<Value(Code &, mlir::ValueRange)> body);
  Tensor reshape(const Tensor &input, Shape shape);
  Tensor transpose(const Tensor &input, ArrayRef<int64_t> permutation);
  Tensor broadcastTo(const Tensor &input, const Shape &shape);
  Tensor cast(const Tensor &input, ElemRef elem);
  // Runs an op of the table on tensors, for ops that are made of others.
  Tensor call(const char *op, ArrayRef<Tensor> inputs, ArrayRef<std::pair<const char *, int64_t>> integers = {});

  bool requantizes() const { return options.requantize; }

  // -- Rows: tensors of f32 as tx has them, [elements / width, width]
  bool isRows(const Tensor &tensor);
  Value rowsOf(const Tensor &tensor);
  Tensor fromRows(Value rows, const Shape &shape);
  mlir::RankedTensorType rowsType(int64_t width);
  // Params: a tensor as it is; a known matrix [inputs, outputs], or [outputs, inputs] without `transposed`, of floats or codes.
  mlir::FlatSymbolRefAttr param(const Tensor &tensor);
  mlir::FlatSymbolRefAttr matrix(const Tensor &tensor, bool transposed, ArrayRef<float> scales, ArrayRef<int32_t> zeros);

  // -- Sizes
  // The common shape of tensors that are broadcast to one another.
  Shape broadcast(ArrayRef<Shape> shapes);
  // Sizes that must be equal: checked now if they are known, else when the model runs.
  Dim same(const Dim &a, const Dim &b, const std::string &what);
  mlir::Value emit(const Dim &dim); // as an index, outside of loops
  mlir::Value value(const Tensor &tensor);
  mlir::RankedTensorType typeOf(ElemRef elem, const Shape &shape);

  // -- Graphs inside of nodes: runs one with values for its inputs, and returns its outputs.
  Tensors runGraph(const ::onnx::GraphProto &graph, Tensors inputs);
  std::string describe(const Dim &dim) { return dims.text(dim); }
  std::string describe(const Shape &shape);

private:
  using Scope = std::map<std::string, Tensor>;

  int64_t versionOf(const std::string &domain) const;
  void checkOps();
  void addInput(const ::onnx::ValueInfoProto &info, std::vector<mlir::Type> &types);
  Dim inputDim(const std::string &input, int64_t axis, const ::onnx::TensorShapeProto::Dimension &dim);
  Dim namedDim(const std::string &name);
  void runNodes(const google::protobuf::RepeatedPtrField<::onnx::NodeProto> &nodes, const Attributes &outer);
  void runNode(const ::onnx::NodeProto &node, const Attributes &outer);
  Tensors callFunction(const ::onnx::FunctionProto &function, const ::onnx::NodeProto &node, Tensors inputs,
                       const Attributes &outer);
  Tensor lookup(const std::string &name);
  void define(const std::string &name, Tensor tensor);
  [[noreturn]] void notKnown(const Tensor &tensor, const char *what);
  void finishOutputs();
  std::string paramName(const Tensor &tensor);
  void buildSizes(const std::vector<std::vector<int64_t>> &outputDims);

  const ModelFile &file;
  const OnnxOptions &options;
  mlir::MLIRContext &context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp exec;
  std::vector<Scope> scopes;
  std::map<std::string, int64_t> versions; // by domain
  std::map<Dim, Value> emitted;
  std::map<std::string, const ::onnx::FunctionProto *> functions; // by domain:name
  std::set<std::string> paramNames;
  std::map<std::tuple<std::shared_ptr<Content>, bool, std::vector<float>>, std::string> matrices; // to their params
  std::deque<Origin> origins;
  int functionDepth = 0;
  struct Check {
    Dim left, right;
    std::string message;
  };
  std::vector<Check> checks;
  struct Port {
    std::string name;
    ElemRef elem;
    std::vector<int64_t> dims; // of tx.port_dims
  };
  std::vector<Port> inputPorts;
  std::vector<std::string> symbolNames; // in the order of run-time dims
  std::string where;                    // "node 'x' (Add)"
};

} // namespace sinter::onnx_import
