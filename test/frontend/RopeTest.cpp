// Rotary frequencies against numbers worked out apart from this code, in Python with double precision.

#include "frontend/Rope.h"

#include <gtest/gtest.h>

using namespace sinter;

namespace {

RopeNumbers compute(const RopeConfig &config, int64_t dims, int64_t context) {
  RopeNumbers numbers;
  std::string error;
  EXPECT_TRUE(computeRope(config, dims, context, numbers, error)) << error;
  EXPECT_EQ(static_cast<int64_t>(numbers.inverseFrequencies.size()), dims / 2);
  return numbers;
}

// Every number is the double above rounded to float once, or a neighbour of that.
void expectFrequencies(const RopeNumbers &numbers, const std::vector<std::pair<size_t, double>> &expected) {
  for (auto [pair, frequency] : expected)
    EXPECT_FLOAT_EQ(numbers.inverseFrequencies[pair], static_cast<float>(frequency)) << "pair " << pair;
}

TEST(Rope, Default) {
  RopeNumbers numbers = compute({}, 8, 256);
  expectFrequencies(numbers, {{0, 1.0}, {1, 0.1}, {2, 0.01}, {3, 0.001}});
  EXPECT_EQ(numbers.factor, 1.0f);
}

TEST(Rope, Linear) {
  RopeConfig config;
  config.kind = "linear";
  config.factor = 4;
  RopeNumbers numbers = compute(config, 8, 256);
  expectFrequencies(numbers, {{0, 0.25}, {1, 0.025}, {2, 0.0025}, {3, 0.00025}});
  EXPECT_EQ(numbers.factor, 1.0f);
}

// The numbers of Llama 3.2 1B: pairs 0-14 stay, 15-17 are in between, the rest are divided by 32.
TEST(Rope, Llama3) {
  RopeConfig config;
  config.kind = "llama3";
  config.theta = 500000;
  config.factor = 32;
  config.lowFrequencyFactor = 1;
  config.highFrequencyFactor = 4;
  config.originalContext = 8192;
  RopeNumbers numbers = compute(config, 64, 131072);
  expectFrequencies(numbers, {{0, 1.0},
                              {1, 0.6636012376960885},
                              {10, 0.016560440080994446},
                              {14, 0.0032114459947525913},
                              {15, 0.001290547928209264},
                              {16, 0.00042955679655936815},
                              {17, 9.70828780262767e-05},
                              {18, 1.9461638184831125e-05},
                              {31, 9.418306725434909e-08}});
  EXPECT_EQ(numbers.factor, 1.0f);
}

// Qwen2.5 with YaRN switched on: heads of 128, factor 4 over 32768 positions.
RopeConfig yarnConfig() {
  RopeConfig config;
  config.kind = "yarn";
  config.theta = 1e6;
  config.factor = 4;
  config.originalContext = 32768;
  return config;
}

TEST(Rope, Yarn) {
  RopeNumbers numbers = compute(yarnConfig(), 128, 131072);
  expectFrequencies(numbers, {{0, 1.0},
                              {10, 0.1154781984689458},
                              {23, 0.006978305848598663},
                              {24, 0.005375321490790102},
                              {30, 0.0010643609812470017},
                              {35, 0.0002462584069089387},
                              {40, 4.445698525097307e-05},
                              {63, 3.102344401879299e-07}});
  EXPECT_FLOAT_EQ(numbers.factor, 1.138629436111989f);
}

TEST(Rope, YarnWithoutTruncation) {
  RopeConfig config = yarnConfig();
  config.truncate = false;
  expectFrequencies(compute(config, 128, 131072), {{30, 0.0010792377416765538}});
}

TEST(Rope, YarnSharpening) {
  RopeConfig config = yarnConfig();
  config.attentionFactor = 1.25;
  EXPECT_EQ(compute(config, 128, 131072).factor, 1.25f);
  config.attentionFactor = -1;
  config.factor = 40;
  config.mscale = 0.707;
  config.mscaleAllDims = 1;
  EXPECT_FLOAT_EQ(compute(config, 128, 131072).factor, 0.9210423553163399f);
}

TEST(Rope, ErrorsNameTheKey) {
  RopeNumbers numbers;
  std::string error;
  RopeConfig config;
  config.kind = "yarn";
  EXPECT_FALSE(computeRope(config, 8, 256, numbers, error));
  EXPECT_EQ(error, "rope type 'yarn' needs a positive 'factor'");
  config.kind = "dynamic";
  EXPECT_FALSE(computeRope(config, 8, 256, numbers, error));
  EXPECT_EQ(error, "rope type 'dynamic' is not supported, expected one of default, linear, llama3, yarn");
}

} // namespace
