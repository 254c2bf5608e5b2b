// No package makes the loader crash. Built with AddressSanitizer and UBSan, runtime sources included. Packages are cut
// and changed in thousands of places: once with checksums left wrong, which must be an error, and once with checksums
// that fit again, so that the verifier and the bounds checks behind them are what stops it. What opens is used as far
// as that goes without running its kernels.

#include "fake_package.h"

#include <gtest/gtest.h>

#include <random>

using namespace sinter;
using namespace sinter::test;

namespace {

const std::vector<uint8_t> &goodFile() {
  static const std::vector<uint8_t> file = FakePackage().bytes();
  return file;
}

const std::vector<uint8_t> &goodEncoder() {
  static const std::vector<uint8_t> file = fakeEncoder().bytes();
  return file;
}

PackageHeader headerOf(const std::vector<uint8_t> &file) {
  PackageHeader header;
  memcpy(&header, file.data(), sizeof(header));
  return header;
}

// Everything a caller can do with a model short of running it.
void use(sinter_model *model) {
  sinter_model_info info;
  sinter_model_get_info(model, &info);
  size_t length = strlen(info.name) + strlen(info.family) + strlen(info.compiler) + strlen(info.isa);
  for (uint32_t i = 0; i < info.eos_count; ++i)
    EXPECT_LT(info.eos[i], info.vocab);
  for (size_t i = 0; i < info.tokenizer_size; ++i)
    length += static_cast<const uint8_t *>(info.tokenizer)[i];
  EXPECT_GT(length, 0u);
  sinter_model_check(model, nullptr);
  for (const char *entry : {"prefill", "encode"})
    for (uint32_t i = 0; i < sinter_dispatch_count(model, entry); ++i) {
      sinter_dispatch_info dispatch;
      sinter_dispatch_work work;
      EXPECT_EQ(sinter_get_dispatch(model, entry, i, &dispatch), SINTER_OK);
      EXPECT_EQ(sinter_get_work(model, entry, i, 7, 100, &work), SINTER_OK);
      length += strlen(dispatch.kernel) + strlen(dispatch.kind);
    }
  sinter_encoder_info encoder;
  if (sinter_model_get_encoder(model, &encoder) == SINTER_OK) {
    EXPECT_LE(encoder.task, SINTER_TAG);
    EXPECT_GT(encoder.output_width, 0u);
    length += strlen(encoder.pooling);
    for (uint32_t i = 0; const char *label = sinter_model_label(model, i); ++i)
      length += strlen(label);
  }
  sinter_memory_plan plan;
  sinter_error error;
  sinter_session_options options = {SINTER_API_VERSION, 1, 0, nullptr, 0};
  if (sinter_plan(model, &options, &plan, &error) != SINTER_OK || plan.block > (64u << 20))
    return;
  sinter_session *session;
  if (sinter_session_create(model, &options, &session, &error) == SINTER_OK)
    sinter_session_destroy(session);
}

// True if it opened; otherwise there must be a message.
bool opens(const std::vector<uint8_t> &file) {
  AlignedBytes bytes(file);
  sinter_model *model = nullptr;
  sinter_error error = {};
  sinter_status status = sinter_model_open_memory(bytes.data(), bytes.size(), nullptr, &model, &error);
  EXPECT_EQ(status == SINTER_OK, model != nullptr);
  EXPECT_EQ(status == SINTER_OK, error.message[0] == 0);
  if (model)
    use(model);
  sinter_model_close(model);
  return status == SINTER_OK;
}

// Writes 1 to 8 bytes of a value that bounds checks like to get wrong, or of noise.
void change(std::vector<uint8_t> &file, uint64_t begin, uint64_t end, std::mt19937_64 &random) {
  static const uint64_t values[] = {0,          1,          2,          7,          0x7F,        0x80,
                                    0xFF,       0xFFFF,     0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,  uint64_t(1) << 32,
                                    1ull << 63, ~0ull >> 1, ~0ull,      ~0ull - 63, ~0ull - 4095};
  uint64_t size = uint64_t(1) << random() % 4;
  if (random() % 3 == 0)
    size = 1;
  uint64_t at = begin + random() % (end - begin);
  if (random() % 4)
    at = at / size * size;
  uint64_t value = random() % 2 ? random() : values[random() % std::size(values)];
  if (at < begin || at + size > end)
    return;
  if (random() % 4 == 0) { // a little more or less than what is there
    memcpy(&value, file.data() + at, size);
    value += random() % 9 - 4;
  }
  memcpy(file.data() + at, &value, size);
}

} // namespace

TEST(Mutation, TheUnchangedPackagesOpen) {
  EXPECT_TRUE(opens(goodFile()));
  EXPECT_TRUE(opens(goodEncoder()));
}

TEST(Mutation, TruncationIsAnError) {
  std::mt19937_64 random(1);
  const std::vector<uint8_t> &good = goodFile();
  for (size_t length = 0; length < 200; ++length)
    EXPECT_FALSE(opens({good.begin(), good.begin() + long(length)}));
  for (int i = 0; i < 1000; ++i)
    EXPECT_FALSE(opens({good.begin(), good.begin() + long(random() % good.size())}));
  TemporaryFile file({good.begin(), good.begin() + 5000}, "truncated.sinter");
  sinter_model *model;
  sinter_error error;
  EXPECT_EQ(sinter_model_open(file.path(), nullptr, &model, &error), SINTER_ERROR_FORMAT);
  EXPECT_NE(std::string(error.message).find("but the file has 5000"), std::string::npos) << error.message;
}

// The header admits the cut, so that ranges past the end are what has to be seen.
TEST(Mutation, TruncationWithAFittingHeader) {
  std::mt19937_64 random(2);
  const std::vector<uint8_t> &good = goodFile();
  for (int i = 0; i < 1000; ++i) {
    size_t length = sizeof(PackageHeader) + random() % (good.size() - sizeof(PackageHeader));
    std::vector<uint8_t> cut(good.begin(), good.begin() + long(length));
    PackageHeader header = headerOf(cut);
    header.fileBytes = length;
    if (header.manifestOffset < length)
      header.manifestBytes = std::min(header.manifestBytes, length - header.manifestOffset);
    memcpy(cut.data(), &header, sizeof(header));
    repairChecksums(cut);
    EXPECT_FALSE(opens(cut) && length + 64 < good.size()) << length; // the very last bytes may be padding
  }
}

TEST(Mutation, WrongChecksumsAreErrors) {
  std::mt19937_64 random(3);
  PackageHeader header = headerOf(goodFile());
  for (int i = 0; i < 3000; ++i) {
    std::vector<uint8_t> file = goodFile();
    bool inHeader = i % 3 == 0;
    change(file, inHeader ? 0 : header.manifestOffset,
           inHeader ? sizeof(header) : header.manifestOffset + header.manifestBytes, random);
    EXPECT_EQ(opens(file), file == goodFile());
  }
}

TEST(Mutation, HeaderWithFittingChecksums) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 3000; ++i) {
    std::vector<uint8_t> file = goodFile();
    change(file, 0, sizeof(PackageHeader), random);
    repairChecksums(file);
    opens(file);
  }
}

// Both happen a lot: the changes neither miss everything nor break everything at the first check.
static void changeManifest(const std::vector<uint8_t> &good, int rounds) {
  std::mt19937_64 random(5);
  PackageHeader header = headerOf(good);
  int opened = 0, rejected = 0;
  for (int i = 0; i < rounds; ++i) {
    std::vector<uint8_t> file = good;
    for (uint64_t changes = 1 + random() % 3; changes; --changes)
      change(file, header.manifestOffset, header.manifestOffset + header.manifestBytes, random);
    repairChecksums(file);
    ++(opens(file) ? opened : rejected);
  }
  EXPECT_GT(opened, rounds / 60);
  EXPECT_GT(rejected, rounds / 60);
}

TEST(Mutation, ManifestWithFittingChecksums) { changeManifest(goodFile(), 30000); }

TEST(Mutation, ManifestOfAnEncoder) { changeManifest(goodEncoder(), 20000); }

// Whole manifests of noise behind right checksums.
TEST(Mutation, NoiseAsManifest) {
  std::mt19937_64 random(6);
  for (int i = 0; i < 1000; ++i) {
    std::vector<uint8_t> file = goodFile();
    PackageHeader header = headerOf(file);
    for (uint64_t at = 0; at < header.manifestBytes; ++at)
      file[header.manifestOffset + at] = uint8_t(random() % (i % 2 ? 256 : 8));
    repairChecksums(file);
    EXPECT_FALSE(opens(file));
  }
}
