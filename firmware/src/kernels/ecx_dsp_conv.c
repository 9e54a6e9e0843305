/* SPDX-License-Identifier: Apache-2.0
 *
 * Pointwise and general convolution with SMLAD.
 *
 * Register tile: 2 pixels x 2 channels. Two taps, 8 MACs, take a weight word, two SXTB16, two pixel
 * words and four SMLAD: 11 instructions with the loop, 1.4 per MAC.
 */
#include "ecx_kernels.h"

#if ECX_USE_DSP

#include "ecx_dsp_tile.h"

/* taps int8 to pairs of int16, two words apart; the missing last tap is 0. */
static void expand(const int8_t *x, uint32_t taps, uint32_t *to) {
  for (; taps >= 4; taps -= 4) {
    const uint32_t word = ecx_load_4(x);
    const uint32_t even = ecx_even(word), odd = ecx_odd(word);
    to[0] = (even & 0xffffu) | odd << 16;
    to[2] = even >> 16 | (odd & 0xffff0000u);
    x += 4;
    to += 4;
  }
  for (; taps > 0; taps -= taps < 2 ? taps : 2) {
    const uint32_t second = taps > 1 ? (uint32_t)x[1] << 16 : 0;
    *to = (uint16_t)x[0] | second;
    x += 2;
    to += 2;
  }
}

/* y0[out_c], y1[out_c] from pairs [ceil(taps / 2)][2]. */
static void two_pixels(const uint32_t *pairs, uint32_t taps, int8_t *y0, int8_t *y1,
                       const ecx_conv_s8 *layer) {
  const int8_t *w = layer->weights;
  const uint32_t *end = pairs + (taps + 1) / 2 * 2;
  for (uint32_t c = 0; c < layer->out_c; c += 2) {
    int32_t a0 = layer->bias[c], a1 = a0, b0 = layer->bias[c + 1], b1 = b0;
    for (const uint32_t *x = pairs; x != end; x += 2) {
      const uint32_t word = ecx_load_4(w);
      const uint32_t a = ecx_even(word), b = ecx_odd(word);
      a0 = ecx_mac(x[0], a, a0);
      a1 = ecx_mac(x[1], a, a1);
      b0 = ecx_mac(x[0], b, b0);
      b1 = ecx_mac(x[1], b, b1);
      w += 4;
    }
    y0[c] = ecx_narrow(a0, c, layer);
    y1[c] = ecx_narrow(a1, c, layer);
    if (c + 1 < layer->out_c) {
      y0[c + 1] = ecx_narrow(b0, c + 1, layer);
      y1[c + 1] = ecx_narrow(b1, c + 1, layer);
    }
  }
}

void ecx_pointwise_s8(const int8_t *x, int8_t *y, uint32_t n, const ecx_conv_s8 *layer,
                      void *scratch) {
  uint32_t *pairs = (uint32_t *)scratch;
  while (n > 0) {
    const uint32_t step = n > 1;
    expand(x, layer->in_c, pairs);
    expand(x + step * layer->in_c, layer->in_c, pairs + 1);
    two_pixels(pairs, layer->in_c, y, y + step * layer->out_c, layer);
    x += (step + 1) * layer->in_c;
    y += (step + 1) * layer->out_c;
    n -= step + 1;
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

void ecx_conv_row_s8(const int8_t *const *rows, int8_t *y, const ecx_conv_s8 *layer,
                     void *scratch) {
  const uint32_t taps = (uint32_t)layer->kernel_h * layer->kernel_w * layer->in_c;
  uint32_t *pairs = (uint32_t *)scratch;
  int8_t *window = (int8_t *)(pairs + (taps + 1) / 2 * 2);
  for (int32_t column = 0; column < layer->out_w; column += 2) {
    const int32_t count = column + 1 < layer->out_w ? 2 : 1;
    for (int32_t p = 0; p < 2; ++p) {
      const int32_t first = (column + (p < count ? p : 0)) * layer->stride_w - layer->pad_left;
      int8_t *to = window;
      for (uint32_t i = 0; i < layer->kernel_h; ++i) {
        to = gather_row(rows[i], first, to, layer);
      }
      expand(window, taps, pairs + p);
    }
    two_pixels(pairs, taps, y, y + (count - 1) * layer->out_c, layer);
    y += count * layer->out_c;
  }
}

#endif
