/* SPDX-License-Identifier: Apache-2.0
 *
 * The fast kernels for Armv7E-M and Armv8-M with DSP: they prepare the jobs of the assembly.
 */
#include "ecx_fast.h"

#if ECX_USE_DSP

#include <string.h>

#include "ecx_dsp_fast.h"

/* Cells outside the map lie in the first and in the last word of a channel, so the last word of one
 * and the first of the next are neighbours. */
static void pad_row(int8_t *row, uint32_t channels, int32_t stride) {
  const uint64_t outside = 0x8080808080808080u;
  memcpy(row, &outside, 4);
  for (row += stride - 4; channels > 1; --channels) {
    memcpy(row, &outside, 8);
    row += stride;
  }
  memcpy(row, &outside, 4);
}

/* Three pixels to pairs of int16 [ceil8(in_c) / 2][3]; what is missing repeats the last one. This
 * is for odd shapes; the assembly expands whole tiles of multiples of eight channels itself. */
static void expand(const int8_t *x, uint32_t n, uint32_t in_c, int16_t *to) {
  for (uint32_t p = 0; p < 3; ++p) {
    for (uint32_t k = 0; k < in_c; ++k) {
      to[6 * (k / 2) + 2 * p + k % 2] = x[k];
    }
    x += p + 1 < n ? in_c : 0;
  }
}

typedef void tile_kernel(const ecx_dsp_pixels *job);

/* One or two pixels of [3][out_c] to their place. */
static void copy_rest(const int8_t *from, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer) {
  for (uint32_t p = 0; p < n; ++p) {
    for (uint32_t c = 0; c < layer->out_c; ++c) {
      y[(int32_t)p * layer->pixel_stride + (int32_t)c * layer->channel_stride] = *from++;
    }
  }
}

/* The last n < 3 pixels, by way of [3][out_c] behind the expanded ones. */
static void run_rest(ecx_dsp_pixels job, const int8_t *x, int8_t *y, uint32_t n,
                     const ecx_fast_pointwise *layer, uint32_t words, tile_kernel *run) {
  int8_t *rest = (int8_t *)(job.x + 3 * words);
  expand(x, n, layer->in_c, (int16_t *)job.x);
  job.pixels = 0;
  job.tiles = 1;
  job.y = rest;
  job.pixel_stride = layer->out_c;
  job.channel_stride = 1;
  job.next = 2 - 2 * layer->out_c;
  run(&job);
  copy_rest(rest, y, n, layer);
}

static void pointwise(const int8_t *x, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer,
                      void *scratch, tile_kernel *run) {
  const uint32_t words = (layer->in_c + 7u) / 8u * 4u;
  uint32_t *pixels = (uint32_t *)scratch;
  const int32_t by = layer->pixel_stride, across = layer->channel_stride;
  ecx_dsp_pixels job = {y,
                        by,
                        across,
                        2 * across - 2 * by,
                        layer->stream + (words + 5) * (layer->out_c / 2u),
                        pixels,
                        pixels + 3 * words,
                        layer->shift == 7 ? 4u : 0u,
                        layer->stream,
                        x,
                        layer->in_c,
                        3 * by - layer->out_c * across,
                        n / 3u};
  if (by == 1) {
    pad_row(y - 1, layer->out_c, across);
  }
  if (layer->in_c % 8u == 0) {
    if (n >= 3) {
      run(&job);
    }
  } else {
    memset(pixels + 3 * (words - 4), 0, 48);
    job.pixels = 0;
    job.tiles = 1;
    for (uint32_t p = 0; p + 3 <= n; p += 3) {
      expand(x + p * layer->in_c, 3, layer->in_c, (int16_t *)scratch);
      job.y = y + (int32_t)p * by;
      run(&job);
    }
  }
  if (n % 3u != 0) {
    const uint32_t whole = n - n % 3u;
    run_rest(job, x + whole * layer->in_c, y + (int32_t)whole * by, n % 3u, layer, words, run);
  }
}

void ecx_fast_pointwise_s8(const int8_t *x, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer,
                           void *scratch) {
  const uint32_t groups = (layer->in_c + 7u) / 8u;
  pointwise(x, y, n, layer, scratch, groups % 4u == 0 ? ecx_dsp_pixels_by_32 : ecx_dsp_pixels_by_8);
}

void ecx_exact_pointwise_s8(const int8_t *x, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer,
                            void *scratch) {
  pointwise(x, y, n, layer, scratch, ecx_dsp_pixels_exact);
}

void ecx_fast_depthwise_s8(const int8_t *const *rows, int8_t *y, const ecx_fast_depthwise *layer) {
  const uint32_t pairs = layer->out_w / 2u;
  ecx_dsp_row job;
  if (layer->pixel_stride == 1 && layer->channel_stride > 1) {
    pad_row(y - 1, layer->channels, layer->channel_stride);
  }
  job.pixel_stride = layer->pixel_stride;
  job.odd = 4 * (layer->out_w % 2u);
  job.entry = pairs == 0 ? 0 : 4 + 4 * (pairs % 3u);
  job.stream = layer->stream;
  job.stream_end = layer->stream + 2 * layer->channels;
  job.weights = (const int8_t *)job.stream_end;
  job.length = (int32_t)(2 * pairs * layer->stride);
  for (int r = 0; r < 3; ++r) {
    job.steps[r] = (rows[r] ? layer->in_stride : 0) - job.length;
    job.rows[r] = (rows[r] ? rows[r] : layer->padding) + layer->first - job.steps[r];
  }
  job.steps[3] = layer->channel_stride - (int32_t)(2 * pairs) * layer->pixel_stride;
  job.y = y - job.steps[3];
  if (layer->stride == 1) {
    ecx_dsp_row_stride_1(&job);
  } else {
    ecx_dsp_row_stride_2(&job);
  }
}

#endif
