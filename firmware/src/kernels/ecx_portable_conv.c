/* SPDX-License-Identifier: Apache-2.0
 *
 * Pointwise and general convolution, int8, portable C99. Every convolution is a product of rows of
 * `taps` int8 values with the weights; a general convolution gathers such a row per output pixel.
 * With DSP these functions carry the *_wide names (see ecx_kernels.h).
 */
#include "ecx_kernels.h"
#include "ecx_requantize.h"

#include <string.h>

/* y[out_c] = layer(x[taps]), two output channels at a time. */
static void one_pixel(const int8_t *x, uint32_t taps, int8_t *y, const ecx_conv_s8 *layer) {
  const int8_t *w = layer->weights;
  for (uint32_t c = 0; c < layer->out_c; c += 2) {
    int32_t a = layer->bias[c];
    int32_t b = layer->bias[c + 1];
    uint32_t k = 0;
    for (; k + 1 < taps; k += 2) {
      a += w[0] * x[k] + w[2] * x[k + 1];
      b += w[1] * x[k] + w[3] * x[k + 1];
      w += 4;
    }
    if (k < taps) {
      a += w[0] * x[k];
      b += w[1] * x[k];
      w += 4;
    }
    a = ecx_requantize(a, layer->multiplier[c], layer->shift[c]) + layer->output_zero;
    y[c] = ecx_clamp(a, layer->low, layer->high);
    if (c + 1 < layer->out_c) {
      b = ecx_requantize(b, layer->multiplier[c + 1], layer->shift[c + 1]) + layer->output_zero;
      y[c + 1] = ecx_clamp(b, layer->low, layer->high);
    }
  }
}

void ecx_pointwise_s8_wide(const int8_t *x, int8_t *y, uint32_t n, const ecx_conv_s8 *layer,
                           void *scratch) {
  int8_t *pixel = (int8_t *)scratch; /* a copy, so that y may overlap x */
  for (; n > 0; --n) {
    memcpy(pixel, x, layer->in_c);
    one_pixel(pixel, layer->in_c, y, layer);
    x += layer->in_c;
    y += layer->out_c;
  }
}

/* One row of one window: kernel_w pixels from column `first` on, padding included. */
static int8_t *gather_row(const int8_t *row, int32_t first, int8_t *to, const ecx_conv_s8 *layer) {
  for (int32_t j = first; j < first + layer->kernel_w; ++j) {
    if (row == 0 || j < 0 || j >= layer->in_w) {
      memset(to, layer->input_zero, layer->in_c);
    } else {
      memcpy(to, row + (uint32_t)j * layer->in_c, layer->in_c);
    }
    to += layer->in_c;
  }
  return to;
}

void ecx_conv_row_s8_wide(const int8_t *const *rows, int8_t *y, const ecx_conv_s8 *layer,
                          void *scratch) {
  int8_t *window = (int8_t *)scratch;
  const uint32_t taps = (uint32_t)layer->kernel_h * layer->kernel_w * layer->in_c;
  for (int32_t column = 0; column < layer->out_w; ++column) {
    int8_t *to = window;
    for (uint32_t i = 0; i < layer->kernel_h; ++i) {
      to = gather_row(rows[i], column * layer->stride_w - layer->pad_left, to, layer);
    }
    one_pixel(window, taps, y, layer);
    y += layer->out_c;
  }
}
