// An ONNX file as parsed, its large tensors left where they are on disk. Free of LLVM.
#pragma once

#include "frontend/onnx/onnx.pb.h"

#include <cstdint>
#include <string>

namespace sinter::onnx_import {

struct ModelFile {
  std::string path, directory;
  ::onnx::ModelProto proto;
};

// Reads and parses the file. Tensors of more than kInlineBytes in raw_data become references to bytes of the file
// itself: external data whose location is empty. False with one line in `error`.
bool readModelFile(const std::string &path, ModelFile &model, std::string &error);

inline constexpr uint64_t kInlineBytes = 1024;

// Where external data of a tensor lies: checked against the file, inside of the model's directory.
struct DataRange {
  std::string file;
  uint64_t offset = 0, size = 0;
};
bool findExternalData(const ModelFile &model, const ::onnx::TensorProto &tensor, DataRange &range, std::string &error);

} // namespace sinter::onnx_import
