// Sessions compute what the fake model's reference says, however the tokens come in and however many threads there are.

#include "fake_package.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace sinter;
using namespace sinter::test;

namespace {

struct Session : testing::Test {
  AlignedBytes bytes{FakePackage().bytes()};
  ModelPointer model = openModel(bytes);
};

sinter_status prefill(const SessionPointer &session, const std::vector<uint32_t> &ids) {
  return sinter_prefill(session.get(), ids.data(), ids.size());
}

// What an observer saw: name, position and rows of each call.
struct Observed {
  std::vector<std::string> names;
  std::vector<uint64_t> positions, rows;
  std::vector<std::vector<float>> data;
};

void observe(void *user, const sinter_observation *observation) {
  Observed &observed = *static_cast<Observed *>(user);
  observed.names.push_back(observation->name);
  observed.positions.push_back(observation->position);
  observed.rows.push_back(observation->rows);
  for (uint64_t row = 0; row < observation->rows; ++row) {
    const float *start = observation->data + row * observation->stride;
    observed.data.emplace_back(start, start + observation->width);
  }
}

} // namespace

TEST_F(Session, PrefillMatchesTheReference) {
  std::vector<uint32_t> ids = someTokens(200);
  FakeResult expected = reference(ids);
  for (size_t count : {1, 2, 23, 24, 25, 48, 49, 100, 200}) {
    SessionPointer session = createSession(model);
    ASSERT_EQ(sinter_prefill(session.get(), ids.data(), count), SINTER_OK);
    EXPECT_EQ(sinter_position(session.get()), count);
    EXPECT_EQ(logitsOf(session), expected.logits[count - 1]) << count << " tokens";
  }
}

TEST_F(Session, TokenByTokenMatchesTheReference) {
  std::vector<uint32_t> ids = someTokens(200);
  FakeResult expected = reference(ids);
  SessionPointer session = createSession(model);
  for (size_t i = 0; i < ids.size(); ++i) {
    ASSERT_EQ(sinter_decode(session.get(), ids[i]), SINTER_OK);
    ASSERT_EQ(logitsOf(session), expected.logits[i]) << "token " << i;
  }
}

TEST_F(Session, EveryThreadCountGivesTheSameBits) {
  std::vector<uint32_t> ids = someTokens(120);
  FakeResult expected = reference(ids);
  for (uint32_t threads : {1, 2, 3, 4, 5, 7, 61}) {
    SessionPointer session = createSession(model, threads);
    EXPECT_EQ(sinter_threads(session.get()), threads);
    ASSERT_EQ(sinter_prefill(session.get(), ids.data(), 100), SINTER_OK);
    EXPECT_EQ(logitsOf(session), expected.logits[99]) << threads << " threads";
    for (size_t i = 100; i < ids.size(); ++i)
      ASSERT_EQ(sinter_decode(session.get(), ids[i]), SINTER_OK);
    EXPECT_EQ(logitsOf(session), expected.logits.back()) << threads << " threads";
  }
}

TEST_F(Session, ScoreGivesTheLogitsOfEachToken) {
  std::vector<uint32_t> ids = someTokens(77);
  FakeResult expected = reference(ids);
  for (uint32_t threads : {1, 3}) {
    SessionPointer session = createSession(model, threads);
    ASSERT_EQ(sinter_prefill(session.get(), ids.data(), 5), SINTER_OK);
    std::vector<std::vector<float>> seen;
    auto keep = [](void *user, size_t index, const float *logits) {
      std::vector<std::vector<float>> &rows = *static_cast<std::vector<std::vector<float>> *>(user);
      EXPECT_EQ(index, rows.size());
      rows.emplace_back(logits, logits + FAKE_VOCAB);
      return 0;
    };
    ASSERT_EQ(sinter_score(session.get(), ids.data() + 5, ids.size() - 5, keep, &seen), SINTER_OK);
    EXPECT_EQ(seen, std::vector<std::vector<float>>(expected.logits.begin() + 5, expected.logits.end()));
    EXPECT_EQ(logitsOf(session), expected.logits.back());
  }
}

TEST_F(Session, ScoreStopsAfterTheStepInWhichItIsAskedTo) {
  std::vector<uint32_t> ids = someTokens(77);
  FakeResult expected = reference(ids);
  SessionPointer session = createSession(model);
  auto stopAt = [](void *user, size_t index, const float *) { return int(index == *static_cast<size_t *>(user)); };
  size_t last = FAKE_STEP + 3;
  EXPECT_EQ(sinter_score(session.get(), ids.data(), ids.size(), stopAt, &last), SINTER_ERROR_CANCELLED);
  EXPECT_EQ(sinter_position(session.get()), 2u * FAKE_STEP);
  EXPECT_EQ(logitsOf(session), expected.logits[2 * FAKE_STEP - 1]);
}

TEST_F(Session, ObserverSeesEveryLayerOfEveryStep) {
  std::vector<uint32_t> ids = someTokens(FAKE_STEP + 1);
  FakeResult expected = reference(ids);
  for (uint32_t threads : {1, 3}) {
    SessionPointer session = createSession(model, threads);
    Observed observed;
    sinter_set_observer(session.get(), observe, &observed);
    ASSERT_EQ(prefill(session, ids), SINTER_OK);
    // One full step, and the token that is left goes through decode.
    EXPECT_EQ(observed.names,
              (std::vector<std::string>{"prefill.layers.0", "prefill.layers.1", "decode.layers.0", "decode.layers.1"}));
    EXPECT_EQ(observed.rows, (std::vector<uint64_t>{FAKE_STEP, FAKE_STEP, 1, 1}));
    EXPECT_EQ(observed.positions, (std::vector<uint64_t>{0, 0, FAKE_STEP, FAKE_STEP}));
    for (size_t p = 0; p < FAKE_STEP; ++p) {
      EXPECT_EQ(observed.data[p], expected.layers[0][p]);
      EXPECT_EQ(observed.data[FAKE_STEP + p], expected.layers[1][p]);
    }
    EXPECT_EQ(observed.data[2 * FAKE_STEP], expected.layers[0].back());
    EXPECT_EQ(observed.data[2 * FAKE_STEP + 1], expected.layers[1].back());

    sinter_set_observer(session.get(), nullptr, nullptr);
    observed = {};
    ASSERT_EQ(sinter_decode(session.get(), 1), SINTER_OK);
    EXPECT_TRUE(observed.names.empty());
  }
}

TEST_F(Session, ErrorsLeaveTheSequenceAsItWas) {
  std::vector<uint32_t> ids = someTokens(30);
  SessionPointer session = createSession(model, 2, 32);
  EXPECT_EQ(sinter_logits(session.get()), nullptr);
  uint32_t id = 0;
  EXPECT_EQ(sinter_sample(session.get(), &id), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_prefill(session.get(), ids.data(), 0), SINTER_ERROR_ARGUMENT);
  ASSERT_EQ(prefill(session, ids), SINTER_OK);
  std::vector<float> before = logitsOf(session);

  EXPECT_EQ(sinter_prefill(session.get(), ids.data(), 3), SINTER_ERROR_CONTEXT);
  EXPECT_STREQ(sinter_session_error(session.get()), "3 tokens after the first 30 would exceed the context of 32");
  EXPECT_EQ(prefill(session, {1, FAKE_VOCAB}), SINTER_ERROR_ARGUMENT);
  EXPECT_STREQ(sinter_session_error(session.get()), "token 48 (number 1) is not in the vocabulary of 48");
  EXPECT_EQ(sinter_truncate(session.get(), 31), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_position(session.get()), 30u);
  EXPECT_EQ(logitsOf(session), before);

  ASSERT_EQ(prefill(session, {1, 2}), SINTER_OK);
  ids.insert(ids.end(), {1, 2});
  EXPECT_EQ(logitsOf(session), reference(ids).logits.back());
  EXPECT_EQ(sinter_decode(session.get(), 1), SINTER_ERROR_CONTEXT);
}

TEST_F(Session, TruncateAndResetForget) {
  std::vector<uint32_t> ids = someTokens(40);
  SessionPointer session = createSession(model, 2);
  ASSERT_EQ(prefill(session, ids), SINTER_OK);
  ASSERT_EQ(sinter_truncate(session.get(), 40), SINTER_OK);
  EXPECT_NE(sinter_logits(session.get()), nullptr);
  ASSERT_EQ(sinter_truncate(session.get(), 17), SINTER_OK);
  EXPECT_EQ(sinter_logits(session.get()), nullptr);
  ids.resize(17);
  ids.insert(ids.end(), {9, 8, 7});
  ASSERT_EQ(prefill(session, {9, 8, 7}), SINTER_OK);
  EXPECT_EQ(logitsOf(session), reference(ids).logits.back());

  sinter_reset(session.get());
  EXPECT_EQ(sinter_position(session.get()), 0u);
  EXPECT_EQ(sinter_logits(session.get()), nullptr);
  ASSERT_EQ(prefill(session, {4, 5}), SINTER_OK);
  EXPECT_EQ(logitsOf(session), reference({4, 5}).logits.back());
}

// The ring of the second layer holds 48 tokens: of 150 the ones from 102 on. A window of 20 before them is whole from
// 122.
TEST_F(Session, TruncateGoesBackAsFarAsTheRingHolds) {
  std::vector<uint32_t> ids = someTokens(150);
  SessionPointer session = createSession(model);
  ASSERT_EQ(prefill(session, ids), SINTER_OK);
  EXPECT_EQ(sinter_truncate(session.get(), 121), SINTER_ERROR_CONTEXT);
  EXPECT_STREQ(
      sinter_session_error(session.get()),
      "cannot go back to position 121: cache 'layers.1' has a window of 20 tokens and keeps those from 102 on");
  EXPECT_EQ(sinter_position(session.get()), 150u);
  ASSERT_EQ(sinter_truncate(session.get(), 122), SINTER_OK);
  // Going back does not bring back what the ring had overwritten.
  EXPECT_EQ(sinter_truncate(session.get(), 121), SINTER_ERROR_CONTEXT);

  ids.resize(122);
  for (uint32_t id : {11, 12, 13}) {
    ids.push_back(id);
    ASSERT_EQ(sinter_decode(session.get(), id), SINTER_OK);
  }
  EXPECT_EQ(logitsOf(session), reference(ids).logits.back());
  EXPECT_EQ(sinter_truncate(session.get(), 0), SINTER_OK);
  ASSERT_EQ(sinter_decode(session.get(), 5), SINTER_OK);
  EXPECT_EQ(logitsOf(session), reference({5}).logits.back());
}

TEST_F(Session, GenerateAppendsWhatItPassesOn) {
  SessionPointer session = createSession(model, 2, 64);
  ASSERT_EQ(prefill(session, someTokens(10)), SINTER_OK);
  std::vector<uint32_t> ids = someTokens(10), expected;
  while (ids.size() < 64) {
    std::vector<float> logits = reference(ids).logits.back();
    ids.push_back(uint32_t(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    expected.push_back(ids.back());
  }
  std::vector<uint32_t> made;
  uint32_t count = 0;
  auto keep = [](void *user, uint32_t id) {
    static_cast<std::vector<uint32_t> *>(user)->push_back(id);
    return 0;
  };
  ASSERT_EQ(sinter_generate(session.get(), 5, 1, keep, &made, &count), SINTER_OK);
  EXPECT_EQ(count, 5u);
  EXPECT_EQ(sinter_position(session.get()), 15u);
  ASSERT_EQ(sinter_generate(session.get(), 1000, 1, keep, &made, &count), SINTER_OK); // until the context is full
  EXPECT_EQ(count, 49u);
  EXPECT_EQ(made, expected);
  ASSERT_EQ(sinter_generate(session.get(), 1000, 1, keep, &made, &count), SINTER_OK);
  EXPECT_EQ(count, 0u);
}

TEST(Generate, StopsAtEosAndWhenAsked) {
  std::vector<float> logits = {0, 0, 1, 5, 0};
  AlignedBytes bytes(FakePackage(64, logits).bytes()); // eos is 3
  ModelPointer model = openModel(bytes);
  SessionPointer session = createSession(model);
  uint32_t count = 7, last = 0;
  auto stop = [](void *user, uint32_t id) {
    *static_cast<uint32_t *>(user) = id;
    return 1;
  };
  EXPECT_EQ(sinter_generate(session.get(), 9, 0, stop, &last, &count), SINTER_ERROR_ARGUMENT); // no logits yet
  ASSERT_EQ(sinter_decode(session.get(), 0), SINTER_OK);
  EXPECT_EQ(sinter_generate(session.get(), 9, 0, stop, &last, &count), SINTER_OK);
  EXPECT_EQ(count, 0u);
  EXPECT_EQ(sinter_position(session.get()), 1u);
  EXPECT_EQ(sinter_generate(session.get(), 9, 1, stop, &last, &count), SINTER_OK);
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(last, 3u);
  EXPECT_EQ(sinter_position(session.get()), 2u);
}

TEST_F(Session, TwoSessionsOfOneModelDoNotMeet) {
  std::vector<uint32_t> first = someTokens(50), second(50, 7);
  SessionPointer one = createSession(model, 2), other = createSession(model, 2);
  for (size_t i = 0; i < 50; ++i) {
    ASSERT_EQ(sinter_decode(one.get(), first[i]), SINTER_OK);
    ASSERT_EQ(sinter_decode(other.get(), second[i]), SINTER_OK);
  }
  EXPECT_EQ(logitsOf(one), reference(first).logits.back());
  EXPECT_EQ(logitsOf(other), reference(second).logits.back());
}
