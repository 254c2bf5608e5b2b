// The sampler against the distributions it must follow. The model gives constant logits; seeds are fixed, so the
// statistics come out the same each time and the bounds are those of one honest trial.

#include "fake_package.h"

#include <gtest/gtest.h>

#include <math.h>

using namespace sinter;
using namespace sinter::test;

namespace {

constexpr int kDraws = 20000;

class Sampler {
public:
  explicit Sampler(const std::vector<float> &logits)
      : bytes(FakePackage(64, logits).bytes()), model(openModel(bytes)), session(createSession(model)),
        vocab(logits.size()) {
    EXPECT_EQ(sinter_decode(session.get(), 0), SINTER_OK);
  }

  uint32_t draw() {
    uint32_t id = ~0u;
    EXPECT_EQ(sinter_sample(session.get(), &id), SINTER_OK) << sinter_session_error(session.get());
    return id;
  }
  std::vector<uint32_t> draws(const sinter_sampler &settings, int count) {
    EXPECT_EQ(sinter_set_sampler(session.get(), &settings), SINTER_OK) << sinter_session_error(session.get());
    std::vector<uint32_t> ids;
    for (int i = 0; i < count; ++i)
      ids.push_back(draw());
    return ids;
  }
  std::vector<int> histogram(const sinter_sampler &settings) {
    std::vector<int> counts(vocab);
    for (uint32_t id : draws(settings, kDraws))
      ++counts.at(id);
    return counts;
  }

  AlignedBytes bytes;
  ModelPointer model;
  SessionPointer session;
  size_t vocab;
};

std::vector<float> logarithms(const std::vector<double> &probabilities) {
  std::vector<float> logits;
  for (double p : probabilities)
    logits.push_back(float(log(p)));
  return logits;
}

// Pearson's chi-square against `shares` (any scale); what has no share must never come.
double chiSquare(const std::vector<int> &counts, const std::vector<double> &shares) {
  double total = 0, result = 0;
  for (double share : shares)
    total += share;
  for (size_t i = 0; i < counts.size(); ++i) {
    double expected = shares[i] / total * kDraws;
    if (expected == 0)
      result += counts[i] ? 1e9 : 0;
    else
      result += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  return result;
}

// 99.9 % of honest samples stay below, for up to 7 degrees of freedom.
constexpr double kBound = 24.3;
const std::vector<double> kShares = {0.02, 0.30, 0.10, 0.05, 0.25, 0.08, 0.16, 0.04};

sinter_sampler settings(float temperature, uint32_t topK = 0, float topP = 0, float minP = 0, uint64_t seed = 1) {
  sinter_sampler result = {};
  result.temperature = temperature;
  result.top_k = topK;
  result.top_p = topP;
  result.min_p = minP;
  result.seed = seed;
  return result;
}

} // namespace

TEST(Sampler, GreedyTakesTheLargestAndOfEqualOnesTheFirst) {
  EXPECT_EQ(Sampler({1, 4, 2, 4, 3}).draw(), 1u);
  EXPECT_EQ(Sampler({-5, -4, -3, -3}).draw(), 2u);
  EXPECT_EQ(Sampler({NAN, -2, -1, NAN}).draw(), 2u);
  EXPECT_EQ(Sampler({NAN, NAN, NAN, NAN}).draw(), 0u);
  EXPECT_EQ(Sampler({1, INFINITY, 3, INFINITY}).draw(), 1u);
}

TEST(Sampler, TemperatureFollowsTheDistribution) {
  Sampler sampler(logarithms(kShares));
  EXPECT_LT(chiSquare(sampler.histogram(settings(1)), kShares), kBound);
  std::vector<double> sharper, flatter;
  for (double p : kShares) {
    sharper.push_back(p * p);
    flatter.push_back(sqrt(p));
  }
  EXPECT_LT(chiSquare(sampler.histogram(settings(0.5f)), sharper), kBound);
  EXPECT_LT(chiSquare(sampler.histogram(settings(2)), flatter), kBound);
  // The test can tell: the same draws do not fit another temperature.
  EXPECT_GT(chiSquare(sampler.histogram(settings(1)), flatter), 10 * kBound);
}

TEST(Sampler, TopKKeepsTheLikeliest) {
  Sampler sampler(logarithms(kShares));
  EXPECT_LT(chiSquare(sampler.histogram(settings(1, 3)), {0, 0.30, 0, 0, 0.25, 0, 0.16, 0}), kBound);
  EXPECT_LT(chiSquare(sampler.histogram(settings(1, 8)), kShares), kBound);
  EXPECT_LT(chiSquare(sampler.histogram(settings(1, 1000)), kShares), kBound);
  for (uint32_t id : sampler.draws(settings(100, 1), 50))
    EXPECT_EQ(id, 1u);
  // Of equal ones, those with the smaller ids.
  EXPECT_LT(chiSquare(Sampler({0, 1, 1, 1}).histogram(settings(1, 2)), {0, 1, 1, 0}), kBound);
}

TEST(Sampler, TopPKeepsTheSmallestSetOfThatShare) {
  Sampler sampler(logarithms(kShares));
  // 0.30 + 0.25 + 0.16 = 0.71
  EXPECT_LT(chiSquare(sampler.histogram(settings(1, 0, 0.7f)), {0, 0.30, 0, 0, 0.25, 0, 0.16, 0}), kBound);
  EXPECT_LT(chiSquare(sampler.histogram(settings(1, 0, 0.72f)), {0, 0.30, 0.10, 0, 0.25, 0, 0.16, 0}), kBound);
  EXPECT_LT(chiSquare(sampler.histogram(settings(1, 0, 1)), kShares), kBound);
  for (uint32_t id : sampler.draws(settings(1, 0, 0.0001f), 50))
    EXPECT_EQ(id, 1u);
  // After top-k the shares are those of what is left: 0.30 / 0.55 = 0.545.
  EXPECT_LT(chiSquare(sampler.histogram(settings(1, 2, 0.5f)), {0, 1, 0, 0, 0, 0, 0, 0}), kBound);
  EXPECT_LT(chiSquare(sampler.histogram(settings(1, 2, 0.6f)), {0, 0.30, 0, 0, 0.25, 0, 0, 0}), kBound);
}

TEST(Sampler, MinPKeepsThoseCloseToTheLargest) {
  Sampler sampler(logarithms(kShares));
  // 0.3 * 0.30 = 0.09
  EXPECT_LT(chiSquare(sampler.histogram(settings(1, 0, 0, 0.3f)), {0, 0.30, 0.10, 0, 0.25, 0, 0.16, 0}), kBound);
  EXPECT_LT(chiSquare(sampler.histogram(settings(1, 3, 0.99f, 0.6f)), {0, 0.30, 0, 0, 0.25, 0, 0, 0}), kBound);
}

TEST(Sampler, SmallAndHugeDifferencesAreSafe) {
  EXPECT_LT(chiSquare(Sampler({-INFINITY, 0, -1e30f, 0}).histogram(settings(1)), {0, 1, 0, 1}), kBound);
  EXPECT_LT(chiSquare(Sampler({INFINITY, 0, 1e30f, INFINITY}).histogram(settings(1)), {1, 0, 0, 1}), kBound);
  EXPECT_LT(chiSquare(Sampler({3e38f, -3e38f}).histogram(settings(1e-30f)), {1, 0}), kBound);
  EXPECT_LT(chiSquare(Sampler({-INFINITY, -INFINITY}).histogram(settings(1)), {1, 1}), kBound);
}

TEST(Sampler, SeedsGiveStreams) {
  Sampler sampler(logarithms(kShares));
  std::vector<uint32_t> first = sampler.draws(settings(1, 0, 0, 0, 7), 64);
  EXPECT_EQ(sampler.draws(settings(1, 0, 0, 0, 7), 64), first);
  EXPECT_NE(sampler.draws(settings(1, 0, 0, 0, 8), 64), first);
  // The seed's random state outlives a reset: the stream goes on.
  sampler.draws(settings(1, 0, 0, 0, 7), 32);
  sinter_reset(sampler.session.get());
  ASSERT_EQ(sinter_decode(sampler.session.get(), 0), SINTER_OK);
  for (size_t i = 32; i < 64; ++i)
    EXPECT_EQ(sampler.draw(), first[i]);
}

// Pins the arithmetic: another machine, compiler or math library must draw these too.
TEST(Sampler, DrawsAreTheSameEverywhere) {
  Sampler sampler(logarithms(kShares));
  EXPECT_EQ(sampler.draws(settings(0.8f, 6, 0.95f, 0.05f, 42), 16),
            (std::vector<uint32_t>{6, 1, 5, 4, 1, 6, 1, 1, 6, 1, 6, 4, 1, 1, 1, 2}));
}

TEST(Sampler, RepetitionPenaltyCountsEachTokenOnce) {
  Sampler sampler({2, 3, -1, 2.5f});
  sinter_sampler penalty = settings(0);
  penalty.repetition_penalty = 1.3f;
  for (uint32_t id : {1, 1, 1})
    ASSERT_EQ(sinter_decode(sampler.session.get(), id), SINTER_OK);
  EXPECT_EQ(sampler.draws(penalty, 1)[0], 3u); // 3 / 1.3 = 2.31; divided three times it would be 1.37
  penalty.repetition_penalty = 1.1f;
  EXPECT_EQ(sampler.draws(penalty, 1)[0], 1u); // 2.73
  penalty.repetition_penalty = 1;
  EXPECT_EQ(sampler.draws(penalty, 1)[0], 1u);
}

TEST(Sampler, RepetitionPenaltyLooksAtTheWindow) {
  Sampler sampler({2, 3, -1, 2.5f});
  sinter_sampler penalty = settings(0);
  penalty.repetition_penalty = 2;
  for (uint32_t id : {1, 2, 2})
    ASSERT_EQ(sinter_decode(sampler.session.get(), id), SINTER_OK);
  EXPECT_EQ(sampler.draws(penalty, 1)[0], 3u);
  penalty.repetition_window = 2;
  EXPECT_EQ(sampler.draws(penalty, 1)[0], 1u);
  penalty.repetition_window = 3;
  EXPECT_EQ(sampler.draws(penalty, 1)[0], 3u);
}

TEST(Sampler, RepetitionPenaltyMakesNegativeLogitsSmaller) {
  Sampler sampler({-1, -1.5f});
  sinter_sampler penalty = settings(0);
  penalty.repetition_penalty = 2;
  EXPECT_EQ(sampler.draws(penalty, 1)[0], 1u);                              // token 0 is in the sequence: -2
  EXPECT_EQ(logitsOf(sampler.session, 2), (std::vector<float>{-1, -1.5f})); // the logits themselves stay
}

TEST(Sampler, WrongSettingsAreErrors) {
  Sampler sampler({1, 2});
  sinter_sampler wrong[] = {
      settings(-1),          settings(NAN),           settings(INFINITY),     settings(1, 0, 1.1f),
      settings(1, 0, -0.1f), settings(1, 0, 0, 1.1f), settings(1, 0, 0, NAN), settings(1)};
  wrong[7].repetition_penalty = -1;
  for (const sinter_sampler &one : wrong)
    EXPECT_EQ(sinter_set_sampler(sampler.session.get(), &one), SINTER_ERROR_ARGUMENT);
  EXPECT_STREQ(sinter_session_error(sampler.session.get()), "sampler: the repetition penalty must be 0 or more");
}
