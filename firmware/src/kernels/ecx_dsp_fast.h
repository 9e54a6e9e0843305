/* SPDX-License-Identifier: Apache-2.0
 *
 * What the assembly of the fast kernels takes. Fields are loaded by position: keep their order.
 */
#ifndef ECX_DSP_FAST_H
#define ECX_DSP_FAST_H

#include <stdint.h>

/* Tiles of three pixels, all channels. */
typedef struct {
  int8_t *y;
  int32_t pixel_stride, channel_stride;
  int32_t next; /* from the third pixel of a pair of channels to the first of the next pair */
  const uint32_t *stream_end;
  uint32_t *x; /* room for [ceil8(in_c) / 2][3]: three pixels as pairs of int16 */
  const uint32_t *x_end;
  uint32_t finish; /* 0: shift 4, 4: shift 7 */
  const uint32_t *stream;
  const int8_t *pixels; /* [3 * tiles][in_c], in_c a multiple of 8; NULL: x is filled already */
  int32_t in_c;
  int32_t tile_step; /* from the end of the last pair to the next three pixels */
  uint32_t tiles;    /* at least 1 */
} ecx_dsp_pixels;

void ecx_dsp_pixels_by_8(const ecx_dsp_pixels *job);
void ecx_dsp_pixels_by_32(const ecx_dsp_pixels *job);
void ecx_dsp_pixels_exact(const ecx_dsp_pixels *job); /* for ecx_exact_pointwise_s8 */

/* One row, all channels. */
typedef struct {
  int32_t pixel_stride;
  uint32_t odd;   /* 4 if one output remains after the pairs, else 0 */
  uint32_t entry; /* 0: no pair of outputs; 4, 8, 12: 0, 1, 2 pairs more than a multiple of 3 */
  const uint32_t *stream;
  const int8_t *weights;
  const uint32_t *stream_end;
  int32_t length;        /* input cells that the pairs pass */
  int32_t steps[4];      /* from the end of one channel's pairs to the next one: rows, output */
  const int8_t *rows[3]; /* these four lie one step before the first channel */
  int8_t *y;
} ecx_dsp_row;

void ecx_dsp_row_stride_1(const ecx_dsp_row *job);
void ecx_dsp_row_stride_2(const ecx_dsp_row *job);

#endif
