// A small planned schedule becomes a package: the manifest says what the module says, the runtime opens it, and
// failures leave no file behind.

#include "codegen/Package.h"
#include "dialects/sched/Sched.h"
#include "mlir/Parser/Parser.h"
#include "runtime/package_generated.h"
#include "runtime/package_layout.h"
#include "runtime/sinter.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <csignal>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace llvm;

namespace sinter {
namespace {

// A table of 64 x 8, a norm, a cache, two buffers and an alloc. The kernels need not be real: the code is a return.
constexpr char kModule[] = R"(
  tx.param @embed "FILE" at 0 : tensor<64x8xf32>
  tx.param @norm "FILE" at 2048 : tensor<8xf32>
  sched.plan context(32) arena(25600) weights(4352)
  sched.kernel @gather #kern.embed<vocab = 64, width = 8, format = "q8", scale = 1.0 : f32>
  sched.kernel @rows #kern.rows<width = 8, norm = <kind = rms, epsilon = 1.0e-5 : f32>>
  sched.kernel @rotate #kern.rotate_append<heads = 1, kv_heads = 1, head_dim = 4, rotary_dims = 0, style = half,
                                           element = f16, capacity = 48, tokens_per_unit = 1>
  sched.weight @packed.embed "q8" [@embed] rows(64) columns(8) at 0 bytes(2176)
  sched.weight @packed.norm "vector" [@norm] rows(8) columns(1) at 4224 bytes(128) {add = 1 : i64}
  sched.cache @kv.0 kv_heads(1) head_dim(4) window(0) element(f16) capacity(48)
  sched.buffer @tokens tokens : memref<32xi32> at 0
  sched.buffer @hidden hidden : memref<32x32xf32> at 128
  sched.buffer @logits logits : memref<1x64xf32> at 4224
  sched.func @prefill max_tokens(32) {
    %ids = sched.ref @tokens : memref<32xi32>
    %table = sched.ref @packed.embed : memref<?xi8>
    %x = sched.alloc at 8192 : memref<32x32xf32>
    sched.dispatch @gather(%ids, %table, %x) units(1) per(1) : memref<32xi32>, memref<?xi8>, memref<32x32xf32>
    %w = sched.ref @packed.norm : memref<8xf32>
    %h = sched.ref @hidden : memref<32x32xf32>
    sched.dispatch barrier @rows(%x, %w, %h) units(1) per(1) tap "layers.0" of 2
        : memref<32x32xf32>, memref<8xf32>, memref<32x32xf32>
    %kv = sched.ref @kv.0 : memref<?xi8>
    sched.dispatch @rotate(%h, %kv) units(1) per(8) : memref<32x32xf32>, memref<?xi8>
  }
  sched.func @decode max_tokens(1) { }
  sched.func @head max_tokens(1) { })";

const Target kPlainTarget = [] {
  Target target = {};
  target.name = "plain";
  target.priority = 1;
  target.vectorBytes = 16;
  return target;
}();

class Package : public testing::Test {
protected:
  Package() {
    context.loadDialect<tx::TxDialect, sched::SchedDialect, kern::KernDialect>();
    EXPECT_FALSE(bool(sys::fs::createUniqueDirectory("sinter-package", directory)));
    std::vector<float> values(520);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = float(i % 29) / 16 - 1;
    std::error_code error;
    raw_fd_ostream(inDirectory("weights.bin"), error)
        .write(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float));
  }
  ~Package() override { sys::fs::remove_directories(directory); }

  std::string inDirectory(StringRef name) {
    SmallString<128> path = directory;
    sys::path::append(path, name);
    return path.str().str();
  }

  Expected<PackageStats> write(const std::string &path, StringRef from = "", StringRef to = "") {
    std::string text = kModule;
    for (size_t at; (at = text.find("FILE")) != std::string::npos;)
      text.replace(at, 4, inDirectory("weights.bin"));
    if (!from.empty())
      text.replace(text.find(from.str()), from.size(), to.str());
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(bool(module));
    PackageContents contents;
    contents.module = *module;
    contents.info.name = "tiny";
    contents.info.family = "llama";
    contents.info.vocab = 64;
    contents.info.hidden = 8;
    contents.info.layers = 1;
    contents.info.parameters = 520;
    contents.info.eos = {2, 5};
    contents.info.generation.topK = 7;
    contents.code.push_back({&kPlainTarget, std::vector<uint8_t>(100, 0xc3), {0, 16, 32}, {64, 128, 0}, {8, 8, 8}});
    contents.tokenizer = {1, 2, 3};
    contents.chatTemplate = "{{ messages }}";
    tx::ParamReader reader;
    return writePackage(contents, reader, path, [&](uint64_t done, uint64_t total) {
      progress.push_back({done, total});
    });
  }

  std::string read(const std::string &path) {
    ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path);
    EXPECT_TRUE(bool(buffer));
    return buffer ? (*buffer)->getBuffer().str() : "";
  }

  // Names of the files in the directory, but for the weights.
  std::vector<std::string> otherFiles() {
    std::vector<std::string> names;
    std::error_code error;
    for (sys::fs::directory_iterator it(directory, error), end; it != end && !error; it.increment(error))
      if (std::string name = sys::path::filename(it->path()).str(); name != "weights.bin")
        names.push_back(name);
    return names;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  SmallString<128> directory;
  std::vector<std::pair<uint64_t, uint64_t>> progress;
};

void expectBinding(const package::Binding *binding, package::Space space, uint64_t offset, uint64_t size) {
  EXPECT_EQ(binding->space(), space);
  EXPECT_EQ(binding->index(), 0);
  EXPECT_EQ(binding->offset(), offset);
  EXPECT_EQ(binding->size(), size);
}

TEST_F(Package, ManifestSaysWhatTheModuleSays) {
  const std::string path = inDirectory("tiny.sinter");
  PackageStats stats = cantFail(write(path));
  const std::string bytes = read(path);
  ASSERT_EQ(bytes.size(), stats.fileBytes);
  PackageHeader header;
  memcpy(&header, bytes.data(), sizeof(header));
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t *>(bytes.data()) + header.manifestOffset,
                                 header.manifestBytes);
  ASSERT_TRUE(package::VerifyManifestBuffer(verifier));
  const package::Manifest &manifest = *package::GetManifest(bytes.data() + header.manifestOffset);

  EXPECT_EQ(manifest.context(), 32u);
  EXPECT_EQ(manifest.arena_bytes(), 25600u);
  EXPECT_EQ(manifest.hidden_stride(), 32u);
  expectBinding(manifest.tokens(), package::Space::arena, 0, 128);
  expectBinding(manifest.hidden(), package::Space::arena, 128, 4096);
  expectBinding(manifest.logits(), package::Space::arena, 4224, 256);
  ASSERT_EQ(manifest.entries()->size(), 3u);
  const package::Entry &prefill = *manifest.entries()->Get(0);
  EXPECT_EQ(prefill.name()->str(), "prefill");
  ASSERT_EQ(prefill.dispatches()->size(), 3u);

  const package::Dispatch &gather = *prefill.dispatches()->Get(0), &rows = *prefill.dispatches()->Get(1);
  EXPECT_EQ(gather.kernel(), 0);
  EXPECT_FALSE(gather.barrier());
  EXPECT_EQ(gather.tap(), nullptr);
  expectBinding(gather.bindings()->Get(1), package::Space::weights, 0, 2176);
  expectBinding(gather.bindings()->Get(2), package::Space::arena, 8192, 4096);
  EXPECT_TRUE(rows.barrier());
  EXPECT_EQ(rows.tap()->str(), "layers.0");
  EXPECT_EQ(rows.tap_binding(), 2);
  expectBinding(rows.bindings()->Get(1), package::Space::weights, 4224, 128);
  const package::Dispatch &rotate = *prefill.dispatches()->Get(2);
  EXPECT_EQ(rotate.grid()->tokens_per_unit(), 8u);
  expectBinding(rotate.bindings()->Get(1), package::Space::cache, 0, 3 * 2 * 4 * 16 * 2);

  ASSERT_EQ(manifest.work()->size(), manifest.kernels()->size());
  EXPECT_EQ(manifest.work()->Get(0)->kind()->str(), "embed");
  EXPECT_EQ(manifest.work()->Get(0)->token_weight_bytes(), 34u); // 32 codes and a scale
  EXPECT_EQ(manifest.work()->Get(1)->kind()->str(), "rows");
  EXPECT_EQ(manifest.work()->Get(1)->weight_bytes(), 128u);
  EXPECT_EQ(manifest.work()->Get(2)->kind()->str(), "rotate_append");

  EXPECT_EQ(manifest.model()->generation()->top_k(), 7);
  EXPECT_EQ(manifest.model()->eos()->Get(1), 5u);
  EXPECT_EQ(manifest.chat_template()->str(), "{{ messages }}");
  EXPECT_EQ(bytes.substr(manifest.tokenizer()->offset(), manifest.tokenizer()->size()), std::string("\1\2\3"));
  EXPECT_EQ(manifest.codes()->Get(0)->scratch_bytes()->Get(1), 128u);
}

TEST_F(Package, WeightsLieWherePlanned) {
  const std::string path = inDirectory("tiny.sinter");
  cantFail(write(path).takeError());
  const std::string bytes = read(path);
  PackageHeader header;
  memcpy(&header, bytes.data(), sizeof(header));
  const package::Manifest &manifest = *package::GetManifest(bytes.data() + header.manifestOffset);
  const std::string weights = bytes.substr(manifest.weights()->offset(), manifest.weights()->size());
  ASSERT_EQ(weights.size(), 4352u);
  EXPECT_EQ(checksum64(weights.data(), weights.size()), manifest.weights_checksum());
  EXPECT_EQ(weights.substr(2176, 4224 - 2176), std::string(4224 - 2176, '\0'));
  float norm[32];
  memcpy(norm, weights.data() + 4224, sizeof(norm));
  EXPECT_EQ(norm[0], float(512 % 29) / 16 - 1 + 1);
  EXPECT_EQ(norm[8], 0.0f);
}

TEST_F(Package, CountsBytes) {
  PackageStats stats = cantFail(write(inDirectory("tiny.sinter")));
  EXPECT_EQ(stats.weightBytes, 4352u);
  EXPECT_EQ(stats.arenaBytes, 25600u);
  EXPECT_EQ(stats.cacheBytes, 3u * 2 * 4 * 16 * 2);
  EXPECT_EQ(stats.codeBytes, 100u);
  EXPECT_EQ(stats.scratchBytesPerThread, 128u);
  EXPECT_DOUBLE_EQ(stats.bitsPerWeight, 4352 * 8.0 / 520);
  ASSERT_EQ(stats.formats.size(), 2u);
  EXPECT_EQ(stats.formats[0].format, "q8");
  EXPECT_EQ(stats.formats[0].parameters, 512u);
  EXPECT_EQ(stats.formats[1].bytes, 128u);
  ASSERT_FALSE(progress.empty());
  EXPECT_EQ(progress.back(), std::make_pair(uint64_t(4352), uint64_t(4352)));
}

TEST_F(Package, SameBytesEveryTime) {
  cantFail(write(inDirectory("one.sinter")).takeError());
  cantFail(write(inDirectory("two.sinter")).takeError());
  EXPECT_EQ(read(inDirectory("one.sinter")), read(inDirectory("two.sinter")));
}

TEST_F(Package, RuntimeOpensAndChecks) {
  const std::string path = inDirectory("tiny.sinter");
  cantFail(write(path).takeError());
  sinter_model *model = nullptr;
  sinter_error error = {};
  ASSERT_EQ(sinter_model_open(path.c_str(), nullptr, &model, &error), SINTER_OK) << error.message;
  EXPECT_EQ(sinter_model_check(model, &error), SINTER_OK) << error.message;
  sinter_model_info info;
  sinter_model_get_info(model, &info);
  EXPECT_STREQ(info.isa, "plain");
  EXPECT_EQ(info.context, 32u);
  EXPECT_EQ(info.prefill_tokens, 32u);
  sinter_model_close(model);
}

TEST_F(Package, ErrorsLeaveNothingBehind) {
  const std::string path = inDirectory("tiny.sinter");
  auto message = [&](StringRef from, StringRef to) {
    Expected<PackageStats> stats = write(path, from, to);
    EXPECT_FALSE(bool(stats));
    return stats ? "" : toString(stats.takeError());
  };
  EXPECT_EQ(message("at 2048 : tensor<8xf32>", "at 2080 : tensor<8xf32>"),
            inDirectory("weights.bin") +
                ": tensor norm: needs 1 x 8 elements of 4 bytes at 2080, the file has 2080 bytes");
  EXPECT_EQ(message("at 4224 bytes(128)", "at 2112 bytes(128)"),
            "weight @packed.norm takes bytes [2112, 2240), expected a free range of the 4352 planned");
  EXPECT_EQ(message("bytes(2176)", "bytes(2112)"), "weight @packed.embed: takes 2176 bytes, planned were 2112");
  EXPECT_EQ(message("sched.alloc at 8192", "sched.alloc"),
            "sched.alloc in @prefill: has no offset; run --sinter-plan-memory");
  EXPECT_TRUE(otherFiles().empty());
}

TEST_F(Package, UnwritablePath) {
  const std::string path = inDirectory("missing/tiny.sinter");
  Expected<PackageStats> stats = write(path);
  ASSERT_FALSE(bool(stats));
  EXPECT_EQ(toString(stats.takeError()), path + ": cannot be written: No such file or directory");
}

// Devices and directories are never replaced by the rename.
TEST_F(Package, OnlyRegularFilesAreReplaced) {
  const std::string path = inDirectory("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  for (const std::string &target : {path, directory.str().str()}) {
    Expected<PackageStats> stats = write(target);
    ASSERT_FALSE(bool(stats));
    EXPECT_EQ(toString(stats.takeError()), target + ": cannot be written: exists and is not a regular file");
  }
  EXPECT_FALSE(sys::fs::is_regular_file(path));
}

// A limit on the size of files stands for a disk that fills up.
TEST_F(Package, WriteErrorsLeaveNothingBehind) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 6000;
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  const std::string path = inDirectory("tiny.sinter");
  // The weights file is made before the limit, the package after.
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  Expected<PackageStats> stats = write(path);
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  ASSERT_FALSE(bool(stats));
  EXPECT_EQ(toString(stats.takeError()), path + ": cannot be written: File too large");
  EXPECT_TRUE(otherFiles().empty());
}

} // namespace
} // namespace sinter
