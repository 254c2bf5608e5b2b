// The header of a safetensors file: what is right is read exactly, and each way of being wrong has its message.

#include "ModelDirectory.h"

#include <gtest/gtest.h>

using namespace sinter;
using namespace sinter::test;

namespace {

TEST(Safetensors, ReadsTensors) {
  ModelDirectory directory;
  const std::string header = R"({"__metadata__":{"format":"pt"},)"
                             R"("b":{"dtype":"I64","shape":[],"data_offsets":[12,20]},)"
                             R"("a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},)"
                             R"("empty":{"dtype":"F32","shape":[0,7],"data_offsets":[12,12]}}   )";
  directory.write("t.safetensors", safetensors(header, 20));
  std::map<std::string, TensorEntry> tensors;
  std::string error;
  ASSERT_TRUE(readSafetensors(directory.file("t.safetensors"), tensors, error)) << error;
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors["a"].dtype, "BF16");
  EXPECT_EQ(tensors["a"].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(tensors["a"].offset, 8 + header.size()); // absolute
  EXPECT_EQ(tensors["a"].bytes, 12u);
  EXPECT_EQ(tensors["b"].shape, std::vector<int64_t>());
  EXPECT_EQ(tensors["b"].offset, 8 + header.size() + 12);
  EXPECT_EQ(tensors["empty"].bytes, 0u);
}

struct BadHeader {
  const char *name, *header, *message;
};

void PrintTo(const BadHeader &row, std::ostream *out) { *out << row.name; }

class SafetensorsErrors : public testing::TestWithParam<BadHeader> {};

// Every header describes 16 bytes of data.
TEST_P(SafetensorsErrors, AreNamed) {
  std::map<std::string, TensorEntry> tensors;
  std::string error;
  EXPECT_FALSE(parseSafetensorsHeader(GetParam().header, "t.safetensors", 8, 16, tensors, error));
  EXPECT_EQ(error.rfind("t.safetensors: ", 0), 0u) << error;
  EXPECT_NE(error.find(GetParam().message), std::string::npos) << error;
}

const BadHeader kBadHeaders[] = {
    {"NotJson", "{", "not valid JSON at byte"},
    {"NotAnObject", "[1]", "expected a JSON object, found [1]"},
    {"Trailing", R"({} {})", "not valid JSON"},
    {"DuplicateTensor",
     R"({"a":{"dtype":"I8","shape":[16],"data_offsets":[0,16]},"a":{"dtype":"I8","shape":[16],"data_offsets":[0,16]}})",
     "key 'a' appears twice"},
    {"TooDeep", R"({"a":[[[[[1]]]]]})", "nested deeper than 4 levels"},
    {"NoDType", R"({"a":{"shape":[16],"data_offsets":[0,16]}})",
     "tensor 'a': expected an object with a string 'dtype'"},
    {"NotATensor", R"({"a":3})", "tensor 'a': expected an object"},
    {"UnknownDType", R"({"a":{"dtype":"Q9","shape":[16],"data_offsets":[0,16]}})", "dtype 'Q9'"},
    {"OneOffset", R"({"a":{"dtype":"I8","shape":[16],"data_offsets":[0]}})", "data_offsets are [0]"},
    {"NegativeOffset", R"({"a":{"dtype":"I8","shape":[16],"data_offsets":[-1,15]}})", "data_offsets are [-1, 15]"},
    {"FractionalOffset", R"({"a":{"dtype":"I8","shape":[16],"data_offsets":[0,16.0]}})", "data_offsets are [0, 16.0]"},
    {"Backwards", R"({"a":{"dtype":"I8","shape":[8],"data_offsets":[8,0]}})", "data_offsets are [8, 0]"},
    {"BeyondTheFile", R"({"a":{"dtype":"I8","shape":[17],"data_offsets":[0,17]}})", "within 16 bytes of data"},
    {"HugeOffset", R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[18446744073709551615,18446744073709551615]}})",
     "within 16 bytes of data"},
    {"NegativeExtent", R"({"a":{"dtype":"I8","shape":[-16],"data_offsets":[0,16]}})", "shape [-16] of I8"},
    {"WrongSize", R"({"a":{"dtype":"F16","shape":[2,2],"data_offsets":[0,16]}})",
     "shape [2, 2] of F16 does not take the 16 bytes"},
    {"ProductOverflows", R"({"a":{"dtype":"I8","shape":[4294967296,4294967296,1],"data_offsets":[0,0]}})",
     "does not take the 0 bytes"},
    {"ExtentOverflows", R"({"a":{"dtype":"I8","shape":[18446744073709551615],"data_offsets":[0,16]}})",
     "does not take the 16 bytes"},
    {"HalfByte", R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", "shape [3] of F4"},
    {"Overlap",
     R"({"a":{"dtype":"I8","shape":[12],"data_offsets":[0,12]},"b":{"dtype":"I8","shape":[8],"data_offsets":[8,16]}})",
     "'b' begins at byte 8 of the data, expected 12 (overlap)"},
    {"Hole",
     R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[8],"data_offsets":[8,16]}})",
     "'b' begins at byte 8 of the data, expected 4 (hole)"},
    {"UncoveredEnd", R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}})", "end at byte 4 of the data"},
};
INSTANTIATE_TEST_SUITE_P(Headers, SafetensorsErrors, testing::ValuesIn(kBadHeaders),
                         [](const testing::TestParamInfo<BadHeader> &info) { return info.param.name; });

std::string fileError(std::string_view bytes) {
  ModelDirectory directory;
  directory.write("t.safetensors", bytes);
  std::map<std::string, TensorEntry> tensors;
  std::string error;
  EXPECT_FALSE(readSafetensors(directory.file("t.safetensors"), tensors, error));
  return error;
}

TEST(Safetensors, ShortFiles) {
  EXPECT_NE(fileError("").find("has 0 bytes, expected 8 more at byte 0"), std::string::npos);
  EXPECT_NE(fileError("abc").find("has 3 bytes"), std::string::npos);
  EXPECT_NE(fileError(safetensors("{}", 0).substr(0, 9)).find("header of 2 bytes, expected at most 1"),
            std::string::npos);
}

TEST(Safetensors, AbsurdHeaderLength) {
  EXPECT_NE(fileError(std::string(16, '\xff')).find("header of 18446744073709551615 bytes, expected at most 8"),
            std::string::npos);
}

TEST(Safetensors, NotARegularFile) {
  ModelDirectory directory;
  std::map<std::string, TensorEntry> tensors;
  std::string error;
  EXPECT_FALSE(readSafetensors(directory.path(), tensors, error));
  EXPECT_EQ(error, directory.path() + ": expected a regular file, found a directory");
  EXPECT_FALSE(readSafetensors(directory.file("absent"), tensors, error));
  EXPECT_EQ(error, directory.file("absent") + ": cannot be opened: No such file or directory");
}

} // namespace
