/* SPDX-License-Identifier: Apache-2.0
 *
 * What the assembly of the fast kernels takes. Fields are loaded by position: keep their order.
 */
#ifndef ECX_DSP_FAST_H
#define ECX_DSP_FAST_H

#include <stdint.h>

/* Three pixels, all channels. */
typedef struct {
  int8_t *y;
  int32_t pixel_stride, channel_stride;
  int32_t next; /* from the third pixel of a pair of channels to the first of the next pair */
  const uint32_t *stream_end;
  const uint32_t *x; /* [ceil8(in_c) / 2][3]: pixels as pairs of int16 */
  int32_t offset_a;
  const uint32_t *x_end;
  uint32_t finish; /* 0: shift 5, 4: shift 8 */
  const uint32_t *stream;
} ecx_dsp_pixels;

void ecx_dsp_pixels_by_8(const ecx_dsp_pixels *job);
void ecx_dsp_pixels_by_32(const ecx_dsp_pixels *job);

/* One row, all channels. */
typedef struct {
  int32_t offset, pixel_stride;
  uint32_t entry; /* 0: no pair of outputs; 4, 8, 12: the pairs are 0, 1, 2 more than a multiple of 3 */
  uint32_t odd;   /* 4 if one output remains after the pairs, else 0 */
  const uint32_t *stream, *stream_end;
  int32_t steps[3];
  const int8_t *rows[3];
  int32_t length; /* input cells that the pairs pass */
  int32_t unused;
  int8_t *y;
  int32_t channel_stride;
} ecx_dsp_row;

void ecx_dsp_row_stride_1(const ecx_dsp_row *job);
void ecx_dsp_row_stride_2(const ecx_dsp_row *job);

#endif
