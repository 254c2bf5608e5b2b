// How the runtime behaves in somebody's process: it can be told to stop, says what it does, bears null pointers, and leaves
// nothing behind. Also built with ThreadSanitizer.

#include "fake_package.h"
#include "runtime/sinter.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <signal.h>
#include <sys/time.h>
#include <thread>

using namespace sinter;
using namespace sinter::test;

namespace {

std::vector<std::string> logged;

void keepLog(void *user, sinter_log_level level, const char *message) {
  EXPECT_EQ(user, &logged);
  logged.push_back(std::to_string(level) + " " + message);
}

// Kilobytes of address space, and how many pieces it has.
std::pair<size_t, size_t> addressSpace() {
  std::ifstream status("/proc/self/status"), maps("/proc/self/maps");
  std::string line;
  size_t size = 0, pieces = 0;
  while (std::getline(status, line))
    if (line.rfind("VmSize:", 0) == 0)
      size = std::stoul(line.substr(7));
  while (std::getline(maps, line))
    ++pieces;
  return {size, pieces};
}

} // namespace

TEST(Manners, CancelledFromAnotherThread) {
  AlignedBytes bytes(FakePackage(60000).bytes());
  ModelPointer model = openModel(bytes);
  for (uint32_t threads : {1, 2, 3}) {
    SessionPointer session = createSession(model, threads);
    std::vector<uint32_t> ids = someTokens(50000);
    std::atomic<bool> started{false};
    std::thread other([&] {
      while (!started)
        std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      sinter_cancel(session.get());
    });
    started = true;
    sinter_status status = sinter_prefill(session.get(), ids.data(), ids.size());
    other.join();
    if (status == SINTER_OK) // it was faster: the next call is the one that stops
      status = sinter_decode(session.get(), 1);
    ASSERT_EQ(status, SINTER_ERROR_CANCELLED);
    EXPECT_EQ(std::string(sinter_session_error(session.get())),
              "cancelled at " + std::to_string(sinter_position(session.get())) + " tokens");
    EXPECT_EQ(sinter_logits(session.get()), nullptr);

    // What was done before counts, what was not finished does not: the session goes on as if never cancelled.
    ASSERT_EQ(sinter_truncate(session.get(), 0), SINTER_OK);
    std::vector<uint32_t> fewer = someTokens(40);
    ASSERT_EQ(sinter_prefill(session.get(), fewer.data(), fewer.size()), SINTER_OK);
    EXPECT_EQ(logitsOf(session), reference(fewer).logits.back());
  }
}

TEST(Manners, CancelBeforeACallStopsThatCallOnly) {
  AlignedBytes bytes(FakePackage().bytes());
  ModelPointer model = openModel(bytes);
  for (uint32_t threads : {1, 3}) {
    SessionPointer session = createSession(model, threads);
    std::vector<uint32_t> ids = someTokens(20);
    for (int round = 0; round < 50; ++round) {
      sinter_cancel(session.get());
      EXPECT_EQ(sinter_prefill(session.get(), ids.data(), ids.size()), SINTER_ERROR_CANCELLED);
      EXPECT_EQ(sinter_position(session.get()), 0u);
      ASSERT_EQ(sinter_prefill(session.get(), ids.data(), ids.size()), SINTER_OK);
      EXPECT_EQ(logitsOf(session), reference(ids).logits.back());
      sinter_reset(session.get());
    }
  }
}

TEST(Manners, CancelsGenerationAndScoring) {
  AlignedBytes bytes(FakePackage(20000).bytes());
  ModelPointer model = openModel(bytes);
  SessionPointer session = createSession(model, 2);
  uint32_t one = 1, generated = 0;
  ASSERT_EQ(sinter_prefill(session.get(), &one, 1), SINTER_OK);
  std::pair<sinter_session *, int> state = {session.get(), 0};
  auto stopAfterThree = [](void *user, uint32_t) {
    auto *pair = static_cast<std::pair<sinter_session *, int> *>(user);
    if (++pair->second == 3)
      sinter_cancel(pair->first); // allowed in callbacks too
    return 0;
  };
  EXPECT_EQ(sinter_generate(session.get(), 1000, 1, stopAfterThree, &state, &generated), SINTER_ERROR_CANCELLED);
  EXPECT_EQ(generated, 3u);
  EXPECT_EQ(sinter_position(session.get()), 3u); // the third was being appended
  std::vector<uint32_t> ids = someTokens(100);
  sinter_cancel(session.get());
  EXPECT_EQ(sinter_score(session.get(), ids.data(), ids.size(), [](void *, size_t, const float *) { return 0; }, nullptr),
            SINTER_ERROR_CANCELLED);
}

TEST(Manners, TellsALog) {
  TemporaryFile file(FakePackage().bytes());
  ModelOptions options;
  options.log = keepLog;
  options.log_user = &logged;
  logged.clear();
  {
    Model model;
    Session session;
    model.open(file.path(), options).orThrow();
    SessionOptions small;
    small.threads = 2;
    session.create(model, small).orThrow();
    EXPECT_FALSE(session.decode(FAKE_VOCAB).ok());
    ASSERT_EQ(logged.size(), 3u);
    EXPECT_NE(logged[0].find(": opened, "), std::string::npos) << logged[0];
    EXPECT_NE(logged[1].find("a session of 200 tokens on 2 threads"), std::string::npos) << logged[1];
    EXPECT_EQ(logged[2], "0 token 48 (number 0) is not in the vocabulary of 48");
    EXPECT_EQ(logged[0][0], '2');
  }
  AlignedBytes memory(FakePackage().bytes());
  logged.clear();
  Model copied;
  copied.open(memory.data(), memory.size(), options).orThrow();
  EXPECT_NE(logged[0].find("bytes of code were copied"), std::string::npos) << logged[0];
  EXPECT_EQ(logged[0][0], '1');
  // An error is told even if no sinter_error was given.
  logged.clear();
  sinter_model *model;
  EXPECT_EQ(sinter_model_open_memory(memory.data(), memory.size() - 64, &options, &model, nullptr), SINTER_ERROR_FORMAT);
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_EQ(logged[0].substr(0, 22), "0 package in memory: t");
}

TEST(Manners, BearsNullPointers) {
  sinter_model *model = nullptr;
  sinter_session *session = nullptr;
  sinter_memory_plan plan;
  sinter_model_info info;
  sinter_error error;
  uint32_t id = 0;
  const char *text;
  size_t size;
  EXPECT_EQ(sinter_model_open(nullptr, nullptr, &model, &error), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_model_open("x", nullptr, nullptr, &error), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_model_open_memory(nullptr, 0, nullptr, &model, nullptr), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_model_open_parts(nullptr, nullptr, &model, nullptr), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_model_check(nullptr, &error), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_plan(nullptr, nullptr, &plan, &error), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_session_create(nullptr, nullptr, &session, &error), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_token_text(nullptr, 0, &text, &size), SINTER_ERROR_ARGUMENT);
  sinter_model_get_info(nullptr, &info);
  EXPECT_EQ(info.vocab, 0u);
  EXPECT_EQ(sinter_prefill(nullptr, &id, 1), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_decode(nullptr, 1), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_score(nullptr, &id, 1, nullptr, nullptr), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_truncate(nullptr, 0), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_sample(nullptr, &id), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_generate(nullptr, 1, 0, nullptr, nullptr, nullptr), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_set_sampler(nullptr, nullptr), SINTER_ERROR_ARGUMENT);
  EXPECT_STREQ(sinter_session_error(nullptr), "there is no session: null pointer");
  EXPECT_EQ(sinter_position(nullptr) + sinter_threads(nullptr), 0u);
  EXPECT_EQ(sinter_logits(nullptr), nullptr);
  sinter_cancel(nullptr);
  sinter_reset(nullptr);
  sinter_set_observer(nullptr, nullptr, nullptr);
  sinter_set_profiler(nullptr, nullptr, nullptr);
  sinter_session_destroy(nullptr);
  sinter_model_close(nullptr);
}

TEST(Manners, WrapperSaysWhatIsEmpty) {
  TemporaryFile file(FakePackage().bytes());
  Model model;
  Session session;
  sinter_memory_plan plan;
  EXPECT_EQ(model.check().code, SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(model.plan(plan).code, SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(session.create(model).code, SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(session.decode(1).message, "there is no session: null pointer");
  model.open(file.path()).orThrow();
  session.create(model).orThrow();
  model.close(); // sessions go on without it
  session.prefill(someTokens(5)).orThrow();
  Session moved = std::move(session);
  EXPECT_EQ(session.decode(1).code, SINTER_ERROR_ARGUMENT);
  moved.decode(1).orThrow();
}

TEST(Manners, FactsOnly) {
  AlignedBytes bytes(FakePackage().bytes());
  ModelOptions options;
  options.facts_only = 1;
  Model model;
  model.open(bytes.data(), bytes.size(), options).orThrow();
  sinter_memory_plan plan;
  model.plan(plan).orThrow();
  EXPECT_GT(plan.block, 0u);
  Session session;
  EXPECT_EQ(session.create(model).code, SINTER_ERROR_ARGUMENT);
}

// Another file takes the place of a model's while it is mapped: sessions go on with the old one, who opens the path gets
// the new one. (Writing into the file itself is what sinter.h says nobody may do.)
TEST(Manners, AFileMayBeReplacedWhileItIsMapped) {
  TemporaryFile file(FakePackage().bytes());
  std::vector<uint32_t> ids = someTokens(5);
  Model model;
  Session before, after;
  model.open(file.path()).orThrow();
  before.create(model).orThrow();
  before.prefill(ids).orThrow();
  const uint32_t vocab = model.info().vocab;
  const std::vector<float> expected(before.logits(), before.logits() + vocab);

  const std::string path = file.path(), replacement = path + ".new";
  std::ofstream(replacement) << "not a package";
  ASSERT_EQ(rename(replacement.c_str(), path.c_str()), 0);
  after.create(model).orThrow();
  after.prefill(ids).orThrow();
  EXPECT_EQ(std::vector<float>(after.logits(), after.logits() + vocab), expected);
  before.decode(1).orThrow();
  model.check().orThrow();
  Model other;
  EXPECT_EQ(other.open(file.path()).code, SINTER_ERROR_FORMAT);
}

TEST(Manners, AThousandLoadsLeaveNothing) {
  TemporaryFile file(FakePackage().bytes());
  std::vector<uint32_t> ids = someTokens(3);
  auto round = [&] {
    sinter_model *model = nullptr;
    sinter_session *session = nullptr;
    sinter_session_options options = {SINTER_API_VERSION, 2, 64, nullptr, 0};
    ASSERT_EQ(sinter_model_open(file.path(), nullptr, &model, nullptr), SINTER_OK);
    ASSERT_EQ(sinter_session_create(model, &options, &session, nullptr), SINTER_OK);
    ASSERT_EQ(sinter_prefill(session, ids.data(), ids.size()), SINTER_OK);
    sinter_session_destroy(session);
    sinter_model_close(model);
  };
  for (int i = 0; i < 10; ++i)
    round();
  std::pair<size_t, size_t> before = addressSpace();
  for (int i = 0; i < 1000; ++i)
    round();
  std::pair<size_t, size_t> after = addressSpace();
  if (!__has_feature(thread_sanitizer)) { // which keeps records of threads that ended
    EXPECT_LE(after.first, before.first + 64); // the C library comes and goes with a page or two
    EXPECT_LE(after.second, before.second + 2);
  }
}
