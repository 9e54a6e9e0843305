/* SPDX-License-Identifier: Apache-2.0
 *
 * The int8 kernels of the compiled runtime: one layer structure, one weight layout, one set of
 * signatures. Portable C99 and Cortex-M DSP give the same bits; this header alone chooses.
 *
 * Conventions
 *   - Maps are [row][column][channel], int8. A "pixel" is all the channels of one column.
 *   - Zero points are folded offline: the bias holds bias - input_zero * sum(weights), so the
 *     kernels multiply raw int8 values. Padding therefore counts as input_zero, never as 0.
 *   - Requantization of a sum s: q = round_half_up_at_31(s * 2^left * multiplier), then
 *     RoundingDivideByPOT(q, right), then + output_zero, then clamp: TFLite's double rounding.
 *     shift[c] >= 0 is the right shift, shift[c] < 0 is a left shift of -shift[c].
 *   - "narrow" layers promise, for every input: |sum| < 2^30 and 1 <= shift <= 31. The exporter
 *     proves it per layer and sends other layers to the *_wide functions, which are the portable
 *     ones everywhere. Without DSP a kernel and its *_wide form are one function.
 *   - scratch is 4-byte aligned; its size is given by the ECX_*_SCRATCH macros, in bytes.
 *     Nothing is kept in it between two calls.
 */
#ifndef ECX_KERNELS_H
#define ECX_KERNELS_H

#include <stdint.h>

#include "ecx_target.h"

#ifdef __cplusplus
extern "C" {
#endif

#if !ECX_USE_DSP
#define ecx_pointwise_s8_wide ecx_pointwise_s8
#define ecx_conv_row_s8_wide ecx_conv_row_s8
#define ecx_depthwise_row_s8_wide ecx_depthwise_row_s8
#define ecx_depthwise_map_s8_wide ecx_depthwise_map_s8
#endif

/* CONV_2D (any window, 1x1 included), FULLY_CONNECTED and DEPTHWISE_CONV_2D. */
typedef struct {
  /* Pointwise and conv: channel pairs interleaved, [ceil(out_c/2)][ceil(taps/2)][4 bytes]:
   * w[c][k], w[c+1][k], w[c][k+1], w[c+1][k+1], where taps = kernel_h * kernel_w * in_c in the
   * order [kernel row][kernel column][input channel]; what is missing is 0.
   * Depthwise: [out channel][kernel row][kernel column].
   * 4-byte aligned. */
  const int8_t *weights;
  const int32_t *bias;       /* [out_c, rounded up to even] */
  const int32_t *multiplier; /* [out_c, rounded up to even] */
  const int8_t *shift;       /* [out_c, rounded up to even] */
  /* The padding on both sides together is less than the kernel, in each direction. */
  uint16_t in_h, in_w, in_c;
  uint16_t out_h, out_w, out_c;
  uint8_t kernel_h, kernel_w;
  uint8_t stride_h, stride_w;
  uint8_t pad_top, pad_left;
  uint8_t depth_multiplier; /* depthwise only: out channel c reads input channel c / this */
  int8_t input_zero, output_zero;
  int8_t low, high; /* the activation range, quantized */
} ecx_conv_s8;

/* y[n][out_c] = layer(x[n][in_c]): CONV_2D 1x1 stride 1 and FULLY_CONNECTED.
 * In place: groups of up to four pixels are copied to scratch before any of their outputs is
 * written, and groups go forward. So y may overlap x where, for every group boundary p < n,
 * y + p * out_c <= x + p * in_c: same start when the layer shrinks, same end when it grows. */
#define ECX_POINTWISE_SCRATCH(in_c) (8u * (((uint32_t)(in_c) + 3u) & ~3u))
void ecx_pointwise_s8(const int8_t *x, int8_t *y, uint32_t n, const ecx_conv_s8 *layer,
                      void *scratch);
#if ECX_USE_DSP
void ecx_pointwise_s8_wide(const int8_t *x, int8_t *y, uint32_t n, const ecx_conv_s8 *layer,
                           void *scratch);
#endif

/* One output row of a general convolution. rows[kernel_h] are the input rows [in_w][in_c] from
 * out_row * stride_h - pad_top on; NULL is a row of padding. y[out_w][out_c] overlaps none. */
#define ECX_CONV_SCRATCH(taps) (8u * (((uint32_t)(taps) + 3u) & ~3u))
void ecx_conv_row_s8(const int8_t *const *rows, int8_t *y, const ecx_conv_s8 *layer, void *scratch);
#if ECX_USE_DSP
void ecx_conv_row_s8_wide(const int8_t *const *rows, int8_t *y, const ecx_conv_s8 *layer,
                          void *scratch);
#endif

/* One output row of a depthwise convolution; rows and y as above. */
#define ECX_DEPTHWISE_ROW_SCRATCH(kernel_h, in_w, kernel_w)                                        \
  (2u * (uint32_t)(kernel_h) * (((uint32_t)(in_w) + (uint32_t)(kernel_w) + 4u) & ~1u))
void ecx_depthwise_row_s8(const int8_t *const *rows, int8_t *y, const ecx_conv_s8 *layer,
                          void *scratch);
#if ECX_USE_DSP
void ecx_depthwise_row_s8_wide(const int8_t *const *rows, int8_t *y, const ecx_conv_s8 *layer,
                               void *scratch);
#endif

/* A whole depthwise map, channel by channel through an int16 plane in scratch.
 * In place: y == x is allowed when depth_multiplier is 1 and out_h * out_w <= in_h * in_w.
 * The plane holds the padded input: (in_h + kernel_h) rows of an even number of columns. */
#define ECX_DEPTHWISE_MAP_SCRATCH(in_h, kernel_h, in_w, kernel_w)                                  \
  (2u * ((uint32_t)(in_h) + (uint32_t)(kernel_h)) *                                                \
   (((uint32_t)(in_w) + (uint32_t)(kernel_w) + 4u) & ~1u))
void ecx_depthwise_map_s8(const int8_t *x, int8_t *y, const ecx_conv_s8 *layer, void *scratch);
#if ECX_USE_DSP
void ecx_depthwise_map_s8_wide(const int8_t *x, int8_t *y, const ecx_conv_s8 *layer, void *scratch);
#endif

#ifdef __cplusplus
}
#endif
#endif
