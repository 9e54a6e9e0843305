/* SPDX-License-Identifier: Apache-2.0
 *
 * The fast kernels in portable C99. Sums wrap modulo 2^32 on purpose, so they are unsigned.
 */
#include "ecx_fast.h"

#if !ECX_USE_DSP && !ECX_USE_SIMD

#include "ecx_fast_parts.h"

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

static sums two_channels(const int8_t *x, uint32_t taps, const uint32_t *stream) {
  sums sum = {stream[0], stream[1]};
  stream += 2;
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
  const uint32_t words = ecx_weight_words(layer);
  (void)scratch;
  if (layer->pixel_stride == 1) {
    ecx_pad_planes(y - 1, layer->out_c, layer->channel_stride);
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

void ecx_exact_pointwise_s8(const int8_t *x, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer,
                            void *scratch) {
  const uint32_t words = ecx_weight_words(layer);
  (void)scratch;
  if (layer->pixel_stride == 1) {
    ecx_pad_planes(y - 1, layer->out_c, layer->channel_stride);
  }
  for (uint32_t p = 0; p < n; ++p) {
    const uint32_t *stream = layer->stream;
    int8_t *out = y + (int32_t)p * layer->pixel_stride;
    for (uint32_t c = 0; c < layer->out_c; c += 2) {
      const sums sum = two_channels(x, layer->in_c, stream);
      stream += words + 2;
      ecx_quantize_exactly(sum.both - sum.low, sum.low, stream, out, layer->channel_stride);
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
    ecx_pad_planes(y - 1, layer->channels, layer->channel_stride);
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
