// The elements of a .npy file are those of raw_data.

#include "tools/NpyTensor.h"

#include "frontend/onnx/onnx.pb.h"
#include "tools/Failure.h"
#include "tools/NpyArray.h"

namespace sinter {

bool tensorFromNpy(const std::string &path, std::string &proto, std::string &error) {
  // In the order of sinter_type.
  static constexpr int types[] = {1, 10, 16, 11, 3, 2, 5, 4, 6, 12, 7, 13, 9};
  try {
    NpyArray array = readNpyArray(path);
    onnx::TensorProto tensor;
    tensor.set_name(path);
    tensor.set_data_type(types[array.type]);
    for (int64_t size : array.shape)
      tensor.add_dims(size);
    tensor.set_raw_data(array.bytes.data(), array.bytes.size());
    proto = tensor.SerializeAsString();
    return true;
  } catch (const Failure &failure) {
    error = failure.what();
    return false;
  }
}

} // namespace sinter
