// tx.param -> f32 rows. A file is opened the first time one of its params is read, and stays open; ranges are read with
// pread in pieces that stay in the cache until they are converted. Not through a mapping: the kernel maps whole large
// folios around a fault, so that giving back the pages that were read left most of a 2.5 GB model resident; and a file
// that shrinks while it is read is an error here, not a SIGBUS. Every range is checked against the file's size before
// anything is read, because offsets come from the file's own header.

#include "dialects/tx/ParamReader.h"

#include "llvm/Support/Errno.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace llvm;

namespace sinter::tx {

struct ParamReader::OpenFile {
  int descriptor = -1;
  uint64_t size = 0;

  ~OpenFile() {
    if (descriptor >= 0)
      close(descriptor);
  }
};

static constexpr int32_t kNoZero[] = {0};
// Bytes read before they are converted.
static constexpr uint64_t kPieceBytes = 128 << 10;

// Plain loops over unaligned elements; each becomes a few vector instructions on any target.

static void convertF32(const unsigned char *bytes, int64_t count, float *out) {
  memcpy(out, bytes, count * sizeof(float));
}

static void convertBF16(const unsigned char *bytes, int64_t count, float *out) {
  for (int64_t i = 0; i < count; ++i) {
    uint16_t half;
    memcpy(&half, bytes + 2 * i, 2);
    uint32_t bits = uint32_t(half) << 16;
    memcpy(out + i, &bits, 4);
  }
}

// Puts exponent and mantissa where f32 has them and corrects the exponent's bias (15 against 127) with a multiplication
// by 2^112, which also normalizes subnormals. Infinities and NaNs then get f32's exponent for them.
static void convertF16(const unsigned char *bytes, int64_t count, float *out) {
  for (int64_t i = 0; i < count; ++i) {
    uint16_t half;
    memcpy(&half, bytes + 2 * i, 2);
    uint32_t bits = uint32_t(half & 0x7fff) << 13;
    float magnitude;
    memcpy(&magnitude, &bits, 4);
    magnitude *= 0x1p112f;
    memcpy(&bits, &magnitude, 4);
    bits |= (half & 0x7c00) == 0x7c00 ? 0x7f800000u : 0u;
    bits |= uint32_t(half & 0x8000) << 16;
    memcpy(out + i, &bits, 4);
  }
}

static void convertI8(const unsigned char *bytes, int64_t count, float *out) {
  for (int64_t i = 0; i < count; ++i)
    out[i] = float(int8_t(bytes[i]));
}

static void convertU8(const unsigned char *bytes, int64_t count, float *out) {
  for (int64_t i = 0; i < count; ++i)
    out[i] = float(bytes[i]);
}

ParamReader::ParamReader() = default;
ParamReader::~ParamReader() = default;

static Error readError(StringRef path, int number) {
  return createStringError(std::error_code(number, std::generic_category()), "%s: cannot be read: %s",
                           path.str().c_str(), sys::StrError(number).c_str());
}

Expected<ParamReader::OpenFile *> ParamReader::open(StringRef path) {
  std::lock_guard<std::mutex> lock(mutex);
  auto found = files.find(path.str());
  if (found != files.end())
    return found->second.get();
  std::unique_ptr<OpenFile> file = std::make_unique<OpenFile>();
  file->descriptor = ::open(path.str().c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (file->descriptor < 0 || fstat(file->descriptor, &status) != 0)
    return readError(path, errno);
  if (!S_ISREG(status.st_mode))
    return createStringError(path + ": cannot be read: is not a regular file");
  file->size = status.st_size;
  return files.emplace(path.str(), std::move(file)).first->second.get();
}

static Error paramError(ParamOp param, const Twine &what) {
  return createStringError(std::make_error_code(std::errc::invalid_argument),
                           param.getFile() + ": tensor " + param.getSymName() + ": " + what);
}

Error ParamReader::readBytes(ParamOp param, uint64_t begin, uint64_t count, uint8_t *out) {
  if (std::optional<ArrayRef<int8_t>> data = param.getData()) {
    if (begin > data->size() || count > data->size() - begin)
      return paramError(param, "bytes past its end");
    memcpy(out, data->data() + begin, count);
    return Error::success();
  }
  Expected<OpenFile *> file = open(param.getFile());
  if (!file)
    return file.takeError();
  const uint64_t size = (*file)->size, offset = param.getOffset();
  if (offset > size || begin > size - offset || count > size - offset - begin)
    return paramError(param, "needs " + Twine(count) + " bytes at " + Twine(offset + begin) + ", the file has " +
                                 Twine(size) + " bytes");
  for (uint64_t done = 0; done < count;) {
    ssize_t got = pread((*file)->descriptor, out + done, count - done, off_t(offset + begin + done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return readError(param.getFile(), errno);
    if (got == 0)
      return paramError(param, "the file became shorter while it was read");
    done += got;
  }
  return Error::success();
}

// What is read of a param piece by piece, as f32: for a transposed matrix, each line of the file has one element of every row.
Error ParamReader::readRows(ParamOp param, int64_t begin, int64_t count, float *out) {
  mlir::RankedTensorType type = param.getTensorType();
  const int64_t rows = type.getRank() == 2 ? type.getDimSize(0) : 1, columns = type.getShape().back();
  auto fail = [&](const Twine &what) { return paramError(param, what); };
  mlir::Type element = type.getElementType();
  StoredAttr stored = param.getStoredAttr();
  const bool codes = stored && stored.getScales();
  if (type.getRank() < 1 || type.getRank() > 2 || !(element.isF32() || element.isF16() || element.isBF16() || codes))
    return fail("is not a vector or matrix of f32, f16, bf16 or codes with scales");
  if (begin < 0 || count < 0 || begin > rows || count > rows - begin)
    return fail("rows [" + Twine(begin) + ", " + Twine(begin + count) + ") are not among its " + Twine(rows));
  if (count == 0 || columns == 0)
    return Error::success();

  const uint64_t width = type.getElementTypeBitWidth() / 8;
  if (!param.getData()) {
    Expected<OpenFile *> file = open(param.getFile());
    if (!file)
      return file.takeError();
    // The whole tensor must lie in the file, in arithmetic that cannot wrap.
    const uint64_t size = (*file)->size;
    const int64_t offset = param.getOffset();
    bool fits = offset >= 0 && uint64_t(offset) <= size && uint64_t(columns) <= (size - offset) / width &&
                uint64_t(rows) <= (size - offset) / width / columns;
    if (!fits)
      return fail("needs " + Twine(rows) + " x " + Twine(columns) + " elements of " + Twine(width) + " bytes at " +
                  Twine(offset) + ", the file has " + Twine(size) + " bytes");
  }

  auto convert = codes              ? stored.getIsUnsigned() ? convertU8 : convertI8
                 : element.isF32()  ? convertF32
                 : element.isF16()  ? convertF16
                                    : convertBF16;
  thread_local std::vector<unsigned char> piece(kPieceBytes);
  auto read = [&](uint64_t from, uint64_t elements, float *to) -> Error {
    for (uint64_t at = from * width, end = (from + elements) * width; at < end;) {
      const uint64_t bytes = std::min(kPieceBytes, end - at);
      if (Error error = readBytes(param, at, bytes, piece.data()))
        return error;
      convert(piece.data(), bytes / width, to);
      to += bytes / width;
      at += bytes;
    }
    return Error::success();
  };
  if (stored && stored.getTransposed()) {
    std::vector<float> line(count);
    for (int64_t column = 0; column < columns; ++column) {
      if (Error error = read(column * rows + begin, count, line.data()))
        return error;
      for (int64_t row = 0; row < count; ++row)
        out[row * columns + column] = line[row];
    }
  } else if (Error error = read(begin * columns, count * columns, out)) {
    return error;
  }
  if (!codes)
    return Error::success();
  ArrayRef<float> scales = stored.getScales().asArrayRef();
  ArrayRef<int32_t> zeros = stored.getZeros() ? stored.getZeros().asArrayRef() : ArrayRef<int32_t>(kNoZero);
  for (int64_t row = 0; row < count; ++row) {
    const float scale = scales[scales.size() == 1 ? 0 : begin + row];
    const float zero = float(zeros[zeros.size() == 1 ? 0 : begin + row]);
    for (int64_t column = 0; column < columns; ++column)
      out[row * columns + column] = (out[row * columns + column] - zero) * scale;
  }
  return Error::success();
}

} // namespace sinter::tx
