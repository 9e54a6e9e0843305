/* SPDX-License-Identifier: Apache-2.0
 *
 * Depthwise convolution, int8, portable C99: one channel at a time through padded lines in scratch.
 * With DSP these functions carry the *_wide names (see ecx_kernels.h).
 */
#include "ecx_kernels.h"
#include "ecx_requantize.h"

#include <string.h>

/* Columns of a padded line: all that any window of the row can touch. */
static uint32_t line_width(const ecx_conv_s8 *layer) {
  const uint32_t given = (uint32_t)layer->pad_left + layer->in_w;
  const uint32_t read = (layer->out_w - 1u) * layer->stride_w + layer->kernel_w;
  return given > read ? given : read;
}

/* One channel of one input row, x[in_w] with a step of in_c, with its padding; x may be NULL. */
static void gather_line(const int8_t *x, int8_t *line, uint32_t width, const ecx_conv_s8 *layer) {
  memset(line, layer->input_zero, width);
  if (x != 0) {
    int8_t *to = line + layer->pad_left;
    for (uint32_t j = 0; j < layer->in_w; ++j) {
      to[j] = *x;
      x += layer->in_c;
    }
  }
}

/* One output row of channel c from kernel_h padded lines; y has a step of out_c. */
static void one_line(const int8_t *lines, uint32_t width, uint32_t c, int8_t *y,
                     const ecx_conv_s8 *layer) {
  const int8_t *weights = layer->weights + c * layer->kernel_h * layer->kernel_w;
  for (uint32_t column = 0; column < layer->out_w; ++column) {
    int32_t sum = layer->bias[c];
    const int8_t *w = weights;
    const int8_t *x = lines + column * layer->stride_w;
    for (uint32_t i = 0; i < layer->kernel_h; ++i) {
      for (uint32_t j = 0; j < layer->kernel_w; ++j) {
        sum += w[j] * x[j];
      }
      w += layer->kernel_w;
      x += width;
    }
    sum = ecx_requantize(sum, layer->multiplier[c], layer->shift[c]) + layer->output_zero;
    y[column * layer->out_c] = ecx_clamp(sum, layer->low, layer->high);
  }
}

void ecx_depthwise_row_s8_wide(const int8_t *const *rows, int8_t *y, const ecx_conv_s8 *layer,
                               void *scratch) {
  int8_t *lines = (int8_t *)scratch;
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

void ecx_depthwise_map_s8_wide(const int8_t *x, int8_t *y, const ecx_conv_s8 *layer,
                               void *scratch) {
  int8_t *plane = (int8_t *)scratch;
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
