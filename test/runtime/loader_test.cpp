// Opening packages: what the model says about itself, which code is taken, and that each kind of damage is named.

#include "fake_package.h"

#include <gtest/gtest.h>

#include <dirent.h>
#include <fstream>
#include <stdlib.h>

using namespace sinter;
using namespace sinter::test;
using package::Binding;
using package::Grid;
using package::Range;
using package::Space;

namespace {

// What opening says; "" if it works.
std::string problem(const std::vector<uint8_t> &file, sinter_status expected, const char *isa = nullptr) {
  AlignedBytes bytes(file);
  sinter_model *model = nullptr;
  sinter_error error = {};
  sinter_model_options options = {};
  options.api_version = SINTER_API_VERSION;
  options.isa = isa;
  EXPECT_EQ(sinter_model_open_memory(bytes.data(), bytes.size(), &options, &model, &error), expected) << error.message;
  EXPECT_EQ(error.status, expected);
  EXPECT_EQ(model != nullptr, expected == SINTER_OK);
  sinter_model_close(model);
  return error.message;
}

std::string problem(const FakePackage &package) { return problem(package.bytes(), SINTER_ERROR_FORMAT); }

size_t openFiles() {
  size_t count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (readdir(folder))
    ++count;
  closedir(folder);
  return count;
}

size_t mappings() {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  size_t count = 0;
  while (std::getline(maps, line))
    ++count;
  return count;
}

} // namespace

TEST(Loader, TellsWhatThePackageHolds) {
  TemporaryFile file(FakePackage().bytes());
  sinter_model *model = nullptr;
  sinter_error error = {};
  ASSERT_EQ(sinter_model_open(file.path(), nullptr, &model, &error), SINTER_OK) << error.message;
  sinter_model_info info;
  sinter_model_get_info(model, &info);
  EXPECT_STREQ(info.name, "fake");
  EXPECT_STREQ(info.family, "test");
  EXPECT_STREQ(info.compiler, "test");
  EXPECT_STREQ(info.isa, "x86-64");
  EXPECT_EQ(info.vocab, uint32_t(FAKE_VOCAB));
  EXPECT_EQ(info.hidden, uint32_t(FAKE_HIDDEN));
  EXPECT_EQ(info.layers, 2u);
  EXPECT_EQ(info.context, 200u);
  EXPECT_EQ(info.prefill_tokens, uint32_t(FAKE_STEP));
  EXPECT_EQ(info.bos, -1);
  ASSERT_EQ(info.eos_count, 1u);
  EXPECT_EQ(info.eos[0], 3u);
  EXPECT_EQ(info.generation.top_k, -1);
  EXPECT_EQ(info.tokenizer_size, 100u);
  EXPECT_EQ(*static_cast<const uint8_t *>(info.tokenizer), 42);
  EXPECT_STREQ(info.chat_template, "{{ messages }}");
  EXPECT_EQ(sinter_model_check(model, &error), SINTER_OK);
  sinter_model_close(model);
}

// The kernels run straight from the mapped file.
TEST(Loader, RunsFromAFile) {
  TemporaryFile file(FakePackage().bytes());
  sinter_model *opened = nullptr;
  sinter_error error = {};
  ASSERT_EQ(sinter_model_open(file.path(), nullptr, &opened, &error), SINTER_OK) << error.message;
  ModelPointer model(opened, sinter_model_close);
  SessionPointer session = createSession(model, 2);
  std::vector<uint32_t> ids = someTokens(30);
  ASSERT_EQ(sinter_prefill(session.get(), ids.data(), ids.size()), SINTER_OK);
  EXPECT_EQ(logitsOf(session), reference(ids).logits.back());
}

TEST(Loader, TakesTheCodeAskedFor) {
  FakePackage package;
  EXPECT_EQ(problem(package.bytes(), SINTER_OK, "x86-64"), "");
  EXPECT_EQ(problem(package.bytes(), SINTER_ERROR_UNSUPPORTED, "x86-64-future"),
            "package in memory: this cpu cannot run the code for 'x86-64-future'");
  EXPECT_EQ(problem(package.bytes(), SINTER_ERROR_UNSUPPORTED, "arm64"),
            "package in memory: no code for 'arm64'; the package has x86-64, x86-64-future");
  setenv("SINTER_ISA", "mips", 1);
  EXPECT_EQ(problem(package.bytes(), SINTER_ERROR_UNSUPPORTED),
            "package in memory: no code for 'mips'; the package has x86-64, x86-64-future");
  EXPECT_EQ(problem(package.bytes(), SINTER_OK, "x86-64"), ""); // an option beats the environment
  unsetenv("SINTER_ISA");
  package.manifest.codes.erase(package.manifest.codes.begin());
  EXPECT_EQ(problem(package.bytes(), SINTER_ERROR_UNSUPPORTED),
            "package in memory: no code that this cpu can run; the package has x86-64-future (lacking what this "
            "runtime does not know)");
}

TEST(Loader, PrefersThePriority) {
  FakePackage package;
  package.manifest.codes[1]->features = 0;
  AlignedBytes bytes(package.bytes());
  ModelPointer model = openModel(bytes);
  sinter_model_info info;
  sinter_model_get_info(model.get(), &info);
  EXPECT_STREQ(info.isa, "x86-64-future");
}

TEST(Loader, WrongArgumentsAreErrors) {
  sinter_model *model;
  sinter_error error;
  EXPECT_EQ(sinter_model_open(nullptr, nullptr, &model, &error), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_model_open("x", nullptr, nullptr, &error), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_model_open("/nowhere/x.sinter", nullptr, &model, &error), SINTER_ERROR_IO);
  EXPECT_STREQ(error.message, "/nowhere/x.sinter: no such file");
  EXPECT_EQ(sinter_model_open("/", nullptr, &model, &error), SINTER_ERROR_IO);
  EXPECT_EQ(sinter_model_open("/nowhere", nullptr, &model, nullptr), SINTER_ERROR_IO);
  sinter_model_options options = {};
  options.api_version = SINTER_API_VERSION + 1;
  EXPECT_EQ(sinter_model_open("/nowhere", &options, &model, &error), SINTER_ERROR_ARGUMENT);
  EXPECT_STREQ(error.message, "model options are of api version 2, the runtime has 1");
  alignas(64) char buffer[128] = {};
  EXPECT_EQ(sinter_model_open_memory(buffer + 8, 100, nullptr, &model, &error), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_model_open_memory(buffer, 100, nullptr, &model, &error), SINTER_ERROR_FORMAT);
  EXPECT_STREQ(error.message, "package in memory: not a sinter package");
}

TEST(Loader, DamageIsNamed) {
  const std::vector<uint8_t> good = FakePackage().bytes();
  std::vector<uint8_t> bad = good;
  bad[16] ^= 1;
  EXPECT_EQ(problem(bad, SINTER_ERROR_FORMAT), "package in memory: the header is damaged");
  bad = good;
  bad[8] = 9;
  EXPECT_EQ(problem(bad, SINTER_ERROR_FORMAT), "package in memory: package version 9, this runtime reads version 1");
  bad = good;
  bad.resize(good.size() - 5);
  EXPECT_EQ(problem(bad, SINTER_ERROR_FORMAT), "package in memory: the header says " + std::to_string(good.size()) +
                                                   " bytes, but the file has " + std::to_string(bad.size()));
  bad = good;
  bad.back() ^= 1;
  EXPECT_NE(problem(bad, SINTER_ERROR_FORMAT).find("does not have the header's checksum"), std::string::npos);

  FakePackage package;
  package.code[0] ^= 1;
  EXPECT_NE(problem(package).find("code for 'x86-64' (byte "), std::string::npos);
  package = FakePackage();
  package.tokenizer[0] ^= 1;
  EXPECT_NE(problem(package).find("the tokenizer (byte "), std::string::npos);

  package = FakePackage();
  package.weights[5] ^= 1;
  AlignedBytes bytes(package.bytes());
  ModelPointer model = openModel(bytes); // weights are checked on request
  sinter_error error;
  EXPECT_EQ(sinter_model_check(model.get(), &error), SINTER_ERROR_FORMAT);
  EXPECT_STREQ(error.message, "package in memory: the weights do not have the checksum that the manifest gives");
}

// One wrong field each, with checksums that fit.
TEST(Loader, EveryFieldIsChecked) {
  const uint64_t huge = ~uint64_t(0);
  struct Case {
    const char *message; // a part of it
    void (*change)(FakePackage &package);
  };
  const Case cases[] = {
      {"manifest says the weights section starts at byte 17, which is not a multiple of 4096",
       [](FakePackage &p) { *p.manifest.weights = Range(17, 1); }},
      {"manifest says the weights section ends at byte 18446744073709551615, but the file has",
       [](FakePackage &p) { *p.manifest.weights = Range(4096, huge); }},
      {"manifest says the tokenizer section ends at byte 18446744073709551615, but the file has",
       [](FakePackage &p) { *p.manifest.tokenizer = Range(4096, huge - 4096); }},
      {"manifest does not say where the weights section is", [](FakePackage &p) { p.manifest.weights.reset(); }},
      {"manifest says the code section ends at byte 1073741824, but the file has",
       [](FakePackage &p) { p.manifest.codes[0]->range = std::make_unique<Range>(0, 1 << 30); }},
      {"code for 'x86-64' has 5 entries, 6 scratch sizes and 6 stack sizes for 6 kernels",
       [](FakePackage &p) { p.manifest.codes[0]->entries.pop_back(); }},
      {"kernel 'attend', which entry 'prefill' uses, is not in the code for 'x86-64'",
       [](FakePackage &p) { p.manifest.codes[0]->entries[2] = huge; }},
      {"a vocabulary of 0", [](FakePackage &p) { p.manifest.model->vocab = 0; }},
      {"a context of 0 tokens", [](FakePackage &p) { p.manifest.context = 0; }},
      {"bos token 48 is not in the vocabulary of 48", [](FakePackage &p) { p.manifest.model->bos = 48; }},
      {"eos token 99 is not in the vocabulary of 48", [](FakePackage &p) { p.manifest.model->eos.push_back(99); }},
      {"no entry 'head'", [](FakePackage &p) { p.manifest.entries.pop_back(); }},
      {"entry 'decode' takes 0 tokens", [](FakePackage &p) { p.entry("decode").max_tokens = 0; }},
      {"entry 'prefill', dispatch 2: kernel 6 of 6",
       [](FakePackage &p) { p.entry("prefill").dispatches[2]->kernel = 6; }},
      {"entry 'prefill', dispatch 0: a grid of 0 units",
       [](FakePackage &p) { *p.entry("prefill").dispatches[0]->grid = Grid(0, 1); }},
      {"entry 'prefill', dispatch 0: a grid of 4294967295 units per 1 tokens",
       [](FakePackage &p) { *p.entry("prefill").dispatches[0]->grid = Grid(~0u, 1); }},
      {"dispatch 0, binding 1: 8 bytes from byte 18446744073709551615 of the weights",
       [](FakePackage &p) { p.entry("decode").dispatches[0]->bindings[1] = Binding(Space::weights, 0, huge, 8); }},
      {"of the arena, which has",
       [](FakePackage &p) { p.entry("decode").dispatches[0]->bindings[0] = Binding(Space::arena, 0, 4, huge); }},
      {"dispatch 1, binding 1: cache 2 of 2",
       [](FakePackage &p) { p.entry("decode").dispatches[1]->bindings[1] = Binding(Space::cache, 2, 0, 0); }},
      {"64 bytes from byte 64 of its cache",
       [](FakePackage &p) { p.entry("decode").dispatches[1]->bindings[1] = Binding(Space::cache, 0, 64, 64); }},
      {"unknown space 7",
       [](FakePackage &p) { p.entry("head").dispatches[0]->bindings[0] = Binding(Space(7), 0, 0, 0); }},
      {"dispatch 0: 257 bindings, at most 256 are allowed",
       [](FakePackage &p) { p.entry("head").dispatches[0]->bindings.resize(257); }},
      {"tap binding 3 of 3", [](FakePackage &p) { p.entry("prefill").dispatches[2]->tap_binding = 3; }},
      {"the rows of a tap", [](FakePackage &p) { p.entry("prefill").dispatches[2]->tap_binding = 0; }},
      {"the tokens have 92 bytes, but 24 elements of 4 bytes are needed",
       [](FakePackage &p) { *p.manifest.tokens = Binding(Space::arena, 0, 0, 92); }},
      {"the logits (192 bytes from byte 4294967296) are not in the arena",
       [](FakePackage &p) { *p.manifest.logits = Binding(Space::arena, 0, uint64_t(1) << 32, 192); }},
      {"the logits have 188 bytes", [](FakePackage &p) { *p.manifest.logits = Binding(Space::arena, 0, 0, 188); }},
      {"the logits (192 bytes from byte 2) are not in the arena",
       [](FakePackage &p) { *p.manifest.logits = Binding(Space::arena, 0, 2, 192); }},
      {"hidden rows of 40 floats are 39 floats apart", [](FakePackage &p) { p.manifest.hidden_stride = 39; }},
      {"the hidden rows have", [](FakePackage &p) { *p.manifest.hidden = Binding(Space::arena, 0, 0, 100); }},
      {"does not say where the hidden rows are", [](FakePackage &p) { p.manifest.hidden.reset(); }},
      {"cache 'layers.0' has a capacity of 200 tokens in tiles of 16",
       [](FakePackage &p) { p.manifest.caches[0]->capacity = 200; }},
      {"in tiles of 0", [](FakePackage &p) { p.manifest.caches[0]->tile_tokens = 0; }},
      {"cache 'layers.0' has tiles of 5116 bytes", [](FakePackage &p) { p.manifest.caches[0]->tile_bytes -= 4; }},
      {"unknown element type 3", [](FakePackage &p) { p.manifest.caches[0]->element = package::ElementType(3); }},
      {"cache 'layers.0' holds 192 tokens, but 200 are needed",
       [](FakePackage &p) { p.manifest.caches[0]->capacity = 192; }},
      {"cache 'layers.1' holds 32 tokens, but 43 are needed",
       [](FakePackage &p) { p.manifest.caches[1]->capacity = 32; }},
  };
  for (const Case &one : cases) {
    FakePackage package;
    one.change(package);
    std::string message = problem(package);
    EXPECT_NE(message.find(one.message), std::string::npos) << message << "\nexpected: " << one.message;
  }
}

TEST(Loader, OpeningAThousandTimesKeepsNothing) {
  TemporaryFile file(FakePackage().bytes());
  auto round = [&](uint32_t threads) {
    sinter_model *opened = nullptr;
    ASSERT_EQ(sinter_model_open(file.path(), nullptr, &opened, nullptr), SINTER_OK);
    ModelPointer model(opened, sinter_model_close);
    SessionPointer session = createSession(model, threads);
    ASSERT_EQ(sinter_decode(session.get(), 1), SINTER_OK);
  };
  round(2); // libc may keep stacks of ended threads
  size_t files = openFiles(), maps = mappings();
  for (int i = 0; i < 1000; ++i)
    round(1 + i % 2);
  EXPECT_EQ(openFiles(), files);
  EXPECT_LE(mappings(), maps + 2);
}
