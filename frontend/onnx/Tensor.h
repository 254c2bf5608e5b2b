// What the importer knows of one value of a graph.
#pragma once

#include "frontend/onnx/Dim.h"
#include "frontend/onnx/ModelFile.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

#include <memory>

namespace sinter::onnx_import {

// Element types, a row each.
enum class Kind : uint8_t { real, signedInt, unsignedInt, boolean };
struct Elem {
  int onnx;         // TensorProto.DataType
  const char *name; // in packages and messages: "f32"
  Kind kind;
  unsigned bits;    // of an element in memory
  unsigned packed;  // bits of an element in an ONNX file
  bool isReal() const { return kind == Kind::real; }
  bool isBool() const { return kind == Kind::boolean; }
  bool isUnsigned() const { return kind == Kind::unsignedInt || kind == Kind::boolean; }
};
using ElemRef = const Elem *;
ElemRef findElem(int onnx); // nullptr: not supported
ElemRef elemOf(int onnx);   // the same, or an error
namespace elem {
ElemRef f32(), f64(), f16(), i64(), i32(), i8(), u8(), boolean();
} // namespace elem
// As elements of tensors lie in memory: bools are bytes of 0 and 1.
mlir::Type storageType(ElemRef elem, mlir::MLIRContext *context);
// As they are computed with: halves as f32, bools as i1.
mlir::Type computeType(ElemRef elem, mlir::MLIRContext *context);

using Shape = std::vector<Dim>;

// Content that is known: bytes in memory, or where they are in a file.
struct Content {
  std::vector<uint8_t> bytes; // [elements * elem->bits / 8]
  DataRange range;            // if `bytes` is empty
  std::string symbol;         // of its tx.param, once it has one
};

struct Origin;
struct View;

struct Tensor {
  std::string name; // for messages
  ElemRef elem = nullptr;
  Shape shape;
  mlir::Value value;                         // null: not computed yet, but known
  std::shared_ptr<Content> content;          // known before the model runs
  std::shared_ptr<std::vector<Dim>> integers; // known as sizes, of integer tensors
  std::shared_ptr<std::vector<Tensor>> list; // a sequence (or optional) instead of a tensor
  const Origin *origin = nullptr;            // the node that made it, and as which of its outputs
  size_t output = 0;
  mlir::Value rows;                 // the same elements as [elements / width, width], where an op of tx made them
  std::shared_ptr<const View> view; // where its elements lie in rows, if they were only moved

  bool exists() const { return elem || list; }
  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  Dim count() const {
    Dim result = 1;
    for (const Dim &dim : shape)
      result = result * dim;
    return result;
  }
};
using Tensors = std::vector<Tensor>;

// A node as those see it that read what it made.
struct Origin {
  std::string op; // of ai.onnx; others have no name
  int64_t version;
  Tensors inputs;
  const ::onnx::NodeProto *proto;

  int64_t integer(const char *name, int64_t otherwise) const;
  std::vector<int64_t> integers(const char *name) const;
};

// Columns that the kernels on rows work on at once: they take rows of a multiple of these.
inline constexpr int64_t kRowLanes = 32;

} // namespace sinter::onnx_import
