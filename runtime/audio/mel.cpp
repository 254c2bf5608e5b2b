// Samples to log-mel rows, as Whisper's models were trained on them. The bands overlap by half, so each is a short run of
// the spectrum with its weights; all that is needed for one row at a time lies in sinter_mel.

#include "fft.h"
#include "sinter_audio.h"

#include <math.h>
#include <new>
#include <stdlib.h>
#include <string.h>

namespace {
constexpr uint32_t kMostBins = 256;
constexpr size_t kSpectrum = SINTER_MEL_WINDOW / 2 + 1;

struct Band {
  uint32_t first, count; // of the spectrum
};
} // namespace

struct sinter_mel {
  uint32_t bins;
  sinter::audio::RealFft fft;
  float window[SINTER_MEL_WINDOW];
  Band bands[kMostBins];
  float weights[kMostBins][kSpectrum]; // [bins][Band::count]
};

// Slaney's scale (Auditory Toolbox, 1998): linear up to 1 kHz, then logarithmic, 27 steps to 6.4 kHz.
static double hertz(double mel) {
  const double breakMel = 15, step = log(6.4) / 27;
  return mel < breakMel ? mel * 200 / 3 : 1000 * exp(step * (mel - breakMel));
}
static double melOf(double hertz) {
  return hertz < 1000 ? hertz * 3 / 200 : 15 + log(hertz / 1000) / (log(6.4) / 27);
}

// Triangles between neighbouring edges, each of area 1.
static void fillBands(sinter_mel &mel) {
  const double top = melOf(SINTER_MEL_RATE / 2.0), hertzPerBin = double(SINTER_MEL_RATE) / SINTER_MEL_WINDOW;
  for (uint32_t band = 0; band < mel.bins; ++band) {
    const double left = hertz(top * band / (mel.bins + 1)), peak = hertz(top * (band + 1) / (mel.bins + 1)),
                 right = hertz(top * (band + 2) / (mel.bins + 1));
    mel.bands[band] = {0, 0};
    for (uint32_t k = 0; k < kSpectrum; ++k) {
      const double at = k * hertzPerBin, height = fmin((at - left) / (peak - left), (right - at) / (right - peak));
      if (height <= 0)
        continue;
      Band &run = mel.bands[band];
      if (!run.count)
        run.first = k;
      mel.weights[band][run.count++] = float(height * 2 / (right - left));
    }
  }
}

sinter_status sinter_mel_create(uint32_t bins, sinter_mel **mel) {
  if (!mel || bins < 1 || bins > kMostBins)
    return SINTER_ERROR_ARGUMENT;
  void *memory = malloc(sizeof(sinter_mel));
  if (!memory)
    return SINTER_ERROR_MEMORY;
  sinter_mel *made = new (memory) sinter_mel;
  made->bins = bins;
  made->fft.plan(SINTER_MEL_WINDOW);
  for (int i = 0; i < SINTER_MEL_WINDOW; ++i)
    made->window[i] = float(0.5 - 0.5 * cos(2 * M_PI * i / SINTER_MEL_WINDOW));
  fillBands(*made);
  *mel = made;
  return SINTER_OK;
}

void sinter_mel_destroy(sinter_mel *mel) { free(mel); }

// Mirrored at both ends, the ends themselves not repeated.
static float mirrored(const float *samples, int64_t count, int64_t at) {
  if (at < 0)
    at = -at;
  return samples[at < count ? at : 2 * (count - 1) - at];
}

static void powerRow(sinter_mel &mel, const float *samples, int64_t count, int64_t center, float *row) {
  float windowed[SINTER_MEL_WINDOW];
  for (int i = 0; i < SINTER_MEL_WINDOW; ++i)
    windowed[i] = mel.window[i] * mirrored(samples, count, center - SINTER_MEL_WINDOW / 2 + i);
  sinter::audio::Complex spectrum[kSpectrum];
  mel.fft.transform(windowed, spectrum);
  float power[kSpectrum];
  for (size_t k = 0; k < kSpectrum; ++k)
    power[k] = spectrum[k].re * spectrum[k].re + spectrum[k].im * spectrum[k].im;
  for (uint32_t band = 0; band < mel.bins; ++band) {
    const Band run = mel.bands[band];
    float sum = 0;
    for (uint32_t k = 0; k < run.count; ++k)
      sum += mel.weights[band][k] * power[run.first + k];
    row[band] = sum;
  }
}

sinter_status sinter_mel_compute(sinter_mel *mel, const float *samples, size_t count, float *rows, size_t stride) {
  if (!mel || !samples || !rows || count <= SINTER_MEL_WINDOW || stride < mel->bins || count > size_t(1) << 40)
    return SINTER_ERROR_ARGUMENT;
  const size_t frames = count / SINTER_MEL_HOP;
  float most = -INFINITY;
  for (size_t frame = 0; frame < frames; ++frame) {
    float *row = rows + frame * stride;
    powerRow(*mel, samples, int64_t(count), int64_t(frame) * SINTER_MEL_HOP, row);
    for (uint32_t band = 0; band < mel->bins; ++band) {
      row[band] = log10f(row[band] > 1e-10f ? row[band] : 1e-10f);
      most = row[band] > most ? row[band] : most;
    }
    memset(row + mel->bins, 0, (stride - mel->bins) * sizeof(float));
  }
  for (size_t frame = 0; frame < frames; ++frame)
    for (uint32_t band = 0; band < mel->bins; ++band) {
      float &value = rows[frame * stride + band];
      value = ((value > most - 8 ? value : most - 8) + 4) / 4;
    }
  return SINTER_OK;
}
