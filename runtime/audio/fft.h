// The discrete Fourier transform of real signals.
#pragma once

#include <stddef.h>

namespace sinter::audio {

struct Complex {
  float re, im;
};

// A plan for one even size of at most kMost, in memory of its own; nothing is allocated.
class RealFft {
public:
  static constexpr size_t kMost = 512;

  // False if the size is odd or above kMost.
  bool plan(size_t size);
  // spectrum[k] = sum_t signal[t] exp(-2 pi i k t / size), k = 0 .. size / 2. It uses the plan's scratch memory.
  void transform(const float *signal, Complex *spectrum);

private:
  void transformHalf(const Complex *in, Complex *out, size_t count, size_t step);

  size_t size = 0;
  Complex roots[kMost];       // exp(-2 pi i k / size)
  Complex packed[kMost / 2];  // the signal, two values to a number
  Complex half[kMost / 2 + 1];
};

} // namespace sinter::audio
