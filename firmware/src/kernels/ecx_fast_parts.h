/* SPDX-License-Identifier: Apache-2.0
 *
 * What the portable and the SIMD form of the fast kernels share.
 */
#ifndef ECX_FAST_PARTS_H
#define ECX_FAST_PARTS_H

#include <string.h>

#include "ecx_fast.h"
#include "ecx_requantize.h"

/* Cells outside the map lie in the first and in the last word of a channel. */
static inline void ecx_pad_planes(int8_t *row, uint32_t channels, int32_t stride) {
  static const int8_t outside[4] = {-128, -128, -128, -128};
  for (; channels != 0; --channels) {
    memcpy(row, outside, 4);
    row += stride;
    memcpy(row - 4, outside, 4);
  }
}

/* Words of weights that two channels share. */
static inline uint32_t ecx_weight_words(const ecx_fast_pointwise *layer) {
  return (layer->in_c + 7u) / 8u * 4u;
}

/* Both channels of a pixel, from 256 times the sum of a, the sum of b, and the end of their stream:
 * two multipliers, then the shifts and the zero point. */
static inline void ecx_quantize_exactly(uint32_t a, uint32_t b, const uint32_t *last, int8_t *to,
                                        int32_t stride) {
  const int8_t zero = (int8_t)(last[2] >> 16);
  const int shift_a = last[2] & 255u, shift_b = last[2] >> 8 & 255u;
  const int32_t q = ecx_requantize((int32_t)a >> 8, (int32_t)last[0], shift_a) + zero;
  to[0] = ecx_clamp(q, -128, 127);
  to[stride] = ecx_clamp(ecx_requantize((int32_t)b, (int32_t)last[1], shift_b) + zero, -128, 127);
}

#endif
