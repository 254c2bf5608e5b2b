// Damaged WAV files, under sanitizers: an error or samples, and never a byte outside of the file. The seed is fixed.

#include "runtime/audio/sinter_audio.h"
#include "wav_bytes.h"

#include <gtest/gtest.h>
#include <memory>
#include <random>

using sinter::test::Bytes;
using sinter::test::wavFile;

// A copy of exactly its size, so that the sanitizer sees what lies behind.
static bool opens(const Bytes &bytes) {
  std::unique_ptr<uint8_t[]> file(new uint8_t[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), file.get());
  sinter_wav wav;
  sinter_error error = {};
  if (sinter_wav_open(file.get(), bytes.size(), &wav, &error) != SINTER_OK) {
    EXPECT_NE(error.message[0], 0);
    return false;
  }
  EXPECT_LE(wav.frames * wav.channels * wav.bits / 8, bytes.size());
  float samples[64];
  const uint64_t length = sinter_wav_length(&wav, 16000);
  for (uint64_t first : {uint64_t(0), length / 2, length > 32 ? length - 32 : 0})
    EXPECT_EQ(sinter_wav_read(&wav, 16000, first, samples, 64), SINTER_OK);
  for (float sample : samples)
    EXPECT_TRUE(sample >= -2 && sample <= 2) << sample; // a filter may overshoot
  return true;
}

TEST(WavMutation, DamagedFilesAreErrorsOrSound) {
  std::mt19937 random(20260101);
  const std::vector<float> signal(64, 0.5f);
  const Bytes seeds[] = {wavFile(signal, {1, 16, 2}), wavFile(signal, {0xfffe, 24, 1, 44100}), wavFile(signal, {3, 32, 1, 8000}),
                         wavFile(signal, {3, 64, 1, 48000})};
  int opened = 0, refused = 0;
  for (int round = 0; round < 6000; ++round) {
    Bytes bytes = seeds[random() % 4];
    for (uint32_t edits = 1 + random() % 3; edits-- > 0;)
      // Headers are where files break.
      bytes[random() % 4 ? random() % 60 : random() % bytes.size()] = uint8_t(random());
    if (random() % 4 == 0)
      bytes.resize(random() % (bytes.size() + 1));
    ++(opens(bytes) ? opened : refused);
  }
  EXPECT_GT(opened, 500);
  EXPECT_GT(refused, 500);
}

TEST(WavMutation, EveryTruncationIsRefused) {
  const Bytes whole = wavFile(std::vector<float>(16, 0.5f), {1, 16});
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(opens(Bytes(whole.begin(), whole.begin() + long(size)))) << size;
  EXPECT_TRUE(opens(whole));
}
