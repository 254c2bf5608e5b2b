// RIFF/WAVE headers. Nothing in the file is trusted: a chunk's size is compared with what is left of the file before the
// chunk is looked at, and every number of the format chunk with what the reader of samples can do.

#include "sinter_audio.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static sinter_status fail(sinter_error *error, const char *format, ...) {
  if (error) {
    error->status = SINTER_ERROR_FORMAT;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
  }
  return SINTER_ERROR_FORMAT;
}

static uint32_t read16(const uint8_t *bytes) { return bytes[0] | uint32_t(bytes[1]) << 8; }
static uint32_t read32(const uint8_t *bytes) { return read16(bytes) | read16(bytes + 2) << 16; }

namespace {
enum : uint32_t { kPcm = 1, kFloat = 3, kExtensible = 0xfffe };
constexpr uint32_t kStreamed = 0xffffffff;

struct FormatChunk {
  uint32_t tag = 0, channels = 0, rate = 0, block = 0, bits = 0;
};
} // namespace

static bool readFormat(const uint8_t *chunk, uint64_t size, FormatChunk &format) {
  if (size < 16)
    return false;
  format = {read16(chunk), read16(chunk + 2), read32(chunk + 4), read16(chunk + 12), read16(chunk + 14)};
  if (format.tag != kExtensible)
    return true;
  if (size < 40)
    return false;
  format.tag = read16(chunk + 24); // the first bytes of the subformat's GUID
  return true;
}

static sinter_status checkFormat(const FormatChunk &format, sinter_error *error) {
  if (format.tag != kPcm && format.tag != kFloat)
    return fail(error, "the encoding is number %u, expected PCM (1) or float (3)", format.tag);
  const bool isFloat = format.tag == kFloat;
  const uint32_t bits = format.bits;
  if (isFloat ? bits != 32 && bits != 64 : bits != 8 && bits != 16 && bits != 24 && bits != 32)
    return fail(error, "samples have %u bits, expected %s", bits, isFloat ? "32 or 64" : "8, 16, 24 or 32");
  if (format.channels < 1 || format.channels > 64)
    return fail(error, "there are %u channels, expected 1 to 64", format.channels);
  if (format.rate < 1000 || format.rate > 768000)
    return fail(error, "the rate is %u Hz, expected 1000 to 768000", format.rate);
  if (format.block != format.channels * bits / 8)
    return fail(error, "a frame has %u bytes, expected %u", format.block, format.channels * bits / 8);
  return SINTER_OK;
}

sinter_status sinter_wav_open(const void *data, size_t size, sinter_wav *wav, sinter_error *error) {
  const uint8_t *bytes = static_cast<const uint8_t *>(data);
  if (!wav || !bytes)
    return SINTER_ERROR_ARGUMENT;
  if (size < 12 || memcmp(bytes, "RIFF", 4) || memcmp(bytes + 8, "WAVE", 4))
    return fail(error, "this is not a WAV file: it does not begin with RIFF and WAVE");
  FormatChunk format;
  bool hasFormat = false;
  for (uint64_t at = 12;;) {
    if (size - at < 8)
      return fail(error, "there is no %s chunk before the file ends at byte %zu", hasFormat ? "data" : "fmt", size);
    const uint8_t *chunk = bytes + at;
    const uint64_t left = size - at - 8;
    uint64_t length = read32(chunk + 4);
    const bool isData = !memcmp(chunk, "data", 4);
    if (isData && length == kStreamed)
      length = left;
    if (length > left)
      return fail(error, "the chunk at byte %llu says %llu bytes, the file has %llu more", (unsigned long long)at,
                  (unsigned long long)length, (unsigned long long)left);
    if (!memcmp(chunk, "fmt ", 4)) {
      if (!readFormat(chunk + 8, length, format))
        return fail(error, "the fmt chunk has %llu bytes, which is too few", (unsigned long long)length);
      sinter_status status = checkFormat(format, error);
      if (status != SINTER_OK)
        return status;
      hasFormat = true;
    }
    if (isData) {
      if (!hasFormat)
        return fail(error, "the data chunk at byte %llu comes before a fmt chunk", (unsigned long long)at);
      *wav = {chunk + 8,           length / format.block,          format.rate, uint16_t(format.channels),
              uint16_t(format.bits), format.tag == kFloat};
      return SINTER_OK;
    }
    // Chunks begin at even bytes.
    const uint64_t next = at + 8 + length + (length & 1);
    at = next < size ? next : size;
  }
}
