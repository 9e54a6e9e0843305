/* SPDX-License-Identifier: Apache-2.0
 *
 * Depthwise convolution of any window with SMLAD, one channel at a time through padded lines of
 * int16 in scratch. A window row of an odd kernel_w takes kernel_w / 2 SMLAD and one SMLABB; lines
 * are loaded as words at any even address. About 3 instructions per MAC for 3x3.
 */
#include "ecx_kernels.h"

#if ECX_USE_DSP

#include "ecx_dsp_tile.h"

static uint32_t line_width(const ecx_conv_s8 *layer) {
  const uint32_t given = (uint32_t)layer->pad_left + layer->in_w;
  const uint32_t read = (layer->out_w - 1u) * layer->stride_w + layer->kernel_w;
  return given > read ? given : read;
}

/* One channel of one input row, x[in_w] with a step of in_c, with its padding; x may be NULL. */
static void gather_line(const int8_t *x, int16_t *line, uint32_t width, const ecx_conv_s8 *layer) {
  const int16_t *end = line + width;
  for (uint32_t j = 0; j < layer->pad_left; ++j) {
    *line++ = layer->input_zero;
  }
  if (x != 0) {
    for (uint32_t j = 0; j < layer->in_w; ++j) {
      *line++ = *x;
      x += layer->in_c;
    }
  }
  while (line < end) {
    *line++ = layer->input_zero;
  }
}

ECX_INLINE uint32_t load_2(const int16_t *x) {
  uint32_t word;
  memcpy(&word, x, 4);
  return word;
}

static int32_t window_sum(const int16_t *x, uint32_t width, const int8_t *w, int32_t sum,
                          const ecx_conv_s8 *layer) {
  for (uint32_t i = 0; i < layer->kernel_h; ++i) {
    uint32_t j = 0;
    for (; j + 1 < layer->kernel_w; j += 2) {
      sum = ecx_mac(load_2(x + j), (uint16_t)w[j] | (uint32_t)w[j + 1] << 16, sum);
    }
    if (j < layer->kernel_w) {
      sum += w[j] * x[j];
    }
    w += layer->kernel_w;
    x += width;
  }
  return sum;
}

/* The same for 3x3, with the weights in registers: w01 and w2 of three rows. */
static void line_3x3(const int16_t *x, uint32_t width, uint32_t c, int8_t *y,
                     const ecx_conv_s8 *layer) {
  const int8_t *w = layer->weights + 9 * c;
  uint32_t w01[3];
  for (int i = 0; i < 3; ++i) {
    w01[i] = (uint16_t)w[3 * i] | (uint32_t)w[3 * i + 1] << 16;
  }
  const int32_t w02 = w[2], w12 = w[5], w22 = w[8];
  for (uint32_t column = 0; column < layer->out_w; ++column) {
    int32_t sum = layer->bias[c];
    sum = ecx_mac(load_2(x), w01[0], sum) + w02 * x[2];
    sum = ecx_mac(load_2(x + width), w01[1], sum) + w12 * x[width + 2];
    sum = ecx_mac(load_2(x + 2 * width), w01[2], sum) + w22 * x[2 * width + 2];
    *y = ecx_narrow(sum, c, layer);
    y += layer->out_c;
    x += layer->stride_w;
  }
}

static void one_line(const int16_t *lines, uint32_t width, uint32_t c, int8_t *y,
                     const ecx_conv_s8 *layer) {
  if (layer->kernel_h == 3 && layer->kernel_w == 3) {
    line_3x3(lines, width, c, y, layer);
    return;
  }
  const int8_t *w = layer->weights + c * layer->kernel_h * layer->kernel_w;
  for (uint32_t column = 0; column < layer->out_w; ++column) {
    const int32_t sum =
        window_sum(lines + column * layer->stride_w, width, w, layer->bias[c], layer);
    y[column * layer->out_c] = ecx_narrow(sum, c, layer);
  }
}

void ecx_depthwise_row_s8(const int8_t *const *rows, int8_t *y, const ecx_conv_s8 *layer,
                          void *scratch) {
  int16_t *lines = (int16_t *)scratch;
  const uint32_t width = line_width(layer);
  uint32_t c = 0;
  for (uint32_t in = 0; in < layer->in_c; ++in) {
    for (uint32_t i = 0; i < layer->kernel_h; ++i) {
      gather_line(rows[i] == 0 ? 0 : rows[i] + in, lines + i * width, width, layer);
    }
    for (uint32_t m = 0; m < layer->depth_multiplier; ++m) {
      one_line(lines, width, c, y + c, layer);
      ++c;
    }
  }
}

void ecx_depthwise_map_s8(const int8_t *x, int8_t *y, const ecx_conv_s8 *layer, void *scratch) {
  int16_t *plane = (int16_t *)scratch;
  const uint32_t width = line_width(layer);
  const uint32_t step = (uint32_t)layer->in_w * layer->in_c;
  const uint32_t height = (layer->out_h - 1u) * layer->stride_h + layer->kernel_h;
  uint32_t c = 0;
  for (uint32_t in = 0; in < layer->in_c; ++in) {
    for (uint32_t i = 0; i < height; ++i) {
      const uint32_t row = i - layer->pad_top; /* wraps above the map, so one test will do */
      gather_line(row < layer->in_h ? x + row * step + in : 0, plane + i * width, width, layer);
    }
    for (uint32_t m = 0; m < layer->depth_multiplier; ++m) {
      for (uint32_t r = 0; r < layer->out_h; ++r) {
        one_line(plane + r * layer->stride_h * width, width, c,
                 y + r * layer->out_w * layer->out_c + c, layer);
      }
      ++c;
    }
  }
}

#endif
