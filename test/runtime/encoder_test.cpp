// Encoders through the C API: rows and outputs of one text at a time, what is refused, and damaged facts of an encoder.

#include "fake_package.h"

#include <gtest/gtest.h>

using namespace sinter;
using namespace sinter::test;
using package::Binding;
using package::Space;

namespace {

class EncoderTest : public testing::Test {
protected:
  AlignedBytes bytes{fakeEncoder().bytes()};
  ModelPointer model = openModel(bytes);
  sinter_encoding encoding;

  sinter_status encode(const SessionPointer &session, const std::vector<uint32_t> &ids,
                       const uint32_t *types = nullptr) {
    return sinter_encode(session.get(), ids.data(), types, ids.size(), &encoding);
  }
};

} // namespace

TEST_F(EncoderTest, Facts) {
  sinter_encoder_info info;
  ASSERT_EQ(sinter_model_get_encoder(model.get(), &info), SINTER_OK);
  EXPECT_EQ(info.task, SINTER_CLASSIFY);
  EXPECT_EQ(info.output_width, uint32_t(FAKE_VOCAB));
  EXPECT_EQ(info.tokens, uint32_t(FAKE_STEP));
  EXPECT_EQ(info.types, 2u);
  EXPECT_STREQ(info.pooling, "first");
  EXPECT_FALSE(info.unit || info.multi_label);
  EXPECT_STREQ(sinter_model_label(model.get(), 47), "label 47");
  EXPECT_EQ(sinter_model_label(model.get(), 48), nullptr);

  AlignedBytes decoder(FakePackage().bytes());
  EXPECT_EQ(sinter_model_get_encoder(openModel(decoder).get(), &info), SINTER_ERROR_UNSUPPORTED);
  EXPECT_EQ(sinter_model_label(openModel(decoder).get(), 0), nullptr);
}

// Texts of every length, in an order in which each comes after a longer and a shorter one.
TEST_F(EncoderTest, RowsAndOutputs) {
  for (uint32_t threads : {1, 3}) {
    SessionPointer session = createSession(model, threads);
    for (size_t i = 0; i < FAKE_STEP; ++i) {
      const std::vector<uint32_t> ids = someTokens(i % 2 ? FAKE_STEP - i / 2 : 1 + i / 2);
      ASSERT_EQ(encode(session, ids), SINTER_OK) << sinter_session_error(session.get());
      ASSERT_EQ(encoding.tokens, ids.size());
      ASSERT_EQ(encoding.hidden_stride, uint64_t(FAKE_STRIDE));
      std::vector<float> rows;
      for (size_t t = 0; t < ids.size(); ++t)
        rows.insert(rows.end(), encoding.hidden + t * FAKE_STRIDE, encoding.hidden + t * FAKE_STRIDE + FAKE_HIDDEN);
      EXPECT_EQ(rows, encoderHidden(ids));
      ASSERT_EQ(encoding.output_rows, 1u);
      ASSERT_EQ(encoding.output_width, uint64_t(FAKE_VOCAB));
      EXPECT_EQ(std::vector<float>(encoding.output, encoding.output + FAKE_VOCAB), encoderLogits(ids[0]));
    }
  }
}

TEST_F(EncoderTest, WrongCallsAreErrors) {
  SessionPointer session = createSession(model);
  auto expect = [&](sinter_status status, sinter_status expected, const char *message) {
    EXPECT_EQ(status, expected);
    EXPECT_STREQ(sinter_session_error(session.get()), message);
    EXPECT_EQ(encoding.output, nullptr);
  };
  const uint32_t types[] = {0, 2};
  expect(encode(session, {}), SINTER_ERROR_ARGUMENT, "at least one token is needed");
  expect(encode(session, {3, 48}), SINTER_ERROR_ARGUMENT, "token 48 (number 1) is not in the vocabulary of 48");
  expect(encode(session, {3, 4}, types), SINTER_ERROR_ARGUMENT, "token number 1 is of type 2, but there are 2 types");
  expect(encode(session, someTokens(FAKE_STEP + 1)), SINTER_ERROR_CONTEXT,
         "25 tokens exceed the 24 that a text may have");
  EXPECT_EQ(sinter_encode(nullptr, types, nullptr, 2, &encoding), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_encode(session.get(), types, nullptr, 2, nullptr), SINTER_ERROR_ARGUMENT);

  // What only decoders do leaves the session usable.
  uint32_t id = 0;
  EXPECT_EQ(sinter_prefill(session.get(), types, 2), SINTER_ERROR_UNSUPPORTED);
  EXPECT_EQ(sinter_sample(session.get(), &id), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_generate(session.get(), 3, 0, nullptr, nullptr, nullptr), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_logits(session.get()), nullptr);
  EXPECT_EQ(encode(session, {7}), SINTER_OK);

  AlignedBytes decoderBytes(FakePackage().bytes());
  ModelPointer decoder = openModel(decoderBytes);
  SessionPointer other = createSession(decoder);
  EXPECT_EQ(encode(other, {7}), SINTER_ERROR_UNSUPPORTED);
  EXPECT_STREQ(sinter_session_error(other.get()), "package in memory is not an encoder");
}

// A session may be made for less than the package takes.
TEST_F(EncoderTest, ShorterTexts) {
  SessionPointer session = createSession(model, 1, 5);
  EXPECT_EQ(encode(session, someTokens(5)), SINTER_OK);
  EXPECT_EQ(encode(session, someTokens(6)), SINTER_ERROR_CONTEXT);
  EXPECT_STREQ(sinter_session_error(session.get()), "6 tokens exceed the 5 that a text may have");
}

// One wrong field each, with checksums that fit.
TEST(EncoderPackage, EveryFieldIsChecked) {
  const struct {
    const char *message; // a part of it
    void (*change)(FakePackage &package);
  } cases[] = {
      {"no entry 'encode'", [](FakePackage &p) { p.entry("encode").name = "prefill"; }},
      {"an encoder of the unknown task 3", [](FakePackage &p) { p.manifest.encoder->task = package::Task(3); }},
      {"an encoder with ids of token types but no types", [](FakePackage &p) { p.manifest.encoder->type_count = 0; }},
      {"the token types (96 bytes from byte 18446744073709551612) are not in the arena",
       [](FakePackage &p) { *p.manifest.encoder->types = Binding(Space::arena, 0, ~uint64_t(3), 96); }},
      {"the token types (96 bytes from byte 0) are not in the arena",
       [](FakePackage &p) { *p.manifest.encoder->types = Binding(Space::weights, 0, 0, 96); }},
      {"the token types have 92 bytes, but 24 elements of 4 bytes are needed",
       [](FakePackage &p) { *p.manifest.encoder->types = Binding(Space::arena, 0, 0, 92); }},
      {"47 labels for outputs of 48", [](FakePackage &p) { p.manifest.encoder->labels.pop_back(); }},
      {"output rows of 48 floats are 47 floats apart", [](FakePackage &p) { p.manifest.encoder->output_stride = 47; }},
      {"output rows of 0 floats are 48 floats apart",
       [](FakePackage &p) {
         p.manifest.encoder->labels.clear();
         p.manifest.encoder->output_width = 0;
       }},
      {"the outputs have 192 bytes, but 49 elements of 4 bytes are needed",
       [](FakePackage &p) {
         p.manifest.encoder->labels.clear();
         p.manifest.encoder->output_width = p.manifest.encoder->output_stride = 49;
       }},
      {"the outputs have 192 bytes, but 1152 elements of 4 bytes are needed",
       [](FakePackage &p) { p.manifest.encoder->task = package::Task::tag; }},
      {"the head takes 23 tokens, encode 24", [](FakePackage &p) { p.entry("head").max_tokens = 23; }},
      {"without a head outputs are 48 wide, hidden rows 40", [](FakePackage &p) { p.manifest.entries.pop_back(); }},
  };
  for (const auto &row : cases) {
    FakePackage package = fakeEncoder();
    row.change(package);
    AlignedBytes bytes(package.bytes());
    sinter_model *model = nullptr;
    sinter_error error = {};
    EXPECT_EQ(sinter_model_open_memory(bytes.data(), bytes.size(), nullptr, &model, &error), SINTER_ERROR_FORMAT);
    EXPECT_NE(std::string(error.message).find(row.message), std::string::npos) << error.message << "\n" << row.message;
    sinter_model_close(model);
  }
}
