// The transform against its definition, and log-mel rows against Whisper's own on a recording.

#include "runtime/audio/fft.h"
#include "runtime/audio/sinter_audio.h"

#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <random>
#include <vector>

using sinter::audio::Complex;
using sinter::audio::RealFft;

TEST(RealFft, IsTheSumThatItStandsFor) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (size_t size : {2, 4, 6, 14, 50, 64, 210, 400, 512}) {
    RealFft fft;
    ASSERT_TRUE(fft.plan(size));
    std::vector<float> signal(size);
    for (float &value : signal)
      value = uniform(random);
    std::vector<Complex> spectrum(size / 2 + 1);
    fft.transform(signal.data(), spectrum.data());
    for (size_t k = 0; k <= size / 2; ++k) {
      double re = 0, im = 0;
      for (size_t t = 0; t < size; ++t) {
        re += signal[t] * std::cos(2 * M_PI * double(k * t) / double(size));
        im -= signal[t] * std::sin(2 * M_PI * double(k * t) / double(size));
      }
      EXPECT_NEAR(spectrum[k].re, re, 2e-5) << size << " " << k;
      EXPECT_NEAR(spectrum[k].im, im, 2e-5) << size << " " << k;
    }
  }
}

TEST(RealFft, TakesEvenSizesThatFit) {
  RealFft fft;
  EXPECT_FALSE(fft.plan(0));
  EXPECT_FALSE(fft.plan(401));
  EXPECT_FALSE(fft.plan(RealFft::kMost + 2));
}

static std::vector<float> melRows(uint32_t bins, const std::vector<float> &samples, size_t stride) {
  sinter_mel *mel = nullptr;
  EXPECT_EQ(sinter_mel_create(bins, &mel), SINTER_OK);
  std::vector<float> rows(samples.size() / SINTER_MEL_HOP * stride, -99);
  EXPECT_EQ(sinter_mel_compute(mel, samples.data(), samples.size(), rows.data(), stride), SINTER_OK);
  sinter_mel_destroy(mel);
  return rows;
}

// A tone lights the band that it lies in.
TEST(Mel, TonesAreWhereTheyBelong) {
  for (uint32_t bins : {80u, 128u}) {
    size_t last = 0;
    for (double hertz : {200.0, 1000.0, 3000.0, 7000.0}) {
      std::vector<float> samples(8000);
      for (size_t i = 0; i < samples.size(); ++i)
        samples[i] = float(std::sin(2 * M_PI * hertz * double(i) / SINTER_MEL_RATE));
      const std::vector<float> rows = melRows(bins, samples, bins);
      const auto row = rows.begin() + 20 * bins;
      const size_t loudest = size_t(std::max_element(row, row + bins) - row);
      // Slaney's scale: 200/3 Hz to a mel below 1 kHz, where a third of the 45.2 mels up to 8 kHz lies.
      if (hertz <= 1000)
        EXPECT_NEAR(double(loudest), hertz * 3 / 200 / 45.245 * (bins + 1) - 1, 1);
      EXPECT_GT(loudest + (hertz == 200), last);
      last = loudest;
    }
  }
}

TEST(Mel, SilenceAndPaddingAreFlat) {
  const std::vector<float> rows = melRows(80, std::vector<float>(1600), 96);
  for (size_t i = 0; i < rows.size(); ++i)
    EXPECT_EQ(rows[i], i % 96 < 80 ? -1.5f : 0.0f) << i; // log10(1e-10) = -10
}

TEST(Mel, ArgumentsAreChecked) {
  sinter_mel *mel = nullptr;
  EXPECT_EQ(sinter_mel_create(0, &mel), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_mel_create(257, &mel), SINTER_ERROR_ARGUMENT);
  ASSERT_EQ(sinter_mel_create(80, &mel), SINTER_OK);
  std::vector<float> samples(400), rows(800);
  EXPECT_EQ(sinter_mel_compute(mel, samples.data(), 400, rows.data(), 80), SINTER_ERROR_ARGUMENT);
  EXPECT_EQ(sinter_mel_compute(mel, samples.data(), 400, rows.data(), 79), SINTER_ERROR_ARGUMENT);
  sinter_mel_destroy(mel);
}

static std::vector<char> readAll(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Against the features that Whisper's own Python makes of this recording, in double precision. A band's energy is a sum of
// squares in f32, good to 1e-6 of it; near the floor, 8 decades below the largest, that of a neighbour leaks in through
// the transform's rounding: 1e-4 of the range of about 2.
TEST(Mel, MatchesWhispersFrontEnd) {
  const std::string folder = SINTER_SHARED "/goldens/";
  const std::vector<char> file = readAll(folder + "jfk.wav"), golden = readAll(folder + "whisper_jfk_logmel_80x3000_f32.bin");
  if (file.empty() || golden.empty())
    GTEST_SKIP() << folder << " has no recording and features to compare with";
  ASSERT_EQ(golden.size(), 80u * 3000 * 4);
  sinter_wav wav;
  sinter_error error = {};
  ASSERT_EQ(sinter_wav_open(file.data(), file.size(), &wav, &error), SINTER_OK) << error.message;
  std::vector<float> samples(30 * SINTER_MEL_RATE);
  ASSERT_EQ(sinter_wav_read(&wav, SINTER_MEL_RATE, 0, samples.data(), samples.size()), SINTER_OK);
  const std::vector<float> rows = melRows(80, samples, 96);
  const float *wanted = reinterpret_cast<const float *>(golden.data()); // [80][3000]
  double worst = 0;
  for (size_t t = 0; t < 3000; ++t)
    for (size_t b = 0; b < 80; ++b)
      worst = std::max(worst, std::abs(double(rows[t * 96 + b]) - wanted[b * 3000 + t]));
  RecordProperty("worst", std::to_string(worst));
  EXPECT_LT(worst, 1e-4);
}
