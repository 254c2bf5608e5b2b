// Memory: the promise of sinter_plan, byte for byte and page for page.

#include "fake_package.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

using namespace sinter;
using namespace sinter::test;

namespace {

sinter_memory_plan plan(const ModelPointer &model, uint32_t threads, uint32_t context) {
  sinter_memory_plan result = {};
  sinter_error error = {};
  sinter_session_options options = {SINTER_API_VERSION, threads, context, nullptr, 0};
  EXPECT_EQ(sinter_plan(model.get(), &options, &result, &error), SINTER_OK) << error.message;
  return result;
}

// Anonymous pages in memory, exactly (statm is only roughly right).
size_t residentBytes() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  std::string word;
  while (rollup >> word)
    if (word == "Anonymous:") {
      size_t kilobytes;
      rollup >> kilobytes;
      return kilobytes * 1024;
    }
  return 0;
}

} // namespace

TEST(Memory, PlanAddsUp) {
  FakePackage package;
  AlignedBytes bytes(package.bytes());
  ModelPointer model = openModel(bytes);
  const uint64_t tile = 2 * FAKE_HIDDEN * FAKE_TILE * 4;
  for (uint32_t threads : {1, 2, 3}) {
    sinter_memory_plan all = plan(model, threads, 0);
    EXPECT_EQ(all.cache, (13 + 3) * tile); // 200 tokens, and a ring of 48
    EXPECT_EQ(all.weights, package.weights.size());
    EXPECT_EQ(all.code, package.code.size());
    EXPECT_EQ(all.arena, package.manifest.arena_bytes);
    EXPECT_EQ(all.scratch, threads * 64);
    EXPECT_EQ(all.threads, threads);
    EXPECT_EQ(all.context, 200u);
    EXPECT_EQ(all.block, all.cache + all.arena + all.scratch + all.session + all.stacks);
    EXPECT_EQ(all.total, all.weights + all.code + all.manifest + all.tokenizer + all.model + all.block);
    EXPECT_EQ(all.stacks == 0, threads == 1);
  }
}

TEST(Memory, SmallerContextTakesFewerTiles) {
  AlignedBytes bytes(FakePackage().bytes());
  ModelPointer model = openModel(bytes);
  const uint64_t tile = 2 * FAKE_HIDDEN * FAKE_TILE * 4;
  EXPECT_EQ(plan(model, 1, 1).cache, 2 * tile);
  EXPECT_EQ(plan(model, 1, 16).cache, 2 * tile);
  EXPECT_EQ(plan(model, 1, 17).cache, 4 * tile);
  EXPECT_EQ(plan(model, 1, 64).cache, (4 + 3) * tile);
  sinter_memory_plan result;
  sinter_error error;
  sinter_session_options options = {SINTER_API_VERSION, 1, 201, nullptr, 0};
  EXPECT_EQ(sinter_plan(model.get(), &options, &result, &error), SINTER_ERROR_ARGUMENT);
  EXPECT_STREQ(error.message, "a context of 201 tokens was asked for, package in memory was compiled for 200");
  options = {SINTER_API_VERSION + 1, 1, 0, nullptr, 0};
  EXPECT_EQ(sinter_plan(model.get(), &options, &result, &error), SINTER_ERROR_ARGUMENT);
}

// Each session computes right in a block of exactly the planned size; what lies around it stays untouched.
TEST(Memory, CallersBlockIsEnough) {
  AlignedBytes bytes(FakePackage().bytes());
  ModelPointer model = openModel(bytes);
  for (uint32_t context : {20, 64, 200})
    for (uint32_t threads : {1, 3}) {
      size_t block = plan(model, threads, context).block;
      std::vector<uint8_t> memory(block + 128, 0xAB);
      uint8_t *start = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64);
      sinter_session_options options = {SINTER_API_VERSION, threads, context, start, block};
      sinter_session *created = nullptr;
      sinter_error error;
      ASSERT_EQ(sinter_session_create(model.get(), &options, &created, &error), SINTER_OK) << error.message;
      SessionPointer session(created, sinter_session_destroy);
      std::vector<uint32_t> ids = someTokens(context);
      ASSERT_EQ(sinter_prefill(created, ids.data(), ids.size()), SINTER_OK);
      EXPECT_EQ(logitsOf(session), reference(ids).logits.back());
      session.reset();
      for (const uint8_t *byte = memory.data(); byte < memory.data() + memory.size(); ++byte)
        if (byte < start || byte >= start + block)
          ASSERT_EQ(*byte, 0xAB);

      options.memory_size = block - 1;
      EXPECT_EQ(sinter_session_create(model.get(), &options, &created, &error), SINTER_ERROR_MEMORY);
      EXPECT_EQ(created, nullptr);
      options.memory = start + 32;
      EXPECT_EQ(sinter_session_create(model.get(), &options, &created, &error), SINTER_ERROR_MEMORY);
      EXPECT_STREQ(error.message, "the memory for a session must be 64-byte aligned");
    }
}

TEST(Memory, ResidentIsWhatWasPromised) {
  FakePackage package(60000);
  AlignedBytes bytes(package.bytes());
  ModelPointer model = openModel(bytes);
  size_t block = plan(model, 1, 0).block;
  ASSERT_GT(block, 18u << 20);
  size_t before = residentBytes();
  SessionPointer session = createSession(model);
  size_t created = residentBytes();
  EXPECT_GE(created - before, block);
  EXPECT_LE(created - before, block + (128 << 10));
  std::vector<uint32_t> ids = someTokens(500);
  ASSERT_EQ(sinter_prefill(session.get(), ids.data(), ids.size()), SINTER_OK);
  EXPECT_LE(residentBytes(), created + (128 << 10));
}

TEST(Memory, MoreThanThereIsIsAnError) {
  FakePackage package;
  sinter_session *session;
  sinter_error error;
  package.manifest.arena_bytes = uint64_t(1) << 46;
  AlignedBytes large(package.bytes());
  EXPECT_EQ(sinter_session_create(openModel(large).get(), nullptr, &session, &error), SINTER_ERROR_MEMORY);
  package.manifest.arena_bytes = ~uint64_t(0) - 100;
  AlignedBytes larger(package.bytes());
  EXPECT_EQ(sinter_session_create(openModel(larger).get(), nullptr, &session, &error), SINTER_ERROR_MEMORY);
  EXPECT_STREQ(error.message, "package in memory: a session would not fit the address space");
}
