/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolutions, float32, portable C99. Pointwise and general convolution share a tile of four
 * pixels by one output channel: per tap one weight and four values are loaded for four products.
 */
#include "ecx_float.h"

#include <string.h>

#define TILE 4u

static float limited(float value, const ecx_conv_f32 *layer) {
  return value < layer->low ? layer->low : value > layer->high ? layer->high : value;
}

/* y[n][out_c] = layer(x[n][taps]) for n <= 4; x always has room for four pixels. */
static void tile(const float *x, uint32_t taps, float *y, uint32_t n, const ecx_conv_f32 *layer) {
  const float *w = layer->weights;
  for (uint32_t c = 0; c < layer->out_c; ++c) {
    float sum[TILE] = {0};
    const float *p = x;
    for (uint32_t k = 0; k < taps; ++k, ++p) {
      sum[0] += w[k] * p[0];
      sum[1] += w[k] * p[taps];
      sum[2] += w[k] * p[2 * taps];
      sum[3] += w[k] * p[3 * taps];
    }
    for (uint32_t i = 0; i < n; ++i) {
      y[i * layer->out_c + c] = limited(sum[i] + layer->bias[c], layer);
    }
    w += taps;
  }
}

void ecx_pointwise_f32(const float *x, float *y, uint32_t n, const ecx_conv_f32 *layer,
                       void *scratch) {
  float *pixels = (float *)scratch; /* a copy, so that y may overlap x */
  const uint32_t taps = layer->in_c;
  while (n > 0) {
    const uint32_t count = n < TILE ? n : TILE;
    for (uint32_t i = 0; i < TILE; ++i) {
      memcpy(pixels + i * taps, x + (i < count ? i : 0) * taps, taps * sizeof(float));
    }
    tile(pixels, taps, y, count, layer);
    x += count * taps;
    y += count * layer->out_c;
    n -= count;
  }
}

/* One row of one window: kernel_w pixels from column `first` on, padding included. */
static float *gather_row(const float *row, int32_t first, float *to, const ecx_conv_f32 *layer) {
  for (int32_t j = first; j < first + layer->kernel_w; ++j) {
    if (row == 0 || j < 0 || j >= layer->in_w) {
      memset(to, 0, layer->in_c * sizeof(float));
    } else {
      memcpy(to, row + (uint32_t)j * layer->in_c, layer->in_c * sizeof(float));
    }
    to += layer->in_c;
  }
  return to;
}

void ecx_conv_row_f32(const float *const *rows, float *y, const ecx_conv_f32 *layer,
                      void *scratch) {
  const uint32_t taps = (uint32_t)layer->kernel_h * layer->kernel_w * layer->in_c;
  for (uint32_t column = 0; column < layer->out_w; column += TILE) {
    const uint32_t rest = layer->out_w - column;
    const uint32_t count = rest < TILE ? rest : TILE;
    float *to = (float *)scratch;
    for (uint32_t i = 0; i < TILE; ++i) {
      const uint32_t at = (column + (i < count ? i : 0)) * layer->stride_w;
      for (uint32_t r = 0; r < layer->kernel_h; ++r) {
        to = gather_row(rows[r], (int32_t)at - layer->pad_left, to, layer);
      }
    }
    tile((const float *)scratch, taps, y, count, layer);
    y += count * layer->out_c;
  }
}

/* Columns of a padded line: all that any window of the row can touch. */
static uint32_t line_width(const ecx_conv_f32 *layer) {
  const uint32_t given = (uint32_t)layer->pad_left + layer->in_w;
  const uint32_t read = (layer->out_w - 1u) * layer->stride_w + layer->kernel_w;
  return given > read ? given : read;
}

/* One channel of one input row, x[in_w] with a step of in_c, with its padding; x may be NULL. */
static void gather_line(const float *x, float *line, uint32_t width, const ecx_conv_f32 *layer) {
  memset(line, 0, width * sizeof(float));
  if (x != 0) {
    float *to = line + layer->pad_left;
    for (uint32_t j = 0; j < layer->in_w; ++j) {
      to[j] = *x;
      x += layer->in_c;
    }
  }
}

/* One output row of channel c from kernel_h padded lines; y has a step of out_c. */
static void one_line(const float *lines, uint32_t width, uint32_t c, float *y,
                     const ecx_conv_f32 *layer) {
  const float *weights = layer->weights + c * layer->kernel_h * layer->kernel_w;
  for (uint32_t column = 0; column < layer->out_w; ++column) {
    float sum = 0;
    const float *w = weights;
    const float *x = lines + column * layer->stride_w;
    for (uint32_t i = 0; i < layer->kernel_h; ++i) {
      for (uint32_t j = 0; j < layer->kernel_w; ++j) {
        sum += w[j] * x[j];
      }
      w += layer->kernel_w;
      x += width;
    }
    y[column * layer->out_c] = limited(sum + layer->bias[c], layer);
  }
}

void ecx_depthwise_row_f32(const float *const *rows, float *y, const ecx_conv_f32 *layer,
                           void *scratch) {
  float *lines = (float *)scratch;
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

void ecx_depthwise_map_f32(const float *x, float *y, const ecx_conv_f32 *layer, void *scratch) {
  float *plane = (float *)scratch;
  const uint32_t width = line_width(layer);
  const uint32_t step = (uint32_t)layer->in_w * layer->in_c;
  const uint32_t height = (layer->out_h - 1u) * layer->stride_h + layer->kernel_h;
  for (uint32_t c = 0; c < layer->out_c; ++c) {
    for (uint32_t i = 0; i < height; ++i) {
      const uint32_t row = i - layer->pad_top; /* wraps above the map, so one test will do */
      gather_line(row < layer->in_h ? x + row * step + c : 0, plane + i * width, width, layer);
    }
    for (uint32_t r = 0; r < layer->out_h; ++r) {
      one_line(plane + r * layer->stride_h * width, width, c,
               y + r * layer->out_w * layer->out_c + c, layer);
    }
  }
}
