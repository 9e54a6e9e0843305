/* SPDX-License-Identifier: Apache-2.0
 *
 * The fast kernels for Armv7E-M and Armv8-M with DSP: they prepare the jobs of the assembly.
 */
#include "ecx_fast.h"

#if ECX_USE_DSP

#include <arm_acle.h>
#include <string.h>

#include "ecx_dsp_fast.h"

/* Cells outside the map lie in the first and in the last word of a channel. */
static void pad_row(int8_t *row, uint32_t channels, int32_t stride) {
  const uint32_t outside = 0x80808080u;
  for (; channels != 0; --channels) {
    memcpy(row, &outside, 4);
    row += stride;
    memcpy(row - 4, &outside, 4);
  }
}

static uint32_t load_4(const int8_t *x) {
  uint32_t word;
  memcpy(&word, x, 4);
  return word;
}

/* Four taps of one pixel to two words, three words apart: 8 instructions. */
static void expand_4(uint32_t word, uint32_t *to) {
  const uint32_t even = (uint32_t)__sxtb16((int8x4_t)word);
  const uint32_t odd = (uint32_t)__sxtb16((int8x4_t)(word >> 8 | word << 24));
  to[0] = (even & 0xffffu) | odd << 16;
  to[3] = (even >> 16) | (odd & 0xffff0000u);
}

/* Three pixels to pairs of int16 [ceil8(taps) / 2][3]. */
static void expand(const int8_t *x0, const int8_t *x1, const int8_t *x2, uint32_t taps,
                   uint32_t *to) {
  for (; taps >= 4; taps -= 4) {
    expand_4(load_4(x0), to);
    expand_4(load_4(x1), to + 1);
    expand_4(load_4(x2), to + 2);
    x0 += 4;
    x1 += 4;
    x2 += 4;
    to += 6;
  }
  if (taps != 0) {
    uint32_t rest[3] = {0, 0, 0};
    memcpy(&rest[0], x0, taps);
    memcpy(&rest[1], x1, taps);
    memcpy(&rest[2], x2, taps);
    expand_4(rest[0], to);
    expand_4(rest[1], to + 1);
    expand_4(rest[2], to + 2);
  }
}

/* One or two pixels of [3][out_c] to their place. */
static void copy_rest(const int8_t *from, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer) {
  for (uint32_t p = 0; p < n; ++p) {
    for (uint32_t c = 0; c < layer->out_c; ++c) {
      y[(int32_t)p * layer->pixel_stride + (int32_t)c * layer->channel_stride] = *from++;
    }
  }
}

void ecx_fast_pointwise_s8(const int8_t *x, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer,
                           void *scratch) {
  const uint32_t words = (layer->in_c + 7u) / 8u * 4u;
  uint32_t *pixels = (uint32_t *)scratch;
  int8_t *rest = (int8_t *)(pixels + 3 * words);
  const int32_t by = layer->pixel_stride, across = layer->channel_stride;
  ecx_dsp_pixels job = {y,
                        by,
                        across,
                        2 * across - 2 * by,
                        layer->stream + (words + 5) * (layer->out_c / 2u),
                        pixels,
                        layer->offset_a,
                        pixels + 3 * words,
                        layer->shift == 8 ? 4 : 0,
                        layer->stream};
  if (by == 1) {
    pad_row(y - 1, layer->out_c, across);
  }
  if (layer->in_c % 8u != 0) {
    memset(pixels + 3 * (words - 4), 0, 48);
  }
  for (; n != 0; n -= 3) {
    const int8_t *x1 = n > 1 ? x + layer->in_c : x;
    const int8_t *x2 = n > 2 ? x1 + layer->in_c : x1;
    expand(x, x1, x2, layer->in_c, pixels);
    if (n < 3) {
      job.y = rest;
      job.pixel_stride = layer->out_c;
      job.channel_stride = 1;
      job.next = 2 - 2 * layer->out_c;
    }
    if (words % 16u == 0) {
      ecx_dsp_pixels_by_32(&job);
    } else {
      ecx_dsp_pixels_by_8(&job);
    }
    if (n < 3) {
      copy_rest(rest, y, n, layer);
      return;
    }
    x = x2 + layer->in_c;
    y += 3 * by;
    job.y = y;
  }
}

void ecx_fast_depthwise_s8(const int8_t *const *rows, int8_t *y, const ecx_fast_depthwise *layer) {
  const uint32_t pairs = layer->out_w / 2u;
  ecx_dsp_row job;
  if (layer->pixel_stride == 1 && layer->channel_stride > 1) {
    pad_row(y - 1, layer->channels, layer->channel_stride);
  }
  job.offset = ECX_FAST_SCALED_OFFSET;
  job.pixel_stride = layer->pixel_stride;
  job.entry = pairs == 0 ? 0 : 4 + 4 * (pairs % 3u);
  job.odd = 4 * (layer->out_w % 2u);
  job.stream = layer->stream;
  job.stream_end = layer->stream + 5 * layer->channels;
  for (int r = 0; r < 3; ++r) {
    job.steps[r] = rows[r] ? layer->in_stride : 0;
    job.rows[r] = (rows[r] ? rows[r] : layer->padding) + layer->first;
  }
  job.length = (int32_t)(2 * pairs * layer->stride);
  job.y = y;
  job.channel_stride = layer->channel_stride;
  if (layer->stride == 1) {
    ecx_dsp_row_stride_1(&job);
  } else {
    ecx_dsp_row_stride_2(&job);
  }
}

#endif
