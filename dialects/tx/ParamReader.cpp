// tx.param -> f32 rows. A file is mapped read-only the first time one of its params is read, and stays mapped; its
// pages are given back after each read, so that what stays resident is one call's range per thread and not the model.
// (The page cache keeps them: reading a range again costs faults, not disk.) Every range is checked against the file's
// size before the first byte is touched, because offsets come from the file's own header.

#include "dialects/tx/ParamReader.h"

#include "llvm/Support/Errno.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;

namespace sinter::tx {

struct ParamReader::MappedFile {
  const unsigned char *data = nullptr;
  uint64_t size = 0;

  ~MappedFile() {
    if (data)
      munmap(const_cast<unsigned char *>(data), size);
  }
  // Gives the pages of [begin, end) back. Pages that a neighbouring read still needs are faulted in again.
  void release(uint64_t begin, uint64_t end) const {
    static const uint64_t page = sysconf(_SC_PAGESIZE);
    uint64_t from = begin / page * page;
    madvise(const_cast<unsigned char *>(data) + from, end - from, MADV_DONTNEED);
  }
};

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

ParamReader::ParamReader() = default;
ParamReader::~ParamReader() = default;

Expected<ParamReader::MappedFile *> ParamReader::open(StringRef path) {
  std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<MappedFile> &slot = files[path.str()];
  if (slot)
    return slot.get();
  auto fail = [&](int number) {
    files.erase(path.str());
    return createStringError(std::error_code(number, std::generic_category()), "%s: cannot be read: %s",
                             path.str().c_str(), sys::StrError(number).c_str());
  };
  int file = ::open(path.str().c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return fail(errno);
  struct stat status;
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    int number = S_ISREG(status.st_mode) ? errno : EINVAL;
    close(file);
    return fail(number);
  }
  std::unique_ptr<MappedFile> mapped = std::make_unique<MappedFile>();
  if (status.st_size > 0) {
    void *data = mmap(nullptr, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    int number = errno;
    close(file);
    if (data == MAP_FAILED)
      return fail(number);
    mapped->data = static_cast<const unsigned char *>(data);
    mapped->size = status.st_size;
  } else {
    close(file);
  }
  slot = std::move(mapped);
  return slot.get();
}

Error ParamReader::readRows(ParamOp param, int64_t begin, int64_t count, float *out) {
  mlir::RankedTensorType type = param.getTensorType();
  int64_t rows = type.getRank() == 2 ? type.getDimSize(0) : 1;
  int64_t columns = type.getShape().back();
  auto fail = [&](const Twine &what) {
    return createStringError(std::make_error_code(std::errc::invalid_argument),
                             param.getFile() + ": tensor " + param.getSymName() + ": " + what);
  };
  if (begin < 0 || count < 0 || begin > rows || count > rows - begin)
    return fail("rows [" + Twine(begin) + ", " + Twine(begin + count) + ") are not among its " + Twine(rows));
  if (count == 0 || columns == 0)
    return Error::success();

  Expected<MappedFile *> file = open(param.getFile());
  if (!file)
    return file.takeError();
  // The whole tensor must lie in the file, in arithmetic that cannot wrap.
  uint64_t width = type.getElementTypeBitWidth() / 8, size = (*file)->size;
  int64_t offset = param.getOffset();
  bool fits = offset >= 0 && uint64_t(offset) <= size && uint64_t(columns) <= (size - offset) / width &&
              uint64_t(rows) <= (size - offset) / width / columns;
  if (!fits)
    return fail("needs " + Twine(rows) + " x " + Twine(columns) + " elements of " + Twine(width) + " bytes at " +
                Twine(offset) + ", the file has " + Twine(size) + " bytes");

  uint64_t from = offset + begin * columns * width, bytes = count * columns * width;
  const unsigned char *data = (*file)->data + from;
  if (type.getElementType().isF32())
    convertF32(data, count * columns, out);
  else if (type.getElementType().isF16())
    convertF16(data, count * columns, out);
  else
    convertBF16(data, count * columns, out);
  (*file)->release(from, from + bytes);
  return Error::success();
}

} // namespace sinter::tx
