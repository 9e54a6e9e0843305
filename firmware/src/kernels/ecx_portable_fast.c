/* SPDX-License-Identifier: Apache-2.0
 *
 * The fast kernels in portable C99. Sums wrap modulo 2^32 on purpose, so they are unsigned.
 */
#include "ecx_fast.h"

#if !ECX_USE_DSP

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "ecx_requantize.h"

/* Cells outside the map lie in the first and in the last word of a channel. */
static void pad_row(int8_t *row, uint32_t channels, int32_t stride) {
  static const int8_t outside[4] = {-128, -128, -128, -128};
  for (; channels != 0; --channels) {
    memcpy(row, outside, 4);
    row += stride;
    memcpy(row - 4, outside, 4);
  }
}

/* The high half of a * b, for 0 <= b. */
static int32_t high_32(int32_t a, int32_t b) {
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
  /* These cores have no long multiply: four short ones are faster than the library's. */
  const int32_t high_a = a >> 16, high_b = b >> 16;
  const uint32_t low_a = (uint16_t)a, low_b = (uint16_t)b;
  const int32_t lower = high_a * (int32_t)low_b + (int32_t)(low_a * low_b >> 16);
  const int32_t upper = (int32_t)low_a * high_b + (lower & 0xffff);
  return high_a * high_b + (lower >> 16) + (upper >> 16);
#else
  return (int32_t)((int64_t)a * b >> 32);
#endif
}

static int8_t quantize(uint32_t sum, uint32_t multiplier, int32_t offset, int shift) {
  const int32_t q = (high_32((int32_t)sum, (int32_t)multiplier) + offset) >> shift;
  return (int8_t)(q < -128 ? -128 : q > 127 ? 127 : q);
}

/* Two channels of one pixel: `both` is 256 * a + b, `low` is b. Two taps share a weight word. */
typedef struct {
  uint32_t both, low;
} sums;

#if defined(__SSE2__)
/* Eight taps at a time: on a little-endian machine the halves of the words lie in their order. */
static uint32_t eight_taps(const int8_t *x, uint32_t taps, const uint32_t *stream, sums *sum) {
  __m128i both = _mm_setzero_si128(), low = both;
  uint32_t k = 0;
  for (; k + 8 <= taps; k += 8) {
    const __m128i words = _mm_loadu_si128((const __m128i *)(const void *)(stream + k / 2));
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)(x + k));
    const __m128i wide = _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
    both = _mm_add_epi32(both, _mm_madd_epi16(wide, words));
    low = _mm_add_epi32(low, _mm_madd_epi16(wide, _mm_srai_epi16(_mm_slli_epi16(words, 8), 8)));
  }
  uint32_t lanes[8];
  _mm_storeu_si128((__m128i *)(void *)lanes, both);
  _mm_storeu_si128((__m128i *)(void *)(lanes + 4), low);
  sum->both += lanes[0] + lanes[1] + lanes[2] + lanes[3];
  sum->low += lanes[4] + lanes[5] + lanes[6] + lanes[7];
  return k;
}
#elif defined(__aarch64__) && !defined(__AARCH64EB__)
/* Eight taps at a time: on a little-endian machine the halves of the words lie in their order. */
static uint32_t eight_taps(const int8_t *x, uint32_t taps, const uint32_t *stream, sums *sum) {
  int32x4_t both = vdupq_n_s32(0), low = both;
  uint32_t k = 0;
  for (; k + 8 <= taps; k += 8) {
    const int16x8_t words = vreinterpretq_s16_u32(vld1q_u32(stream + k / 2));
    const int16x8_t lower = vshrq_n_s16(vshlq_n_s16(words, 8), 8);
    const int16x8_t wide = vmovl_s8(vld1_s8(x + k));
    both = vmlal_high_s16(vmlal_s16(both, vget_low_s16(wide), vget_low_s16(words)), wide, words);
    low = vmlal_high_s16(vmlal_s16(low, vget_low_s16(wide), vget_low_s16(lower)), wide, lower);
  }
  sum->both += (uint32_t)vaddvq_s32(both);
  sum->low += (uint32_t)vaddvq_s32(low);
  return k;
}
#else
static uint32_t eight_taps(const int8_t *x, uint32_t taps, const uint32_t *stream, sums *sum) {
  (void)x, (void)taps, (void)stream, (void)sum;
  return 0;
}
#endif

static sums two_channels(const int8_t *x, uint32_t taps, const uint32_t *stream) {
  sums sum = {stream[0], stream[1]};
  stream += 2;
  const uint32_t done = eight_taps(x, taps, stream, &sum);
  x += done;
  taps -= done;
  stream += done / 2;
  for (; taps >= 2; taps -= 2) {
    const uint32_t word = *stream++;
    const int32_t first = (int16_t)word, second = (int32_t)word >> 16;
    sum.both += (uint32_t)(x[0] * first) + (uint32_t)(x[1] * second);
    sum.low += (uint32_t)(x[0] * (int8_t)first + x[1] * (int8_t)second);
    x += 2;
  }
  if (taps != 0) {
    const int32_t last = (int16_t)*stream;
    sum.both += (uint32_t)(x[0] * last);
    sum.low += (uint32_t)(x[0] * (int8_t)last);
  }
  return sum;
}

void ecx_fast_pointwise_s8(const int8_t *x, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer,
                           void *scratch) {
  const uint32_t words = (layer->in_c + 7u) / 8u * 4u;
  (void)scratch;
  if (layer->pixel_stride == 1) {
    pad_row(y - 1, layer->out_c, layer->channel_stride);
  }
  for (uint32_t p = 0; p < n; ++p) {
    const uint32_t *stream = layer->stream;
    int8_t *out = y + (int32_t)p * layer->pixel_stride;
    for (uint32_t c = 0; c < layer->out_c; c += 2) {
      const sums sum = two_channels(x, layer->in_c, stream);
      stream += words + 2;
      out[0] = quantize(sum.both - sum.low, stream[0], 0, layer->shift + 8);
      out[layer->channel_stride] = quantize(sum.low, stream[1], (int32_t)stream[2], layer->shift);
      stream += 3;
      out += 2 * layer->channel_stride;
    }
    x += layer->in_c;
  }
}

static int8_t quantize_exactly(int32_t sum, uint32_t multiplier, int shift, int8_t zero) {
  return ecx_clamp(ecx_requantize(sum, (int32_t)multiplier, shift) + zero, -128, 127);
}

void ecx_exact_pointwise_s8(const int8_t *x, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer,
                            void *scratch) {
  const uint32_t words = (layer->in_c + 7u) / 8u * 4u;
  (void)scratch;
  if (layer->pixel_stride == 1) {
    pad_row(y - 1, layer->out_c, layer->channel_stride);
  }
  for (uint32_t p = 0; p < n; ++p) {
    const uint32_t *stream = layer->stream;
    int8_t *out = y + (int32_t)p * layer->pixel_stride;
    for (uint32_t c = 0; c < layer->out_c; c += 2) {
      const sums sum = two_channels(x, layer->in_c, stream);
      stream += words + 2;
      const int8_t zero = (int8_t)(stream[2] >> 16);
      const int shift_a = stream[2] & 255u, shift_b = stream[2] >> 8 & 255u;
      out[0] = quantize_exactly((int32_t)(sum.both - sum.low) >> 8, stream[0], shift_a, zero);
      out[layer->channel_stride] = quantize_exactly((int32_t)sum.low, stream[1], shift_b, zero);
      stream += 3;
      out += 2 * layer->channel_stride;
    }
    x += layer->in_c;
  }
}

static int32_t window_sum(const int8_t *a, const int8_t *b, const int8_t *c, const int8_t *w) {
  return a[0] * w[0] + a[1] * w[1] + a[2] * w[2] + b[0] * w[3] + b[1] * w[4] + b[2] * w[5] +
         c[0] * w[6] + c[1] * w[7] + c[2] * w[8];
}

void ecx_fast_depthwise_s8(const int8_t *const *rows, int8_t *y, const ecx_fast_depthwise *layer) {
  const int8_t *w = (const int8_t *)(layer->stream + 2 * layer->channels);
  if (layer->pixel_stride == 1 && layer->channel_stride > 1) {
    pad_row(y - 1, layer->channels, layer->channel_stride);
  }
  for (uint32_t c = 0; c < layer->channels; ++c) {
    const uint32_t bias = layer->stream[2 * c], multiplier = layer->stream[2 * c + 1];
    const int8_t *x[3];
    for (int r = 0; r < 3; ++r) {
      x[r] = (rows[r] ? rows[r] + (int32_t)c * layer->in_stride : layer->padding) + layer->first;
    }
    int8_t *out = y + (int32_t)c * layer->channel_stride;
    for (uint32_t i = 0; i < (uint32_t)layer->out_w * layer->stride; i += layer->stride) {
      const int32_t sum = window_sum(x[0] + i, x[1] + i, x[2] + i, w);
      *out = quantize(256u * (uint32_t)sum + bias, multiplier, 0, ECX_FAST_SCALED_SHIFT);
      out += layer->pixel_stride;
    }
    w += 9;
  }
}

#endif
