// sinter.hpp: statuses, exceptions and lambdas.

#include "fake_package.h"
#include "runtime/sinter.hpp"

#include <gtest/gtest.h>

using namespace sinter;
using namespace sinter::test;

TEST(Wrapper, RunsASequence) {
  TemporaryFile file(FakePackage().bytes());
  Model model;
  Session session;
  EXPECT_FALSE(model);
  model.open(file.path()).orThrow();
  model.check().orThrow();
  EXPECT_EQ(model.info().vocab, uint32_t(FAKE_VOCAB));
  SessionOptions options;
  options.threads = 2;
  options.context = 64;
  sinter_memory_plan plan;
  model.plan(plan, options).orThrow();
  EXPECT_GT(plan.block, 0u);
  session.create(model, options).orThrow();
  EXPECT_EQ(session.threads(), 2u);

  std::vector<uint32_t> ids = someTokens(20);
  FakeResult expected = reference(ids);
  int layers = 0;
  session.observe([&](const sinter_observation &) { ++layers; });
  session.prefill(ids).orThrow();
  session.observe({});
  EXPECT_EQ(layers, 2);
  EXPECT_EQ(std::vector<float>(session.logits(), session.logits() + FAKE_VOCAB), expected.logits.back());
  session.reset();
  size_t scored = 0;
  session.score(ids, [&](size_t index, const float *logits) { scored += logits[3] == expected.logits[index][3]; })
      .orThrow();
  EXPECT_EQ(scored, ids.size());

  session.setSampler({}).orThrow();
  uint32_t id = 0, generated = 0;
  session.sample(id).orThrow();
  std::vector<uint32_t> made;
  Session moved = std::move(session);
  moved
      .generate(
          5, [&](uint32_t token) { return made.push_back(token), made.size() == 3; }, true, &generated)
      .orThrow();
  EXPECT_EQ(generated, 3u);
  EXPECT_EQ(made.front(), id);
  EXPECT_EQ(moved.position(), 23u);
  moved.truncate(20).orThrow();
  EXPECT_EQ(moved.logits(), nullptr);
}

TEST(Wrapper, ErrorsAreStatusesOrExceptions) {
  AlignedBytes bytes(FakePackage().bytes());
  Model model;
  Status status = model.open("/nowhere/x.sinter");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code, SINTER_ERROR_IO);
  EXPECT_EQ(status.message, "/nowhere/x.sinter: no such file");
  try {
    status.orThrow();
    FAIL() << "nothing was thrown";
  } catch (const Error &error) {
    EXPECT_EQ(error.code, SINTER_ERROR_IO);
    EXPECT_STREQ(error.what(), "/nowhere/x.sinter: no such file");
  }
  model.open(bytes.data(), bytes.size()).orThrow();
  Session session;
  session.create(model).orThrow();
  EXPECT_EQ(session.decode(FAKE_VOCAB).message, "token 48 (number 0) is not in the vocabulary of 48");
  EXPECT_EQ(session.score({1, 2}, [](size_t, const float *) { return true; }).code, SINTER_ERROR_CANCELLED);
}
