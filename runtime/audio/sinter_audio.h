/* Sinter audio, C API: WAV files to samples, samples to log-mel rows, which is what speech models read.
 *
 * It depends on nothing but libc and libm, and not on the runtime. Nothing here aborts, throws, prints or keeps global
 * state; only sinter_mel_create allocates.
 *
 *   sinter_wav wav;
 *   if (sinter_wav_open(bytes, size, &wav, &error) != SINTER_OK) ...
 *   sinter_wav_read(&wav, 16000, 0, samples, 480000);        // 30 s, mono; zeros past the end
 *   sinter_mel *mel;
 *   sinter_mel_create(80, &mel);
 *   sinter_mel_compute(mel, samples, 480000, rows, 96);      // [3000][96], 80 of each row used
 */
#ifndef SINTER_AUDIO_H
#define SINTER_AUDIO_H

#include "sinter.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- WAV files -------------------------------------------------------------------------------------------------- */

typedef struct sinter_wav {
  const uint8_t *data; /* interleaved, in the file's bytes */
  uint64_t frames;     /* samples of each channel */
  uint32_t rate;       /* frames per second, 1000 to 768000 */
  uint16_t channels;   /* 1 to 64 */
  uint16_t bits;       /* 8 (unsigned), 16, 24, 32; of floats 32, 64 */
  int is_float;
} sinter_wav;

/* Reads the headers of a RIFF/WAVE file in memory: PCM or IEEE float, also as WAVE_FORMAT_EXTENSIBLE. `bytes` must outlive
 * the use of `wav`. A data chunk of 0xFFFFFFFF bytes, as programs write that stream, reaches to the file's end. Anything else
 * that does not add up is SINTER_ERROR_FORMAT. `error` may be NULL. */
SINTER_API sinter_status sinter_wav_open(const void *bytes, size_t size, sinter_wav *wav, sinter_error *error);

/* The length at another rate, in samples. 0 if `rate` is outside of 1000 to 768000. */
SINTER_API uint64_t sinter_wav_length(const sinter_wav *wav, uint32_t rate);

/* Samples [first, first + count) at `rate`, channels averaged, in [-1, 1]; zeros past the end. Rates are converted by a Kaiser-windowed
 * sinc (Smith, "Digital Audio Resampling"), cut off below half of the lower rate. Any part may be read in any order: the
 * samples are the same. */
SINTER_API sinter_status sinter_wav_read(const sinter_wav *wav, uint32_t rate, uint64_t first, float *samples, size_t count);

/* ---- Log-mel rows ----------------------------------------------------------------------------------------------- */

/* Whisper's front end (Radford et al. 2022): 16 kHz; a Hann window of 400 samples every 160, the signal mirrored at both
 * ends; power in `bins` bands of Slaney's mel scale from 0 to 8 kHz; log10, cut 8 below the largest, (x + 4) / 4. */
#define SINTER_MEL_RATE 16000
#define SINTER_MEL_HOP 160
#define SINTER_MEL_WINDOW 400

typedef struct sinter_mel sinter_mel;

/* `bins`: 1 to 256; 80 for Whisper, 128 for its large-v3. */
SINTER_API sinter_status sinter_mel_create(uint32_t bins, sinter_mel **mel);
SINTER_API void sinter_mel_destroy(sinter_mel *mel); /* NULL is allowed */

/* count / 160 rows of `bins` values, `stride` floats apart; what lies between them is set to 0. `count` is above 400. It
 * writes into `mel`: one thread at a time. */
SINTER_API sinter_status sinter_mel_compute(sinter_mel *mel, const float *samples, size_t count, float *rows, size_t stride);

#ifdef __cplusplus
}
#endif
#endif
