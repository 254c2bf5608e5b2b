// Frames of a WAV file to mono samples at any rate. A sample is computed from the frames around its own instant and nothing
// else, so that any stretch can be read without what lies before it.
//
// The filter is a sinc of kZeros crossings on each side under a Kaiser window, tabulated kSteps times per crossing and
// interpolated between: the error of that, pi^2 / (8 kSteps^2) = 2e-5 at most, is below one step of 16 bits. When the rate
// goes down the sinc is as much wider, which makes it the low-pass filter as well.

#include "sinter_audio.h"

#include <math.h>
#include <string.h>

namespace {
constexpr int kZeros = 16, kSteps = 256;
constexpr double kBeta = 9.0; // 90 dB
// Of half of the lower rate: leaves the window's slope below it.
constexpr double kCutoff = 0.94;

// h(t) for t >= 0 in crossings, at multiples of 1 / kSteps.
struct Kernel {
  float values[kZeros * kSteps + 2];
};
} // namespace

// The modified Bessel function of order 0, by its series.
static double bessel(double x) {
  double sum = 1, term = 1;
  for (int k = 1; k < 60 && term > 1e-12 * sum; ++k) {
    term *= (x / (2 * k)) * (x / (2 * k));
    sum += term;
  }
  return sum;
}

static void fillKernel(Kernel &kernel) {
  const double whole = bessel(kBeta);
  for (int i = 0; i < kZeros * kSteps + 2; ++i) {
    const double t = double(i) / kSteps, x = M_PI * t * kCutoff, edge = t / kZeros;
    const double sinc = i ? sin(x) / x : 1;
    kernel.values[i] = edge < 1 ? float(kCutoff * sinc * bessel(kBeta * sqrt(1 - edge * edge)) / whole) : 0;
  }
}

static float decode(const sinter_wav &wav, const uint8_t *at) {
  if (wav.is_float) {
    double value;
    if (wav.bits == 64) {
      memcpy(&value, at, 8);
    } else {
      float single;
      memcpy(&single, at, 4);
      value = single;
    }
    // A file may say anything: NaN is silence, and what is louder than full scale is full scale.
    return value >= -1 ? value <= 1 ? float(value) : 1.0f : value < -1 ? -1.0f : 0.0f;
  }
  switch (wav.bits) {
  case 8:
    return float(int(at[0]) - 128) / 128;
  case 16:
    return float(int16_t(at[0] | at[1] << 8)) / 32768;
  case 24:
    return float(int32_t(uint32_t(at[0]) << 8 | uint32_t(at[1]) << 16 | uint32_t(at[2]) << 24)) / 2147483648.0f;
  default:
    return float(int32_t(at[0] | uint32_t(at[1]) << 8 | uint32_t(at[2]) << 16 | uint32_t(at[3]) << 24)) / 2147483648.0f;
  }
}

// The average of the channels; 0 outside of the file.
static float frame(const sinter_wav &wav, int64_t index) {
  if (index < 0 || uint64_t(index) >= wav.frames)
    return 0;
  const size_t bytes = wav.bits / 8;
  const uint8_t *at = wav.data + uint64_t(index) * wav.channels * bytes;
  float sum = 0;
  for (uint16_t channel = 0; channel < wav.channels; ++channel)
    sum += decode(wav, at + channel * bytes);
  return sum / float(wav.channels);
}

static bool possible(const sinter_wav *wav, uint32_t rate) {
  return wav && rate >= 1000 && rate <= 768000 && wav->rate >= 1000;
}

uint64_t sinter_wav_length(const sinter_wav *wav, uint32_t rate) {
  if (!possible(wav, rate))
    return 0;
  // frames is at most 2^32 / 1, rate below 2^20: no overflow.
  return (wav->frames * rate + wav->rate - 1) / wav->rate;
}

sinter_status sinter_wav_read(const sinter_wav *wav, uint32_t rate, uint64_t first, float *samples, size_t count) {
  if (!possible(wav, rate) || (!samples && count))
    return SINTER_ERROR_ARGUMENT;
  const uint64_t length = sinter_wav_length(wav, rate);
  Kernel kernel;
  if (rate != wav->rate)
    fillKernel(kernel);
  // Crossings per frame, at most 1.
  const double density = rate < wav->rate ? double(rate) / wav->rate : 1;
  for (size_t i = 0; i < count; ++i) {
    if (i >= length || first >= length - i) {
      memset(samples + i, 0, (count - i) * sizeof(float));
      break;
    }
    const uint64_t index = first + i;
    if (rate == wav->rate) {
      samples[i] = frame(*wav, int64_t(index));
      continue;
    }
    // The instant in frames: a whole part, exact, and a rest.
    const uint64_t product = index * wav->rate;
    const int64_t middle = int64_t(product / rate);
    const double rest = double(product % rate) / rate;
    const int64_t reach = int64_t(kZeros / density) + 1;
    float sum = 0;
    for (int64_t j = middle - reach + 1; j <= middle + reach; ++j) {
      const double t = fabs(double(j - middle) - rest) * density * kSteps;
      if (t >= kZeros * kSteps)
        continue;
      const int place = int(t);
      const float part = float(t - place);
      sum += frame(*wav, j) * (kernel.values[place] + part * (kernel.values[place + 1] - kernel.values[place]));
    }
    samples[i] = float(density) * sum;
  }
  return SINTER_OK;
}
