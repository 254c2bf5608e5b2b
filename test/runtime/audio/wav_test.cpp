// WAV files of every encoding say the same; rates are converted as the ear would have it; what is damaged is an error.

#include "runtime/audio/sinter_audio.h"
#include "wav_bytes.h"

#include <cmath>
#include <gtest/gtest.h>

using sinter::test::Bytes;
using sinter::test::wavFile;
using sinter::test::WavFormat;

static std::vector<float> read(const Bytes &file, uint32_t rate, uint64_t first = 0, size_t count = 0) {
  sinter_wav wav;
  sinter_error error = {};
  EXPECT_EQ(sinter_wav_open(file.data(), file.size(), &wav, &error), SINTER_OK) << error.message;
  std::vector<float> samples(count ? count : sinter_wav_length(&wav, rate));
  EXPECT_EQ(sinter_wav_read(&wav, rate, first, samples.data(), samples.size()), SINTER_OK);
  return samples;
}

static std::vector<float> tone(double hertz, uint32_t rate, size_t count) {
  std::vector<float> samples(count);
  for (size_t i = 0; i < count; ++i)
    samples[i] = float(0.5 * std::sin(2 * M_PI * hertz * double(i) / rate));
  return samples;
}

TEST(Wav, EveryEncodingHoldsTheSameSignal) {
  const std::vector<float> signal = tone(440, 16000, 500);
  struct {
    WavFormat format;
    float step; // of the encoding
  } cases[] = {{{1, 8}, 1 / 128.0f},    {{1, 16}, 1 / 32768.0f}, {{1, 24}, 1e-6f},          {{1, 32}, 1e-6f},
               {{3, 32}, 0},            {{3, 64}, 0},            {{1, 16, 2}, 1 / 32768.0f}, {{3, 32, 3}, 1e-7f},
               {{0xfffe, 24}, 1e-6f}};
  for (const auto &each : cases) {
    const std::vector<float> samples = read(wavFile(signal, each.format), 16000);
    ASSERT_EQ(samples.size(), signal.size());
    for (size_t i = 0; i < signal.size(); ++i)
      ASSERT_NEAR(samples[i], signal[i], each.step) << each.format.tag << " " << each.format.bits << " at " << i;
  }
}

TEST(Wav, ChannelsAreAveraged) {
  Bytes file = wavFile({0.5f, -0.25f}, {3, 32, 2});
  // The second channel of the first frame, alone.
  const float other = 0;
  memcpy(file.data() + file.size() - 12, &other, 4);
  EXPECT_EQ(read(file, 16000), (std::vector<float>{0.25f, -0.25f}));
}

TEST(Wav, ZerosComeAfterTheEnd) {
  EXPECT_EQ(read(wavFile({0.5f, 0.5f}, {3, 32}), 16000, 1, 4), (std::vector<float>{0.5f, 0, 0, 0}));
  EXPECT_EQ(read(wavFile({0.5f, 0.5f}, {3, 32}), 16000, UINT64_MAX, 2), (std::vector<float>{0, 0}));
}

// A tone that both rates can hold comes through within 1e-3, past the first and last filter lengths.
TEST(Wav, TonesSurviveAnotherRate) {
  for (uint32_t rate : {8000u, 11025u, 22050u, 44100u, 48000u, 96000u}) {
    WavFormat format = {3, 32};
    format.rate = rate;
    const std::vector<float> samples = read(wavFile(tone(1000, rate, rate / 2), format), 16000);
    ASSERT_EQ(samples.size(), (uint64_t(rate / 2) * 16000 + rate - 1) / rate);
    const std::vector<float> wanted = tone(1000, 16000, samples.size());
    for (size_t i = 64; i + 64 < samples.size(); ++i)
      ASSERT_NEAR(samples[i], wanted[i], 1e-3) << rate << " Hz at " << i;
  }
}

// 10 kHz does not exist at 16 kHz: nothing of it may fold down.
TEST(Wav, WhatTheLowerRateCannotHoldIsSilent) {
  WavFormat format = {3, 32};
  format.rate = 48000;
  const std::vector<float> samples = read(wavFile(tone(10000, 48000, 24000), format), 16000);
  for (size_t i = 64; i + 64 < samples.size(); ++i)
    ASSERT_NEAR(samples[i], 0, 1e-3) << i;
}

TEST(Wav, AnyPartMayBeReadByItself) {
  WavFormat format = {1, 16};
  format.rate = 44100;
  const Bytes file = wavFile(tone(300, 44100, 10000), format);
  const std::vector<float> whole = read(file, 16000), part = read(file, 16000, 1000, 500);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 1000));
}

TEST(Wav, StreamsReachToTheEnd) {
  Bytes file = wavFile({0.5f, 0.25f}, {3, 32});
  memset(file.data() + 40, 0xff, 4); // the size of the data chunk
  EXPECT_EQ(read(file, 16000).size(), 2u);
}

TEST(Wav, WhatIsWrongIsNamed) {
  const Bytes good = wavFile({0.5f, 0.25f}, {1, 16});
  struct {
    size_t at;
    uint8_t value;
    const char *message;
  } cases[] = {{0, 'X', "this is not a WAV file: it does not begin with RIFF and WAVE"},
               {20, 7, "the encoding is number 7, expected PCM (1) or float (3)"},
               {22, 0, "there are 0 channels, expected 1 to 64"},
               {34, 12, "samples have 12 bits, expected 8, 16, 24 or 32"},
               {26, 255, "the rate is 16727680 Hz, expected 1000 to 768000"},
               {32, 3, "a frame has 3 bytes, expected 2"},
               {16, 12, "the fmt chunk has 12 bytes, which is too few"},
               {40, 5, "the chunk at byte 36 says 5 bytes, the file has 4 more"},
               {36, 'D', "there is no data chunk before the file ends at byte 48"},
               {12, 'F', "the data chunk at byte 36 comes before a fmt chunk"}};
  for (const auto &each : cases) {
    Bytes file = good;
    file[each.at] = each.value;
    sinter_wav wav;
    sinter_error error = {};
    EXPECT_EQ(sinter_wav_open(file.data(), file.size(), &wav, &error), SINTER_ERROR_FORMAT) << each.message;
    EXPECT_STREQ(error.message, each.message);
  }
}
