// Writes the fake model as a package: the manifest through the FlatBuffers object API, so that tests can change any
// field of it, and sections laid out one after another.

#include "fake_package.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

using namespace sinter;
using namespace sinter::test;
using package::Binding;
using package::Grid;
using package::Range;
using package::Space;

namespace {

enum Kernel : uint16_t { embed, append, attend, head, constantHead };

int tableValue(uint32_t id, uint32_t column) { return int(id * 7 + column * 3 + id * column) % 16; }
int headValue(uint32_t id, uint32_t column) { return int(id * 5 + column * 11 + id * column * 3) % 16; }

uint64_t alignSection(uint64_t offset) {
  return (offset + kSectionAlignment - 1) / kSectionAlignment * kSectionAlignment;
}

template <class T> Binding addWeights(std::vector<uint8_t> &weights, const std::vector<T> &values) {
  uint64_t offset = weights.size(), size = values.size() * sizeof(T);
  weights.resize(offset + (size + 63) / 64 * 64);
  if (size)
    memcpy(weights.data() + offset, values.data(), size);
  return Binding(Space::weights, 0, offset, size);
}

std::unique_ptr<package::DispatchT> dispatch(Kernel kernel, Grid grid, std::vector<Binding> bindings, bool barrier,
                                             const char *tap = "") {
  auto result = std::make_unique<package::DispatchT>();
  result->kernel = kernel;
  result->grid = std::make_unique<Grid>(grid);
  result->bindings = std::move(bindings);
  result->barrier = barrier;
  result->tap = tap;
  result->tap_binding = *tap ? 2 : 0;
  return result;
}

std::unique_ptr<package::CacheT> cache(const char *name, uint32_t capacity, uint32_t window) {
  auto result = std::make_unique<package::CacheT>();
  result->name = name;
  result->element = package::ElementType::f32;
  result->kv_heads = FAKE_HEADS;
  result->head_dim = FAKE_HEAD_DIM;
  result->tile_tokens = FAKE_TILE;
  result->tile_bytes = 2 * FAKE_HIDDEN * FAKE_TILE * sizeof(float);
  result->capacity = capacity;
  result->window = window;
  return result;
}

uint32_t roundToTile(uint32_t tokens) { return (tokens + FAKE_TILE - 1) / FAKE_TILE * FAKE_TILE; }

} // namespace

AlignedBytes::AlignedBytes(const std::vector<uint8_t> &bytes) : memory(nullptr, free), length(bytes.size()) {
  void *pages = nullptr;
  if (posix_memalign(&pages, 64, length ? length : 1) != 0)
    abort();
  memory.reset(static_cast<uint8_t *>(pages));
  std::copy(bytes.begin(), bytes.end(), memory.get());
}

FakePackage::FakePackage(uint32_t context, const std::vector<float> &logits)
    : code(__start_fake_kernels, __stop_fake_kernels), tokenizer(100, 42) {
  uint32_t vocab = logits.empty() ? FAKE_VOCAB : uint32_t(logits.size());
  manifest.compiler = "test";
  manifest.context = context;
  manifest.model = std::make_unique<package::ModelT>();
  manifest.model->name = "fake";
  manifest.model->family = "test";
  manifest.model->vocab = vocab;
  manifest.model->hidden = FAKE_HIDDEN;
  manifest.model->layers = 2;
  manifest.model->eos = {std::min(3u, vocab - 1)};
  manifest.chat_template = "{{ messages }}";

  // Weights.
  std::vector<float> tableValues, headValues;
  for (uint32_t id = 0; id < vocab; ++id)
    for (uint32_t column = 0; column < FAKE_HIDDEN; ++column) {
      tableValues.push_back(float(tableValue(id, column)));
      headValues.push_back(float(headValue(id, column)));
    }
  uint32_t ring = std::min(roundToTile(FAKE_WINDOW + FAKE_STEP - 1), roundToTile(context));
  fake_cache_facts facts[2] = {{int32_t(roundToTile(context)), 0}, {int32_t(ring), FAKE_WINDOW}};
  Binding table = addWeights(weights, tableValues), headWeights = addWeights(weights, headValues);
  Binding constants = addWeights(weights, logits);

  // Arena.
  const uint64_t rowBytes = FAKE_STRIDE * sizeof(float);
  Binding tokens(Space::arena, 0, 0, 128), x(Space::arena, 0, 128, FAKE_STEP * rowBytes);
  Binding logitsBuffer(Space::arena, 0, x.offset() + x.size(), (vocab * 4 + 63) / 64 * 64);
  manifest.tokens = std::make_unique<Binding>(tokens);
  manifest.hidden = std::make_unique<Binding>(x);
  manifest.logits = std::make_unique<Binding>(logitsBuffer);
  manifest.hidden_stride = FAKE_STRIDE;
  manifest.arena_bytes = logitsBuffer.offset() + logitsBuffer.size();

  // Schedule. Embedding and the first append share their partition, so that no barrier is needed between them.
  for (const char *name : {"prefill", "decode"}) {
    auto entry = std::make_unique<package::EntryT>();
    entry->name = name;
    entry->max_tokens = std::string(name) == "decode" ? 1 : FAKE_STEP;
    entry->dispatches.push_back(dispatch(embed, Grid(FAKE_HIDDEN, 0), {tokens, table, x}, false));
    for (uint16_t layer = 0; layer < 2; ++layer) {
      Binding layerFacts = addWeights(weights, std::vector<fake_cache_facts>{facts[layer]});
      Binding layerCache(Space::cache, layer, 0, uint64_t(facts[layer].capacity) * 2 * FAKE_HIDDEN * sizeof(float));
      std::string tap = std::string(name) + ".layers." + std::to_string(layer);
      entry->dispatches.push_back(dispatch(append, Grid(FAKE_HIDDEN, 0), {layerFacts, layerCache, x}, layer > 0));
      entry->dispatches.push_back(dispatch(attend, Grid(FAKE_HIDDEN / FAKE_BLOCK_COLUMNS, FAKE_BLOCK_TOKENS),
                                           {layerFacts, layerCache, x}, true, tap.c_str()));
    }
    manifest.entries.push_back(std::move(entry));
  }
  auto headEntry = std::make_unique<package::EntryT>();
  headEntry->name = "head";
  headEntry->max_tokens = 1;
  headEntry->dispatches.push_back(logits.empty()
                                      ? dispatch(head, Grid(vocab, 0), {x, headWeights, logitsBuffer}, false)
                                      : dispatch(constantHead, Grid(vocab, 0), {constants, logitsBuffer}, false));
  manifest.entries.push_back(std::move(headEntry));
  manifest.caches.push_back(cache("layers.0", facts[0].capacity, facts[0].window));
  manifest.caches.push_back(cache("layers.1", facts[1].capacity, facts[1].window));

  // What they do. An embedding looks up a row, a head reads all of its matrix.
  auto addWork = [&](const char *kind) -> package::WorkT & {
    manifest.work.push_back(std::make_unique<package::WorkT>());
    manifest.work.back()->kind = kind;
    return *manifest.work.back();
  };
  addWork("embed").token_weight_bytes = FAKE_HIDDEN * sizeof(float);
  addWork("append");
  package::WorkT &attendWork = addWork("attention");
  attendWork.position_cache_bytes = 2 * FAKE_HIDDEN * sizeof(float);
  attendWork.position_multiply_adds = 2 * FAKE_HIDDEN;
  package::WorkT &headWork = addWork("linear");
  headWork.int8 = true;
  headWork.weight_bytes = uint64_t(vocab) * FAKE_HIDDEN * sizeof(float);
  headWork.token_multiply_adds = uint64_t(vocab) * FAKE_HIDDEN;
  addWork("constant");
  addWork("yardstick");
  auto yardstick = std::make_unique<package::YardstickT>();
  yardstick->kind = "read";
  yardstick->kernel = 5;
  yardstick->unit_bytes = 64;
  manifest.yardsticks.push_back(std::move(yardstick));

  // Code: the same instructions once for every x86-64, and once for one that does not exist yet.
  manifest.kernels = {"embed", "append", "attend", "head", "constant_head", "yardstick"};
  auto offset = [](void (*kernel)(const sinter_kernel_args *, uint32_t, uint32_t, void *)) {
    return uint64_t(reinterpret_cast<const unsigned char *>(kernel) - __start_fake_kernels);
  };
  for (const char *target : {"x86-64", "x86-64-future"}) {
    auto section = std::make_unique<package::CodeT>();
    section->target = target;
    section->priority = target[6] ? 9 : 1;
    section->features = target[6] ? uint64_t(1) << 63 : 0;
    section->entries = {offset(fake_embed), offset(fake_append),        offset(fake_attend),
                        offset(fake_head),  offset(fake_constant_head), offset(fake_yardstick)};
    section->scratch_bytes = {0, 0, FAKE_BLOCK_COLUMNS * 4, 0, 0, 0};
    section->stack_bytes = {256, 256, 256, 256, 256, 256};
    manifest.codes.push_back(std::move(section));
  }

  // Sections, one after another.
  uint64_t end = kSectionAlignment;
  auto place = [&](const std::vector<uint8_t> &section) {
    Range range(end, section.size());
    end = alignSection(end + section.size());
    return std::make_unique<Range>(range);
  };
  manifest.weights = place(weights);
  manifest.weights_checksum = checksum64(weights.data(), weights.size());
  manifest.tokenizer = place(tokenizer);
  manifest.tokenizer_checksum = checksum64(tokenizer.data(), tokenizer.size());
  Range codeRange = *place(code);
  for (const std::unique_ptr<package::CodeT> &section : manifest.codes) {
    section->range = std::make_unique<Range>(codeRange);
    section->checksum = checksum64(code.data(), code.size());
  }
}

FakePackage sinter::test::fakeEncoder() {
  FakePackage package;
  package::ManifestT &manifest = package.manifest;
  package::EntryT &encode = package.entry("prefill"), &head = package.entry("head");
  encode.name = "encode";
  encode.dispatches.resize(1); // the embedding
  head.max_tokens = FAKE_STEP;
  std::swap(manifest.entries[1], manifest.entries[2]); // decode goes
  manifest.entries.resize(2);
  manifest.caches.clear();
  manifest.context = FAKE_STEP;
  manifest.encoder = std::make_unique<package::EncoderT>();
  package::EncoderT &encoder = *manifest.encoder;
  encoder.task = package::Task::classify;
  encoder.output_width = encoder.output_stride = FAKE_VOCAB;
  encoder.pooling = "first";
  encoder.types = std::make_unique<Binding>(Space::arena, 0, manifest.arena_bytes, FAKE_STEP * sizeof(int32_t));
  encoder.type_count = 2;
  for (uint32_t i = 0; i < FAKE_VOCAB; ++i)
    encoder.labels.push_back("label " + std::to_string(i));
  manifest.arena_bytes += 128;
  return package;
}

std::vector<float> sinter::test::encoderHidden(const std::vector<uint32_t> &ids) {
  std::vector<float> rows;
  for (uint32_t id : ids)
    for (uint32_t column = 0; column < FAKE_HIDDEN; ++column)
      rows.push_back(float(tableValue(id, column)));
  return rows;
}

std::vector<float> sinter::test::encoderLogits(uint32_t first) {
  std::vector<float> logits(FAKE_VOCAB);
  for (uint32_t v = 0; v < FAKE_VOCAB; ++v)
    for (uint32_t column = 0; column < FAKE_HIDDEN; ++column)
      logits[v] += float(tableValue(first, column) * headValue(v, column));
  return logits;
}

package::EntryT &FakePackage::entry(const std::string &name) {
  for (const std::unique_ptr<package::EntryT> &entry : manifest.entries)
    if (entry->name == name)
      return *entry;
  abort();
}

std::vector<uint8_t> FakePackage::bytes() const {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(package::Manifest::Pack(builder, &manifest));
  // The sections lie where the constructor put them, whatever the manifest says by now.
  uint64_t tokenizerStart = alignSection(kSectionAlignment + weights.size());
  uint64_t codeStart = alignSection(tokenizerStart + tokenizer.size());
  uint64_t manifestStart = alignSection(codeStart + code.size());
  std::vector<uint8_t> file(manifestStart + builder.GetSize());
  memcpy(file.data() + kSectionAlignment, weights.data(), weights.size());
  memcpy(file.data() + tokenizerStart, tokenizer.data(), tokenizer.size());
  memcpy(file.data() + codeStart, code.data(), code.size());
  memcpy(file.data() + manifestStart, builder.GetBufferPointer(), builder.GetSize());
  PackageHeader header = {};
  memcpy(header.magic, kPackageMagic, sizeof(kPackageMagic));
  header.version = kPackageVersion;
  header.headerBytes = sizeof(PackageHeader);
  header.fileBytes = file.size();
  header.manifestOffset = manifestStart;
  header.manifestBytes = builder.GetSize();
  memcpy(file.data(), &header, sizeof(header));
  repairChecksums(file);
  return file;
}

TemporaryFile::TemporaryFile(const std::vector<uint8_t> &content, const std::string &name)
    : name(testing::TempDir() + std::to_string(getpid()) + "-" + name) {
  FILE *out = fopen(path(), "wb");
  if (!out || fwrite(content.data(), 1, content.size(), out) != content.size() || fclose(out) != 0)
    abort();
}

TemporaryFile::~TemporaryFile() { unlink(path()); }

void sinter::test::repairChecksums(std::vector<uint8_t> &file) {
  PackageHeader header;
  if (file.size() < sizeof(header))
    return;
  memcpy(&header, file.data(), sizeof(header));
  if (header.manifestOffset <= file.size() && header.manifestBytes <= file.size() - header.manifestOffset)
    header.manifestChecksum = checksum64(file.data() + header.manifestOffset, header.manifestBytes);
  header.headerChecksum = checksum64(&header, offsetof(PackageHeader, headerChecksum));
  memcpy(file.data(), &header, sizeof(header));
}

FakeResult sinter::test::reference(const std::vector<uint32_t> &ids) {
  FakeResult result;
  std::vector<std::vector<int>> x(ids.size(), std::vector<int>(FAKE_HIDDEN)); // [position][column]
  for (size_t p = 0; p < ids.size(); ++p)
    for (uint32_t c = 0; c < FAKE_HIDDEN; ++c)
      x[p][c] = tableValue(ids[p], c);
  for (int layer = 0; layer < 2; ++layer) {
    std::vector<std::vector<int>> cached = x;
    for (size_t p = 0; p < ids.size(); ++p)
      for (uint32_t c = 0; c < FAKE_HIDDEN; ++c) {
        size_t from = layer == 1 && p + 1 > FAKE_WINDOW ? p + 1 - FAKE_WINDOW : 0;
        for (size_t q = from; q <= p; ++q)
          x[p][c] += int(q % 5 + 1) * (cached[q][(c + 1) % FAKE_HIDDEN] + cached[q][(c + 7) % FAKE_HIDDEN] + 1);
        x[p][c] &= 255;
      }
    for (const std::vector<int> &row : x)
      result.layers[layer].emplace_back(row.begin(), row.end());
  }
  for (const std::vector<int> &row : x) {
    std::vector<float> logits(FAKE_VOCAB);
    for (uint32_t v = 0; v < FAKE_VOCAB; ++v)
      for (uint32_t c = 0; c < FAKE_HIDDEN; ++c)
        logits[v] += float(row[c] * headValue(v, c));
    result.logits.push_back(logits);
  }
  return result;
}

std::vector<uint32_t> sinter::test::someTokens(size_t count) {
  std::vector<uint32_t> ids(count);
  for (size_t i = 0; i < count; ++i)
    ids[i] = uint32_t(i * i * 31 + i * 17 + 5) % FAKE_VOCAB;
  return ids;
}

ModelPointer sinter::test::openModel(const AlignedBytes &bytes) {
  sinter_model *model = nullptr;
  sinter_error error = {};
  if (sinter_model_open_memory(bytes.data(), bytes.size(), nullptr, &model, &error) != SINTER_OK)
    ADD_FAILURE() << error.message;
  return {model, sinter_model_close};
}

SessionPointer sinter::test::createSession(const ModelPointer &model, uint32_t threads, uint32_t context) {
  sinter_session *session = nullptr;
  sinter_error error = {};
  sinter_session_options options = {SINTER_API_VERSION, threads, context, nullptr, 0};
  if (sinter_session_create(model.get(), &options, &session, &error) != SINTER_OK)
    ADD_FAILURE() << error.message;
  return {session, sinter_session_destroy};
}

std::vector<float> sinter::test::logitsOf(const SessionPointer &session, uint32_t vocab) {
  const float *logits = sinter_logits(session.get());
  return logits ? std::vector<float>(logits, logits + vocab) : std::vector<float>();
}
