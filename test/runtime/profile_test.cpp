// What a profiler sees of a session, and what the runtime says of the work that dispatches do.

#include "fake_package.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace sinter;
using namespace sinter::test;

namespace {

// One list per thread, so that none is written by two.
struct Recorded {
  std::vector<sinter_dispatch_event> threads[4];
  static void record(void *user, const sinter_dispatch_event *event) {
    static_cast<Recorded *>(user)->threads[event->thread].push_back(*event);
  }
};

struct Profile : testing::Test {
  AlignedBytes bytes{FakePackage().bytes()};
  ModelPointer model = openModel(bytes);
};

sinter_dispatch_work workOf(const sinter_model *model, const char *entry, uint32_t dispatch, uint64_t tokens,
                            uint64_t position) {
  sinter_dispatch_work work = {};
  EXPECT_EQ(sinter_get_work(model, entry, dispatch, tokens, position, &work), SINTER_OK);
  return work;
}

} // namespace

// A full step, the token that is left, and the head; each entry ends with an event for the last wait.
TEST_F(Profile, EveryThreadReportsEveryDispatch) {
  std::vector<uint32_t> ids = someTokens(FAKE_STEP + 1);
  for (uint32_t threads : {1, 3}) {
    SessionPointer session = createSession(model, threads);
    Recorded recorded;
    sinter_set_profiler(session.get(), Recorded::record, &recorded);
    ASSERT_EQ(sinter_prefill(session.get(), ids.data(), ids.size()), SINTER_OK);
    EXPECT_EQ(logitsOf(session), reference(ids).logits.back());
    std::vector<std::string> expected, seen;
    for (const char *entry : {"prefill", "decode", "head"})
      for (uint32_t i = 0; i <= sinter_dispatch_count(model.get(), entry); ++i)
        expected.push_back(entry + std::to_string(i));
    ASSERT_EQ(expected.size(), 6u + 6u + 2u);
    for (uint32_t t = 0; t < threads; ++t) {
      const std::vector<sinter_dispatch_event> &events = recorded.threads[t];
      seen.clear();
      for (const sinter_dispatch_event &event : events)
        seen.push_back(event.entry + std::to_string(event.dispatch));
      EXPECT_EQ(seen, expected) << "thread " << t;
      uint64_t before = 0;
      for (const sinter_dispatch_event &event : events) {
        EXPECT_LE(before, event.arrived);
        EXPECT_LE(event.arrived, event.begin);
        EXPECT_LE(event.begin, event.end);
        before = event.end;
      }
      EXPECT_EQ(events[0].tokens, uint64_t(FAKE_STEP));
      EXPECT_EQ(events[0].position, 0u);
      EXPECT_EQ(events[6].tokens, 1u);
      EXPECT_EQ(events[6].position, uint64_t(FAKE_STEP));
    }
  }
}

// After a barrier nobody begins before all have arrived.
TEST_F(Profile, TimesShowTheWaiting) {
  std::vector<uint32_t> ids = someTokens(FAKE_STEP);
  SessionPointer session = createSession(model, 3);
  Recorded recorded;
  sinter_set_profiler(session.get(), Recorded::record, &recorded);
  ASSERT_EQ(sinter_prefill(session.get(), ids.data(), ids.size()), SINTER_OK);
  uint32_t barriers = 0, dispatches = sinter_dispatch_count(model.get(), "prefill");
  for (uint32_t i = 0; i < dispatches; ++i) {
    sinter_dispatch_info info = {};
    ASSERT_EQ(sinter_get_dispatch(model.get(), "prefill", i, &info), SINTER_OK);
    if (!info.barrier)
      continue;
    ++barriers;
    uint64_t last = 0;
    for (uint32_t t = 0; t < 3; ++t)
      last = std::max(last, recorded.threads[t][i].arrived);
    for (uint32_t t = 0; t < 3; ++t)
      EXPECT_GE(recorded.threads[t][i].begin, last) << "dispatch " << i << ", thread " << t;
  }
  EXPECT_EQ(barriers, 3u);
}

TEST_F(Profile, CanBeTakenAway) {
  SessionPointer session = createSession(model, 2);
  Recorded recorded;
  sinter_set_profiler(session.get(), Recorded::record, &recorded);
  ASSERT_EQ(sinter_decode(session.get(), 1), SINTER_OK);
  EXPECT_FALSE(recorded.threads[0].empty());
  size_t before = recorded.threads[0].size();
  sinter_set_profiler(session.get(), nullptr, nullptr);
  ASSERT_EQ(sinter_decode(session.get(), 2), SINTER_OK);
  EXPECT_EQ(recorded.threads[0].size(), before);
}

TEST_F(Profile, TellsWhatDispatchesAre) {
  sinter_dispatch_info info = {};
  ASSERT_EQ(sinter_get_dispatch(model.get(), "decode", 2, &info), SINTER_OK);
  EXPECT_STREQ(info.kernel, "attend");
  EXPECT_STREQ(info.kind, "attention");
  EXPECT_TRUE(info.barrier);
  EXPECT_FALSE(info.int8);
  ASSERT_EQ(sinter_get_dispatch(model.get(), "head", 0, &info), SINTER_OK);
  EXPECT_TRUE(info.int8);

  EXPECT_EQ(sinter_dispatch_count(model.get(), "nothing"), 0u);
  EXPECT_EQ(sinter_get_dispatch(model.get(), "nothing", 0, &info), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_get_dispatch(model.get(), "head", 1, &info), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_get_dispatch(model.get(), "head", 0, nullptr), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_get_work(model.get(), "head", 1, 1, 0, nullptr), SINTER_ERROR_ARGUMENT);
}

TEST_F(Profile, WorkGrowsWithTokens) {
  const uint64_t row = FAKE_HIDDEN * sizeof(float);
  EXPECT_EQ(workOf(model.get(), "prefill", 0, 7, 100).weight_bytes, 7 * row);
  sinter_dispatch_work head = workOf(model.get(), "head", 0, 1, 5);
  EXPECT_EQ(head.weight_bytes, FAKE_VOCAB * row);
  EXPECT_EQ(head.multiply_adds, uint64_t(FAKE_VOCAB * FAKE_HIDDEN));
  EXPECT_EQ(workOf(model.get(), "head", 0, 3, 5).weight_bytes, FAKE_VOCAB * row);
  EXPECT_EQ(workOf(model.get(), "prefill", 1, 7, 0).weight_bytes, 0u);
}

// Position by position, with a window and without.
TEST(ProfileWork, OfAttentionIsThatOfThePositionsLookedAt) {
  for (uint64_t window : {0, 1, 5, 20}) {
    FakePackage package;
    package.manifest.work[2]->window = window;
    AlignedBytes bytes(package.bytes());
    ModelPointer model = openModel(bytes);
    for (uint64_t position : {0, 1, 4, 5, 19, 20, 100})
      for (uint64_t tokens : {1, 2, 5, 24}) {
        uint64_t looks = 0, oldest = position;
        for (uint64_t p = position; p < position + tokens; ++p) {
          uint64_t from = window && p + 1 > window ? p + 1 - window : 0;
          looks += p + 1 - from;
          oldest = std::min(oldest, from);
        }
        sinter_dispatch_work work = workOf(model.get(), "prefill", 2, tokens, position);
        EXPECT_EQ(work.multiply_adds, looks * 2 * FAKE_HIDDEN) << window << " " << position << " " << tokens;
        EXPECT_EQ(work.cache_bytes, (position + tokens - oldest) * 2 * FAKE_HIDDEN * sizeof(float));
      }
  }
}

TEST(ProfileWork, IsOptionalButComplete) {
  FakePackage package;
  package.manifest.work.pop_back();
  AlignedBytes some(package.bytes());
  sinter_model *model = nullptr;
  sinter_error error = {};
  EXPECT_EQ(sinter_model_open_memory(some.data(), some.size(), nullptr, &model, &error), SINTER_ERROR_FORMAT);
  EXPECT_STREQ(error.message, "package in memory: the manifest describes the work of 5 kernels, but has 6");

  package.manifest.work.clear();
  AlignedBytes none(package.bytes());
  ModelPointer opened = openModel(none);
  sinter_dispatch_info info = {};
  ASSERT_EQ(sinter_get_dispatch(opened.get(), "head", 0, &info), SINTER_OK);
  EXPECT_STREQ(info.kind, "");
  EXPECT_EQ(workOf(opened.get(), "head", 0, 1, 0).multiply_adds, 0u);
}

// Every unit runs once, on however many threads, and the sequence does not notice.
TEST_F(Profile, YardsticksRunOnTheCallersMemory) {
  sinter_yardstick facts = {};
  ASSERT_EQ(sinter_get_yardstick(model.get(), "read", &facts), SINTER_OK);
  EXPECT_EQ(facts.unit_bytes, 64u);
  EXPECT_EQ(sinter_get_yardstick(model.get(), "dot", &facts), SINTER_ERROR_UNSUPPORTED);
  for (uint32_t threads : {1, 3}) {
    SessionPointer session = createSession(model, threads);
    ASSERT_EQ(sinter_decode(session.get(), 7), SINTER_OK);
    AlignedBytes counters(std::vector<uint8_t>(10 * 64));
    uint64_t nanoseconds = 0;
    ASSERT_EQ(sinter_run_yardstick(session.get(), "read", counters.data(), counters.size(), 10, &nanoseconds),
              SINTER_OK);
    EXPECT_GT(nanoseconds, 0u);
    for (size_t i = 0; i < counters.size(); ++i)
      EXPECT_EQ(counters.data()[i], i % 64 == 0) << i;
    ASSERT_EQ(sinter_decode(session.get(), 8), SINTER_OK);
    EXPECT_EQ(logitsOf(session), reference({7, 8}).logits.back());

    EXPECT_EQ(sinter_run_yardstick(session.get(), "read", counters.data(), counters.size(), 11, &nanoseconds),
              SINTER_ERROR_ARGUMENT);
    EXPECT_STREQ(sinter_session_error(session.get()),
                 "11 units of yardstick 'read' do not fit in 640 bytes, or those are not 64-byte aligned");
    EXPECT_EQ(sinter_run_yardstick(session.get(), "fma", counters.data(), counters.size(), 1, &nanoseconds),
              SINTER_ERROR_UNSUPPORTED);
  }
}

TEST(ProfileWork, YardsticksMustBeKernels) {
  FakePackage package;
  package.manifest.yardsticks[0]->kernel = 6;
  AlignedBytes bytes(package.bytes());
  sinter_model *model = nullptr;
  sinter_error error = {};
  EXPECT_EQ(sinter_model_open_memory(bytes.data(), bytes.size(), nullptr, &model, &error), SINTER_ERROR_FORMAT);
  EXPECT_STREQ(error.message, "package in memory: yardstick 'read' is kernel 6 of 6");
}
