// GPT-2's byte-level alphabet: every byte as a printable character, so that a vocabulary of byte strings can be written
// as text. Printable Latin-1 stands for itself; the other 68 bytes, in order, are U+0100 .. U+0143.
#pragma once

#include <stdint.h>

namespace sinter::tokenizer {

struct ByteAlphabet {
  static constexpr uint32_t kCodes = 256 + 68;
  uint16_t codes[256];   // of each byte
  int16_t bytes[kCodes]; // of each code; -1: not in the alphabet
};

constexpr ByteAlphabet makeByteAlphabet() {
  ByteAlphabet alphabet = {};
  for (uint32_t code = 0; code < ByteAlphabet::kCodes; ++code)
    alphabet.bytes[code] = -1;
  uint16_t next = 256;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
    uint16_t code = printable ? static_cast<uint16_t>(byte) : next++;
    alphabet.codes[byte] = code;
    alphabet.bytes[code] = static_cast<int16_t>(byte);
  }
  return alphabet;
}

inline constexpr ByteAlphabet kByteAlphabet = makeByteAlphabet();
static_assert(kByteAlphabet.codes[' '] == 0x120 && kByteAlphabet.codes['\n'] == 0x10A);

} // namespace sinter::tokenizer
