// A real transform of 2n values is a complex one of n, which holds even and odd values in its two parts, and a pass that
// separates them. The complex one divides by the smallest prime factor each time (Cooley and Tukey 1965): 400 = 2 * 200,
// and 200 = 2 * 2 * 2 * 5 * 5.

#include "fft.h"

#include <math.h>

namespace sinter::audio {

static Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
static Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
static Complex operator*(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }

static size_t smallestFactor(size_t n) {
  for (size_t factor = 2; factor * factor <= n; ++factor)
    if (n % factor == 0)
      return factor;
  return n;
}

bool RealFft::plan(size_t wanted) {
  if (wanted < 2 || wanted % 2 || wanted > kMost)
    return false;
  size = wanted;
  for (size_t k = 0; k < size; ++k) {
    const double angle = -2 * M_PI * double(k) / double(size);
    roots[k] = {float(cos(angle)), float(sin(angle))};
  }
  return true;
}

// out[k] = sum_t in[t * step] exp(-2 pi i k t / count); count * step = size / 2.
void RealFft::transformHalf(const Complex *in, Complex *out, size_t count, size_t step) {
  if (count == 1) {
    out[0] = in[0];
    return;
  }
  const size_t radix = smallestFactor(count), part = count / radix;
  for (size_t r = 0; r < radix; ++r)
    transformHalf(in + r * step, out + r * part, part, step * radix);
  const size_t turn = 2 * step; // roots are those of `size`, of which count * 2 * step are a whole turn
  if (radix == 2) {
    for (size_t k = 0; k < part; ++k) {
      const Complex even = out[k], odd = out[k + part] * roots[k * turn];
      out[k] = even + odd;
      out[k + part] = even - odd;
    }
    return;
  }
  Complex terms[kMost / 2];
  for (size_t k = 0; k < part; ++k) {
    for (size_t r = 0; r < radix; ++r)
      terms[r] = out[k + r * part] * roots[r * k * turn % size];
    for (size_t q = 0; q < radix; ++q) {
      Complex sum = terms[0];
      for (size_t r = 1; r < radix; ++r)
        sum = sum + terms[r] * roots[r * q * part * turn % size];
      out[k + q * part] = sum;
    }
  }
}

void RealFft::transform(const float *signal, Complex *spectrum) {
  const size_t n = size / 2;
  for (size_t t = 0; t < n; ++t)
    packed[t] = {signal[2 * t], signal[2 * t + 1]};
  transformHalf(packed, half, n, 1);
  half[n] = half[0];
  for (size_t k = 0; k <= n; ++k) {
    const Complex a = half[k], b = {half[n - k].re, -half[n - k].im};
    const Complex even = {(a.re + b.re) / 2, (a.im + b.im) / 2};
    const Complex odd = {(a.im - b.im) / 2, (b.re - a.re) / 2}; // (a - b) / 2i
    spectrum[k] = even + odd * (k == n ? Complex{-1, 0} : roots[k]);
  }
}

} // namespace sinter::audio
