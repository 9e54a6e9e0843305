/* SPDX-License-Identifier: Apache-2.0
 *
 * The fast int8 kernels: depthwise 3x3 and pointwise layers with ReLU or ReLU6, output zero point
 * -128 and the whole output range [-128, 127]. They need a requantization constant per channel that
 * the exporter searches and proves (edgecxr/export/compiled/fast.py); layers without one run on
 * ecx_kernels.h. Portable and DSP forms take the same data and give the same bits.
 *
 * Requantization of a sum: q = saturate8((high32(sum * multiplier) + offset) >> shift). Sums kept
 * times 256 need no offset: it is in their bias.
 *
 * Planar rows: one row of a map is [channel][stride] cells. Cell 0 of a channel is column -1, cell
 * x + 1 is column x; the cells outside the map hold the input's zero point.
 */
#ifndef ECX_FAST_H
#define ECX_FAST_H

#include <stdint.h>

#include "ecx_target.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  /* [out_c / 2] of { bias of a, bias of b, [ceil8(in_c) / 2] weights, multiplier of a, multiplier
   * of b, offset of b } for the even channel a and the odd channel b. One weight word holds two
   * taps, k in the low half and k + 1 in the high one; a half is 256 * a + b. So the sum over whole
   * halves, less the sum over their low bytes, is 256 times the sum of a. */
  const uint32_t *stream;
  uint16_t in_c, out_c;                 /* out_c is even */
  int32_t pixel_stride, channel_stride; /* of y, in bytes */
  uint8_t shift; /* 4 or 7, 8 more for the even channels; 0: for ecx_exact_pointwise_s8 */
} ecx_fast_pointwise;

/* y[p * pixel_stride + c * channel_stride] for n pixels x[n][in_c]; y overlaps neither x nor
 * scratch. */
#define ECX_FAST_POINTWISE_SCRATCH(in_c, out_c)                                                    \
  (6u * (((uint32_t)(in_c) + 7u) & ~7u) + 3u * (uint32_t)(out_c))
void ecx_fast_pointwise_s8(const int8_t *x, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer,
                           void *scratch);

/* The same with TFLite's double rounding as it stands, for any output zero point. Instead of the
 * offset of b, the stream has a byte each for the right shifts of a and b (1 to 31) and the zero
 * point. Planar output only where that is -128. */
void ecx_exact_pointwise_s8(const int8_t *x, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer,
                            void *scratch);

typedef struct {
  /* [channel] of { bias, multiplier }, then bytes [channel][3][3] of weights. The sum is kept times
   * 256. */
  const uint32_t *stream;
  const int8_t *padding; /* cells of one channel of a row outside the map */
  uint16_t channels;     /* of the output */
  uint16_t out_w;
  int32_t in_stride; /* from a channel to the next; 0 if all read the one channel there is */
  int32_t pixel_stride, channel_stride; /* of y, in bytes */
  uint8_t stride;                       /* 1 or 2 */
  uint8_t first; /* cell that the first output reads first: 1 - left padding */
} ecx_fast_depthwise;

/* One output row from three planar rows; a NULL row lies outside the map. */
void ecx_fast_depthwise_s8(const int8_t *const *rows, int8_t *y, const ecx_fast_depthwise *layer);

/* Both kernels fill the cells outside the map when pixel_stride is 1 and channel_stride is not: y
 * is column 0 of a planar row of out_c (or channels) times channel_stride bytes, and y - 1 is
 * 4-byte aligned. */

#define ECX_FAST_SCALED_SHIFT 12

#ifdef __cplusplus
}
#endif
#endif
