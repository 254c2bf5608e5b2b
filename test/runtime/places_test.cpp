// Where a package may lie: inside another file, in the sections of a program, its weights in a file beside it; and that
// neither opening nor a session needs memory of the runtime's own.

#include "fake_package.h"
#include "runtime/package_layout.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string.h>
#include <sys/mman.h>

using namespace sinter;
using namespace sinter::test;
using package::Range;

namespace {

std::vector<float> logitsAfter(const ModelPointer &model, const std::vector<uint32_t> &ids) {
  SessionPointer session = createSession(model);
  EXPECT_EQ(sinter_prefill(session.get(), ids.data(), ids.size()), SINTER_OK);
  return logitsOf(session);
}

sinter_model_options optionsFor(uint64_t offset, uint64_t size) {
  sinter_model_options options = {};
  options.api_version = SINTER_API_VERSION;
  options.offset = offset;
  options.size = size;
  return options;
}

// The package's sections in the order in which the compiler writes them: manifest, tokenizer, code, weights.
std::vector<uint8_t> inOrder(FakePackage package, uint64_t *code, uint64_t *weights) {
  auto aligned = [](uint64_t offset) { return (offset + kSectionAlignment - 1) / kSectionAlignment * kSectionAlignment; };
  const uint64_t tokenizer = 16 * kSectionAlignment; // leaves room for the manifest
  *code = aligned(tokenizer + package.tokenizer.size());
  *weights = aligned(*code + package.code.size());
  const uint64_t moved = *code - package.manifest.codes[0]->range->offset();
  for (std::unique_ptr<package::CodeT> &section : package.manifest.codes)
    *section->range = Range(section->range->offset() + moved, section->range->size());
  *package.manifest.tokenizer = Range(tokenizer, package.tokenizer.size());
  *package.manifest.weights = Range(*weights, package.weights.size());
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(package::Manifest::Pack(builder, &package.manifest));
  EXPECT_LE(builder.GetSize(), tokenizer - kSectionAlignment);

  std::vector<uint8_t> file(*weights + package.weights.size());
  PackageHeader header = {};
  memcpy(header.magic, kPackageMagic, sizeof(kPackageMagic));
  header.version = kPackageVersion;
  header.headerBytes = sizeof(PackageHeader);
  header.fileBytes = file.size();
  header.manifestOffset = kSectionAlignment;
  header.manifestBytes = builder.GetSize();
  memcpy(file.data(), &header, sizeof(header));
  memcpy(file.data() + kSectionAlignment, builder.GetBufferPointer(), builder.GetSize());
  memcpy(file.data() + tokenizer, package.tokenizer.data(), package.tokenizer.size());
  memcpy(file.data() + *code, package.code.data(), package.code.size());
  memcpy(file.data() + *weights, package.weights.data(), package.weights.size());
  repairChecksums(file);
  return file;
}

// A package cut in three, its code in executable pages as a linker would place it.
class Pieces {
public:
  explicit Pieces(const FakePackage &package) : bytes(inOrder(package, &code, &weights)) {
    checksum = package.manifest.weights_checksum;
    pages = mmap(nullptr, weights - code, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(pages, bytes.data() + code, weights - code);
    mprotect(pages, weights - code, PROT_READ | PROT_EXEC);
    parts.api_version = SINTER_API_VERSION;
    parts.head = bytes.data();
    parts.head_size = code;
    parts.code = pages;
    parts.code_size = weights - code;
    parts.weights = bytes.data() + weights;
    parts.weights_size = bytes.size() - weights;
  }
  ~Pieces() { munmap(pages, parts.code_size); }

  uint64_t code = 0, weights = 0, checksum = 0;
  AlignedBytes bytes;
  sinter_parts parts = {};

private:
  void *pages;
};

std::vector<uint8_t> weightsFile(const Pieces &pieces) {
  PackageHeader header = {};
  memcpy(header.magic, kWeightsMagic, sizeof(header.magic));
  header.version = kPackageVersion;
  header.headerBytes = sizeof(header);
  header.fileBytes = kSectionAlignment + pieces.parts.weights_size;
  header.manifestOffset = kSectionAlignment;
  header.manifestBytes = pieces.parts.weights_size;
  header.manifestChecksum = pieces.checksum;
  header.headerChecksum = checksum64(&header, offsetof(PackageHeader, headerChecksum));
  std::vector<uint8_t> file(header.fileBytes);
  memcpy(file.data(), &header, sizeof(header));
  memcpy(file.data() + kSectionAlignment, pieces.parts.weights, pieces.parts.weights_size);
  return file;
}

} // namespace

TEST(Places, InsideAnotherFile) {
  std::vector<uint8_t> package = FakePackage().bytes(), file(8192, 0x7F);
  file.insert(file.end(), package.begin(), package.end());
  const size_t padding = 4096;
  file.resize(file.size() + padding);
  TemporaryFile outer(file);
  sinter_model *model = nullptr;
  sinter_error error;
  sinter_model_options options = optionsFor(8192, package.size());
  ASSERT_EQ(sinter_model_open(outer.path(), &options, &model, &error), SINTER_OK) << error.message;
  ModelPointer opened(model, sinter_model_close);
  std::vector<uint32_t> ids = someTokens(20);
  EXPECT_EQ(logitsAfter(opened, ids), reference(ids).logits.back());

  options = optionsFor(8192, 0);
  EXPECT_EQ(sinter_model_open(outer.path(), &options, &model, &error), SINTER_ERROR_FORMAT);
  options = optionsFor(100, 0);
  EXPECT_EQ(sinter_model_open(outer.path(), &options, &model, &error), SINTER_ERROR_ARGUMENT);
  for (uint64_t offset : {uint64_t(1) << 20, uint64_t(1) << 62}) {
    options = optionsFor(offset, 0);
    EXPECT_EQ(sinter_model_open(outer.path(), &options, &model, &error), SINTER_ERROR_IO);
  }
  options = optionsFor(8192, file.size());
  EXPECT_EQ(sinter_model_open(outer.path(), &options, &model, &error), SINTER_ERROR_IO);
}

TEST(Places, InThePartsOfAProgram) {
  Pieces pieces{FakePackage()};
  sinter_model *model = nullptr;
  sinter_error error;
  ASSERT_EQ(sinter_model_open_parts(&pieces.parts, nullptr, &model, &error), SINTER_OK) << error.message;
  ModelPointer opened(model, sinter_model_close);
  std::vector<uint32_t> ids = someTokens(20);
  EXPECT_EQ(logitsAfter(opened, ids), reference(ids).logits.back());
  EXPECT_EQ(sinter_model_check(model, &error), SINTER_OK);

  sinter_parts wrong = pieces.parts;
  wrong.code_size -= 4096;
  EXPECT_EQ(sinter_model_open_parts(&wrong, nullptr, &model, &error), SINTER_ERROR_FORMAT);
  wrong = pieces.parts;
  wrong.api_version = 77;
  EXPECT_EQ(sinter_model_open_parts(&wrong, nullptr, &model, &error), SINTER_ERROR_ARGUMENT);
  wrong = pieces.parts;
  wrong.head = nullptr;
  EXPECT_EQ(sinter_model_open_parts(&wrong, nullptr, &model, &error), SINTER_ERROR_ARGUMENT);
  // The same total, cut elsewhere: code across two parts.
  wrong = pieces.parts;
  wrong.head_size += 64;
  wrong.code_size -= 64;
  EXPECT_EQ(sinter_model_open_parts(&wrong, nullptr, &model, &error), SINTER_ERROR_FORMAT);
}

TEST(Places, WeightsInAFileBeside) {
  Pieces pieces{FakePackage()};
  std::vector<uint8_t> bytes = weightsFile(pieces);
  TemporaryFile beside(bytes);
  sinter_parts parts = pieces.parts;
  parts.weights = nullptr;
  std::string path = beside.path();
  parts.weights_path = path.c_str();
  sinter_model *model = nullptr;
  sinter_error error;
  ASSERT_EQ(sinter_model_open_parts(&parts, nullptr, &model, &error), SINTER_OK) << error.message;
  {
    ModelPointer opened(model, sinter_model_close);
    std::vector<uint32_t> ids = someTokens(20);
    EXPECT_EQ(logitsAfter(opened, ids), reference(ids).logits.back());
  }
  for (size_t place : {size_t(0), size_t(8), offsetof(PackageHeader, manifestChecksum), bytes.size()}) {
    std::vector<uint8_t> damaged = bytes;
    if (place < damaged.size())
      damaged[place] ^= 1;
    else
      damaged.resize(damaged.size() - 64);
    TemporaryFile file(damaged);
    path = file.path();
    parts.weights_path = path.c_str();
    EXPECT_EQ(sinter_model_open_parts(&parts, nullptr, &model, &error), SINTER_ERROR_FORMAT) << place;
  }
  // In order, but of another model.
  pieces.checksum ^= 1;
  TemporaryFile other(weightsFile(pieces));
  path = other.path();
  parts.weights_path = path.c_str();
  EXPECT_EQ(sinter_model_open_parts(&parts, nullptr, &model, &error), SINTER_ERROR_FORMAT);
  EXPECT_STREQ(error.message, "linked model: the weights are of another model");
}

TEST(Places, CallersMemoryForTheModel) {
  AlignedBytes bytes(FakePackage().bytes());
  alignas(64) uint8_t memory[SINTER_MODEL_BYTES + 16];
  memset(memory, 0xAB, sizeof(memory));
  sinter_model_options options = optionsFor(0, 0);
  options.memory = memory;
  options.memory_size = SINTER_MODEL_BYTES;
  sinter_model *model = nullptr;
  sinter_error error;
  ASSERT_EQ(sinter_model_open_memory(bytes.data(), bytes.size(), &options, &model, &error), SINTER_OK);
  EXPECT_EQ(static_cast<void *>(model), memory);
  sinter_model_close(model);
  EXPECT_EQ(memory[SINTER_MODEL_BYTES], 0xAB);
  options.memory_size = 8;
  EXPECT_EQ(sinter_model_open_memory(bytes.data(), bytes.size(), &options, &model, &error), SINTER_ERROR_MEMORY);
  options.memory_size = SINTER_MODEL_BYTES;
  options.memory = memory + 1;
  EXPECT_EQ(sinter_model_open_memory(bytes.data(), bytes.size(), &options, &model, &error), SINTER_ERROR_MEMORY);
}

TEST(Places, ASessionKeepsItsModel) {
  TemporaryFile file(FakePackage().bytes());
  sinter_model *model = nullptr;
  sinter_error error;
  ASSERT_EQ(sinter_model_open(file.path(), nullptr, &model, &error), SINTER_OK);
  sinter_session *session = nullptr;
  ASSERT_EQ(sinter_session_create(model, nullptr, &session, &error), SINTER_OK);
  sinter_model_close(model);
  std::vector<uint32_t> ids = someTokens(20);
  EXPECT_EQ(sinter_prefill(session, ids.data(), ids.size()), SINTER_OK);
  EXPECT_EQ(sinter_logits(session)[3], reference(ids).logits.back()[3]);
  sinter_session_destroy(session);
}
