// A .npy file as a TensorProto, which is how the importer takes values of inputs.
#pragma once

#include <string>

namespace sinter {

// False with one line in `error`.
bool tensorFromNpy(const std::string &path, std::string &proto, std::string &error);

} // namespace sinter
