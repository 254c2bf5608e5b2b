// Threads: how many there are by default, that more than there are CPUs still get on, and that the host's settings of
// signals and floating point stay the host's.

#include "fake_package.h"

#include <gtest/gtest.h>

#include <chrono>
#include <sched.h>
#include <signal.h>
#include <thread>
#include <time.h>

using namespace sinter;
using namespace sinter::test;

TEST(Threads, DefaultFollowsTheAffinityMask) {
  AlignedBytes bytes(FakePackage().bytes());
  ModelPointer model = openModel(bytes);
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  EXPECT_LE(sinter_threads(createSession(model, 0).get()), uint32_t(CPU_COUNT(&before)));
  int cpu = 0;
  while (!CPU_ISSET(cpu, &before))
    ++cpu;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(sinter_threads(createSession(model, 0).get()), 1u);
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
}

// Two steps of about ten barriers per token. Threads that only spun would need whole time slices for each barrier
// (16 threads, 10 barriers and 3 ms: half a second per token).
TEST(Threads, ManyMoreThanCpusDoNotCollapse) {
  AlignedBytes bytes(FakePackage().bytes());
  ModelPointer model = openModel(bytes);
  SessionPointer session = createSession(model, 8 * std::thread::hardware_concurrency());
  std::vector<uint32_t> ids = someTokens(150);
  auto start = std::chrono::steady_clock::now();
  for (uint32_t id : ids)
    ASSERT_EQ(sinter_decode(session.get(), id), SINTER_OK);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_EQ(logitsOf(session), reference(ids).logits.back());
  EXPECT_LT(seconds, 20);
}

TEST(Threads, IdleThreadsSleep) {
  AlignedBytes bytes(FakePackage().bytes());
  ModelPointer model = openModel(bytes);
  SessionPointer session = createSession(model, 4);
  ASSERT_EQ(sinter_decode(session.get(), 1), SINTER_OK);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  clock_t before = clock(); // CPU time of all threads
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(double(clock() - before) / CLOCKS_PER_SEC, 0.03);
}

TEST(Threads, SessionsRunSideBySide) {
  AlignedBytes bytes(FakePackage().bytes());
  ModelPointer model = openModel(bytes);
  std::vector<uint32_t> ids = someTokens(100);
  std::vector<float> expected = reference(ids).logits.back();
  std::vector<std::thread> hosts;
  std::vector<std::vector<float>> results(4);
  for (std::vector<float> &result : results)
    hosts.emplace_back([&] {
      SessionPointer session = createSession(model, 2);
      if (sinter_prefill(session.get(), ids.data(), ids.size()) == SINTER_OK)
        result = logitsOf(session);
    });
  for (std::thread &host : hosts)
    host.join();
  for (const std::vector<float> &result : results)
    EXPECT_EQ(result, expected);
}

TEST(Threads, TooManyIsAnError) {
  AlignedBytes bytes(FakePackage().bytes());
  ModelPointer model = openModel(bytes);
  sinter_session *session;
  sinter_error error;
  sinter_session_options options = {SINTER_API_VERSION, 5000, 0, nullptr, 0};
  EXPECT_EQ(sinter_session_create(model.get(), &options, &session, &error), SINTER_ERROR_ARGUMENT);
  EXPECT_STREQ(error.message, "5000 threads were asked for, at most 1024 are possible");
}

TEST(Threads, SignalMaskAndFloatModeOfTheHostStay) {
  AlignedBytes bytes(FakePackage().bytes());
  ModelPointer model = openModel(bytes);
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  uint32_t mode = __builtin_ia32_stmxcsr(), flushing = mode | 0x8040; // flush denormals, as audio hosts do
  __builtin_ia32_ldmxcsr(flushing);
  SessionPointer session = createSession(model, 3);
  EXPECT_EQ(sinter_decode(session.get(), 1), SINTER_OK);
  uint32_t found = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(mode);
  EXPECT_EQ(found & 0xFFC0, flushing & 0xFFC0); // without the sticky exception flags
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigismember(&before, SIGUSR1), sigismember(&after, SIGUSR1));
}
