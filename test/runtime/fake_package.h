// Packages around the fake model of fake_kernels.h, and its reference.
#pragma once

#include "fake_kernels.h"
#include "runtime/package_generated.h"
#include "runtime/package_layout.h"
#include "runtime/sinter.h"

#include <memory>
#include <string>
#include <vector>

namespace sinter::test {

// Bytes at an address that is a multiple of 64, and not one more: sanitizers see reads past the end.
class AlignedBytes {
public:
  explicit AlignedBytes(const std::vector<uint8_t> &bytes);
  const uint8_t *data() const { return memory.get(); }
  size_t size() const { return length; }

private:
  std::unique_ptr<uint8_t, void (*)(void *)> memory;
  size_t length;
};

// A file that goes away again.
class TemporaryFile {
public:
  explicit TemporaryFile(const std::vector<uint8_t> &content, const std::string &name = "fake.sinter");
  ~TemporaryFile();
  const char *path() const { return name.c_str(); }

private:
  std::string name;
};

// A package that is open to changes: the manifest with ranges and checksums set, and the sections it speaks of.
struct FakePackage {
  // With `logits` the head ignores the sequence and always gives these.
  explicit FakePackage(uint32_t context = 200, const std::vector<float> &logits = {});

  // The file. Manifest and header get the checksums that go with them; everything else is as the manifest says.
  std::vector<uint8_t> bytes() const;
  package::ManifestT manifest;
  std::vector<uint8_t> weights, code, tokenizer; // at the ranges of the manifest

  package::EntryT &entry(const std::string &name);
};

// The same weights as an encoder: rows of the table, and logits of the first token's row. It has two token types, which
// no kernel reads, and a label for each logit.
FakePackage fakeEncoder();
// What it gives for ids.
std::vector<float> encoderHidden(const std::vector<uint32_t> &ids); // [tokens][FAKE_HIDDEN]
std::vector<float> encoderLogits(uint32_t first);                   // [FAKE_VOCAB]

// Checksums of the header and the manifest that the header points to, where that is inside the file.
void repairChecksums(std::vector<uint8_t> &file);

// What the model computes for a whole sequence, position by position.
struct FakeResult {
  std::vector<std::vector<float>> layers[2]; // [position][hidden]
  std::vector<std::vector<float>> logits;    // [position][vocab]
};
FakeResult reference(const std::vector<uint32_t> &ids);

// Any sequence of `count` ids of the vocabulary.
std::vector<uint32_t> someTokens(size_t count);

// Opening and creating that must work.
using ModelPointer = std::unique_ptr<sinter_model, void (*)(sinter_model *)>;
using SessionPointer = std::unique_ptr<sinter_session, void (*)(sinter_session *)>;
ModelPointer openModel(const AlignedBytes &bytes);
SessionPointer createSession(const ModelPointer &model, uint32_t threads = 1, uint32_t context = 0);
std::vector<float> logitsOf(const SessionPointer &session, uint32_t vocab = FAKE_VOCAB);

} // namespace sinter::test
