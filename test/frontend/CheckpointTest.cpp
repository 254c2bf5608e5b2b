// One file or many: which tensors a directory has, and where.

#include "ModelDirectory.h"

#include <gtest/gtest.h>

using namespace sinter;
using namespace sinter::test;
using nlohmann::json;

namespace {

const std::vector<DecoderParam> kFirst = {{"", "a", {2, 2}}}, kSecond = {{"", "b", {4}}, {"", "c", {1}}};
const char *kIndex = "model.safetensors.index.json";

// Two shards, as an index describes them.
json writeShards(const ModelDirectory &directory) {
  directory.write("model-1.safetensors", safetensors(kFirst));
  directory.write("model-2.safetensors", safetensors(kSecond));
  return {{"metadata", {{"total_size", 18}}},
          {"weight_map", {{"a", "model-1.safetensors"}, {"b", "model-2.safetensors"}, {"c", "model-2.safetensors"}}}};
}

std::string checkpointError(const ModelDirectory &directory) {
  Checkpoint checkpoint;
  std::string error;
  EXPECT_FALSE(openCheckpoint(directory.path(), checkpoint, error));
  return error;
}

TEST(Checkpoint, Shards) {
  ModelDirectory directory;
  directory.writeJson(kIndex, writeShards(directory));
  Checkpoint checkpoint;
  std::string error;
  ASSERT_TRUE(openCheckpoint(directory.path(), checkpoint, error)) << error;
  ASSERT_EQ(checkpoint.tensors.size(), 3u);
  EXPECT_EQ(checkpoint.path(checkpoint.tensors["a"]), directory.file("model-1.safetensors"));
  EXPECT_EQ(checkpoint.path(checkpoint.tensors["c"]), directory.file("model-2.safetensors"));
  EXPECT_EQ(checkpoint.tensors["c"].offset, checkpoint.tensors["b"].offset + 8);
}

TEST(Checkpoint, SingleFileWins) {
  ModelDirectory directory;
  directory.writeJson(kIndex, writeShards(directory));
  directory.write("model.safetensors", safetensors(kFirst));
  Checkpoint checkpoint;
  std::string error;
  ASSERT_TRUE(openCheckpoint(directory.path(), checkpoint, error)) << error;
  EXPECT_EQ(checkpoint.tensors.size(), 1u);
  EXPECT_EQ(checkpoint.path(checkpoint.tensors["a"]), directory.file("model.safetensors"));
}

TEST(Checkpoint, NoWeights) {
  ModelDirectory directory;
  EXPECT_EQ(checkpointError(directory),
            directory.path() + ": found neither model.safetensors nor model.safetensors.index.json");
}

TEST(Checkpoint, OnlyFileOfAnotherName) {
  ModelDirectory directory;
  directory.write("model.fp16.safetensors", safetensors(kFirst));
  Checkpoint checkpoint;
  std::string error;
  ASSERT_TRUE(openCheckpoint(directory.path(), checkpoint, error)) << error;
  EXPECT_EQ(checkpoint.path(checkpoint.tensors["a"]), directory.file("model.fp16.safetensors"));

  directory.write("model.fp32.safetensors", safetensors(kFirst));
  EXPECT_EQ(checkpointError(directory),
            directory.path() + ": found neither model.safetensors nor model.safetensors.index.json, but "
                               "'model.fp16.safetensors' and 'model.fp32.safetensors': which of them is it?");
}

TEST(Checkpoint, MissingShard) {
  ModelDirectory directory;
  json index = writeShards(directory);
  index["weight_map"]["b"] = "model-3.safetensors";
  directory.writeJson(kIndex, index);
  EXPECT_EQ(checkpointError(directory),
            directory.file("model-3.safetensors") + ": cannot be opened: No such file or directory");
}

TEST(Checkpoint, TensorNotWhereTheIndexSays) {
  ModelDirectory directory;
  json index = writeShards(directory);
  index["weight_map"]["b"] = "model-1.safetensors";
  directory.writeJson(kIndex, index);
  EXPECT_EQ(checkpointError(directory), directory.file(kIndex) +
                                            ": tensor 'b' is not in 'model-1.safetensors', where the "
                                            "index says it is");
}

TEST(Checkpoint, IndexDoesNotLeadOutOfTheDirectory) {
  for (const char *name : {"../model.safetensors", "/etc/passwd", "..", "", "sub/model.safetensors"}) {
    ModelDirectory directory;
    directory.writeJson(kIndex, json{{"weight_map", {{"a", name}}}});
    EXPECT_NE(checkpointError(directory).find("expected a file name"), std::string::npos) << name;
  }
}

TEST(Checkpoint, IndexWithoutMap) {
  for (const char *text : {"{}", R"({"weight_map":[]})", R"({"weight_map":{}})", R"({"weight_map":null})"}) {
    ModelDirectory directory;
    directory.write(kIndex, text);
    EXPECT_NE(checkpointError(directory).find("expected an object 'weight_map'"), std::string::npos) << text;
  }
}

} // namespace
