// WAV files made in memory.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace sinter::test {

using Bytes = std::vector<uint8_t>;

struct WavFormat {
  uint32_t tag, bits, channels = 1, rate = 16000;
};

inline void put(Bytes &out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    out.push_back(uint8_t(value >> (8 * i)));
}
inline void put(Bytes &out, const char *text) { out.insert(out.end(), text, text + 4); }

// The same signal in every channel.
inline Bytes wavFile(const std::vector<float> &signal, const WavFormat &format) {
  const bool extensible = format.tag == 0xfffe, isFloat = format.tag == 3;
  Bytes data;
  for (float sample : signal)
    for (uint32_t channel = 0; channel < format.channels; ++channel) {
      uint64_t bits = 0;
      const double wide = sample;
      if (isFloat && format.bits == 64)
        memcpy(&bits, &wide, 8);
      else if (isFloat)
        memcpy(&bits, &sample, 4);
      else
        bits = uint64_t(int64_t(std::lround(wide * std::ldexp(1.0, int(format.bits) - 1))) + (format.bits == 8 ? 128 : 0));
      put(data, bits, int(format.bits / 8));
    }
  Bytes out;
  put(out, "RIFF");
  put(out, 28 + (extensible ? 24 : 0) + data.size() + 8, 4);
  put(out, "WAVE");
  put(out, "fmt ");
  put(out, extensible ? 40 : 16, 4);
  put(out, format.tag, 2);
  put(out, format.channels, 2);
  put(out, format.rate, 4);
  put(out, format.rate * format.channels * format.bits / 8, 4);
  put(out, format.channels * format.bits / 8, 2);
  put(out, format.bits, 2);
  if (extensible) {
    put(out, 22, 2);
    put(out, format.bits, 2);
    put(out, 0, 4);
    put(out, 1, 2); // PCM, and the rest of the GUID
    put(out, 0x800000aa00389b71, 8);
    put(out, 0, 6);
  }
  put(out, "data");
  put(out, data.size(), 4);
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

} // namespace sinter::test
