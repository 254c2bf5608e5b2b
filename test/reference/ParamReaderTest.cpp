// Conversion of every 16-bit pattern, rows out of the middle of a tensor, and ranges that the file does not have.

#include "dialects/tx/ParamReader.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace llvm;

namespace sinter {
namespace {

// A file that holds every 16-bit pattern in order, 3 bytes in so that nothing is aligned.
class ParamReading : public testing::Test {
protected:
  ParamReading() : remover("") {
    context.loadDialect<tx::TxDialect>();
    int descriptor = -1;
    EXPECT_FALSE(bool(sys::fs::createTemporaryFile("sinter-reader", "bin", descriptor, path)));
    remover.setFile(path);
    raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
    stream << "abc";
    for (unsigned bits = 0; bits < 65536; ++bits)
      stream << char(bits & 255) << char(bits >> 8);
  }

  Expected<std::vector<float>> read(StringRef type, int64_t offset, int64_t begin, int64_t count, int64_t columns) {
    const std::string text =
        "tx.param @w \"" + path.str().str() + "\" at " + std::to_string(offset) + " : " + type.str();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    tx::ParamReader reader;
    std::vector<float> values(count * columns);
    if (Error error = reader.readRows(*module->getOps<tx::ParamOp>().begin(), begin, count, values.data()))
      return std::move(error);
    return values;
  }

  std::string message(StringRef type, int64_t offset, int64_t begin, int64_t count) {
    Expected<std::vector<float>> values = read(type, offset, begin, count, 256);
    return values ? "" : toString(values.takeError());
  }

  void expectConverts(StringRef type, const fltSemantics &semantics) {
    std::vector<float> values = cantFail(read(type, 3, 0, 256, 256));
    for (unsigned bits = 0; bits < 65536; ++bits) {
      const float expected = APFloat(semantics, APInt(16, bits)).convertToFloat();
      if (std::isnan(expected))
        ASSERT_TRUE(std::isnan(values[bits])) << bits;
      else
        ASSERT_EQ(values[bits], expected) << bits;
      ASSERT_EQ(std::signbit(values[bits]), bits >= 32768) << bits;
    }
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  SmallString<128> path;
  FileRemover remover;
};

TEST_F(ParamReading, EveryF16) { expectConverts("tensor<256x256xf16>", APFloat::IEEEhalf()); }
TEST_F(ParamReading, EveryBF16) { expectConverts("tensor<256x256xbf16>", APFloat::BFloat()); }

TEST_F(ParamReading, RowsFromTheMiddle) {
  std::vector<float> all = cantFail(read("tensor<256x256xbf16>", 3, 0, 256, 256));
  std::vector<float> some = cantFail(read("tensor<256x256xbf16>", 3, 70, 2, 256));
  for (int64_t i = 0; i < 512; ++i)
    EXPECT_EQ(some[i], all[70 * 256 + i]);
}

TEST_F(ParamReading, RangesThatAreNotThere) {
  const std::string prefix = path.str().str() + ": tensor w: ";
  EXPECT_EQ(message("tensor<256x256xbf16>", 3, 255, 2), prefix + "rows [255, 257) are not among its 256");
  EXPECT_EQ(message("tensor<256x256xbf16>", 3, -1, 1), prefix + "rows [-1, 0) are not among its 256");
  EXPECT_EQ(message("tensor<256x256xbf16>", 4, 0, 1),
            prefix + "needs 256 x 256 elements of 2 bytes at 4, the file has 131075 bytes");
  EXPECT_EQ(message("tensor<256x256xbf16>", -8, 0, 1),
            prefix + "needs 256 x 256 elements of 2 bytes at -8, the file has 131075 bytes");
  // Sizes whose product wraps around 2^64.
  EXPECT_EQ(message("tensor<4611686018427387904x8xf32>", 3, 0, 1),
            prefix + "needs 4611686018427387904 x 8 elements of 4 bytes at 3, the file has 131075 bytes");
}

TEST_F(ParamReading, FileThatIsNotThere) {
  const std::string name = path.str().str();
  sys::fs::remove(path);
  EXPECT_EQ(message("tensor<256x256xbf16>", 3, 0, 1), name + ": cannot be read: No such file or directory");
}

} // namespace
} // namespace sinter
