// No file makes the importer crash, read out of bounds, overflow or allocate without measure: a small model with most kinds of
// things in it is cut and changed in thousands of seeded ways, under AddressSanitizer and UBSan. What is refused must say
// why in one line that names the file.

#include "frontend/Frontend.h"
#include "frontend/onnx/onnx.pb.h"

#include "mlir/IR/Diagnostics.h"

#include <cstdio>
#include <gtest/gtest.h>
#include <random>
#include <unistd.h>

using namespace sinter;

// LLVM's libraries are built without the annotations of containers.
extern "C" const char *__asan_default_options() { return "detect_container_overflow=0:max_allocation_size_mb=2048"; }

namespace {

void addValue(google::protobuf::RepeatedPtrField<onnx::ValueInfoProto> *list, const char *name, int type,
              std::initializer_list<const char *> dims) {
  onnx::ValueInfoProto *value = list->Add();
  value->set_name(name);
  onnx::TypeProto::Tensor *tensor = value->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(type);
  for (const char *dim : dims) {
    onnx::TensorShapeProto::Dimension *size = tensor->mutable_shape()->add_dim();
    if (isdigit(static_cast<unsigned char>(*dim)))
      size->set_dim_value(std::stoll(dim));
    else
      size->set_dim_param(dim);
  }
}

onnx::NodeProto *addNode(onnx::GraphProto *graph, const char *op, std::initializer_list<const char *> inputs,
                         std::initializer_list<const char *> outputs) {
  onnx::NodeProto *node = graph->add_node();
  node->set_op_type(op);
  for (const char *name : inputs)
    node->add_input(name);
  for (const char *name : outputs)
    node->add_output(name);
  return node;
}

void addInteger(onnx::NodeProto *node, const char *name, int64_t value) {
  onnx::AttributeProto *attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}

void addVector(onnx::GraphProto *graph, const char *name, std::initializer_list<int64_t> values) {
  onnx::TensorProto *tensor = graph->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::INT64);
  tensor->add_dims(static_cast<int64_t>(values.size()));
  for (int64_t value : values)
    tensor->add_int64_data(value);
}

// Embeddings, a product, shapes that are computed, a branch, slices: what exported encoders are made of.
std::string sampleModel() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  onnx::GraphProto *graph = model.mutable_graph();
  addValue(graph->mutable_input(), "ids", onnx::TensorProto::INT64, {"batch", "sequence"});
  addValue(graph->mutable_input(), "past", onnx::TensorProto::FLOAT, {"batch", "past_length", "8"});
  addValue(graph->mutable_input(), "mask", onnx::TensorProto::INT64, {"batch", "past_length + sequence"});
  addValue(graph->mutable_output(), "result", onnx::TensorProto::FLOAT, {"batch", "sequence", "8"});
  addValue(graph->mutable_output(), "present", onnx::TensorProto::FLOAT, {"batch", "total", "8"});
  for (const char *name : {"table", "weights"}) {
    onnx::TensorProto *table = graph->add_initializer();
    table->set_name(name);
    table->set_data_type(onnx::TensorProto::FLOAT);
    table->add_dims(name[0] == 't' ? 100 : 8);
    table->add_dims(8);
    table->set_raw_data(std::string((name[0] == 't' ? 800 : 64) * 4, '\x3e'));
  }
  addVector(graph, "zero", {0});
  addVector(graph, "axes", {1});
  addVector(graph, "heads", {0, 0, 2, -1});
  addVector(graph, "flat", {0, 0, 8});
  addNode(graph, "Gather", {"table", "ids"}, {"embedded"});
  addNode(graph, "MatMul", {"embedded", "weights"}, {"product"});
  addNode(graph, "Reshape", {"product", "heads"}, {"split"});
  addNode(graph, "Softmax", {"split"}, {"soft"});
  addNode(graph, "Reshape", {"soft", "flat"}, {"joined"});
  onnx::NodeProto *shape = addNode(graph, "Shape", {"ids"}, {"shape"});
  addInteger(shape, "start", 1);
  addNode(graph, "Slice", {"joined", "zero", "shape", "axes"}, {"sliced"});
  onnx::NodeProto *reduce = addNode(graph, "ReduceMean", {"sliced"}, {"mean"});
  onnx::AttributeProto *axes = reduce->add_attribute();
  axes->set_name("axes");
  axes->set_type(onnx::AttributeProto::INTS);
  axes->add_ints(-1);
  addNode(graph, "Sub", {"sliced", "mean"}, {"centered"});
  onnx::NodeProto *concat = addNode(graph, "Concat", {"past", "centered"}, {"present"});
  addInteger(concat, "axis", 1);
  addNode(graph, "Equal", {"zero", "zero"}, {"condition"});
  onnx::NodeProto *branch = addNode(graph, "If", {"condition"}, {"result"});
  for (const char *name : {"then_branch", "else_branch"}) {
    onnx::AttributeProto *attribute = branch->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::GRAPH);
    onnx::GraphProto *body = attribute->mutable_g();
    addNode(body, name[0] == 't' ? "Erf" : "Tanh", {"centered"}, {"branch_result"});
    addValue(body->mutable_output(), "branch_result", onnx::TensorProto::FLOAT, {});
  }
  return model.SerializeAsString();
}

class OnnxMutation : public testing::Test {
protected:
  OnnxMutation() : path(testing::TempDir() + "onnx-mutation-" + std::to_string(getpid()) + ".onnx") {}
  ~OnnxMutation() override { std::remove(path.c_str()); }

  // Whether it was imported; what is refused says why.
  bool import(const std::string &bytes) {
    std::FILE *file = std::fopen(path.c_str(), "wb");
    std::fwrite(bytes.data(), 1, bytes.size(), file);
    std::fclose(file);
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    mlir::ScopedDiagnosticHandler handler(&context, [](mlir::Diagnostic &) { return mlir::success(); });
    llvm::Expected<ImportedModel> model = importOnnx(path, {}, context);
    if (model)
      return true;
    const std::string error = llvm::toString(model.takeError());
    EXPECT_EQ(error.find(path), 0u) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
    EXPECT_EQ(error.find("please report"), std::string::npos) << error;
    return false;
  }

  const std::string path;
};

TEST_F(OnnxMutation, ImportsTheSample) { EXPECT_TRUE(import(sampleModel())); }

TEST_F(OnnxMutation, RefusesEveryTruncation) {
  const std::string model = sampleModel();
  for (size_t size = 0; size < model.size(); size += size < 200 ? 1 : 13)
    import(model.substr(0, size)); // a cut between fields can leave a smaller model
}

TEST_F(OnnxMutation, SurvivesChangedBytes) {
  const std::string model = sampleModel();
  // Most of the file is weights: changes go where the structure is.
  std::vector<size_t> places;
  for (size_t i = 0; i < model.size(); ++i)
    if (model[i] != '\x3e')
      places.push_back(i);
  std::mt19937 random(20251);
  for (int round = 0; round < 3000; ++round) {
    std::string changed = model;
    for (int edits = 1 + static_cast<int>(random() % 3); edits > 0; --edits) {
      const size_t at = places[random() % places.size()] % changed.size();
      switch (random() % 5) {
      case 0: changed[at] = static_cast<char>(random()); break;
      case 1: changed[at] = static_cast<char>(changed[at] ^ (1 << random() % 8)); break;
      case 2: changed.insert(at, 1 + random() % 4, static_cast<char>(random())); break;
      case 3: changed.erase(at, 1 + random() % 4); break;
      default: changed[at] = "\x00\x7f\xff\x80\x01"[random() % 5]; break;
      }
    }
    import(changed);
  }
}

} // namespace
