/* SPDX-License-Identifier: Apache-2.0
 *
 * The other int8 operators. Conventions as in ecx_kernels.h.
 * Element by element means: y may overlap x, as long as y does not start behind x.
 */
#ifndef ECX_MAPS_H
#define ECX_MAPS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y[channels] = mean of x[pixels][channels] over the pixels. y overlaps x nowhere. */
typedef struct {
  uint32_t pixels;
  uint32_t channels;
  int32_t input_sum; /* input zero point * pixels */
  int32_t multiplier;
  int32_t shift;
  int32_t output_zero;
} ecx_mean_s8_layer;
void ecx_mean_s8(const int8_t *x, int8_t *y, const ecx_mean_s8_layer *layer);

/* Softmax of each of n rows of `depth` values. exps[d] = exp(-d * scale * beta) as Q0.31 for the
 * differences d = 0 ... count - 1; larger differences count as 0. y may be x. */
void ecx_softmax_s8(const int8_t *x, int8_t *y, uint32_t n, uint32_t depth, const int32_t *exps,
                    int32_t count);

/* y[i] = table[x[i] + 128], element by element: any function of one int8. */
void ecx_table_s8(const int8_t *x, int8_t *y, uint32_t n, const int8_t *table);
/* The same for bytes that count from 0. */
void ecx_table_u8(const uint8_t *x, int8_t *y, uint32_t n, const int8_t *table);

/* One operand of a sum or a product, or the slopes of a PReLU. */
typedef struct {
  int32_t zero;
  int32_t multiplier;
  int32_t shift;
} ecx_operand_s8;

/* y = a + b or a * b or prelu(a, slopes b), element by element. b repeats with `period`. */
typedef struct {
  ecx_operand_s8 a, b, y; /* what they mean depends on the operator; see ecx_binary.c */
  uint32_t period;
  int32_t low, high;
} ecx_binary_s8;
void ecx_add_s8(const int8_t *a, const int8_t *b, int8_t *y, uint32_t n,
                const ecx_binary_s8 *layer);
void ecx_mul_s8(const int8_t *a, const int8_t *b, int8_t *y, uint32_t n,
                const ecx_binary_s8 *layer);
void ecx_prelu_s8(const int8_t *a, const int8_t *b, int8_t *y, uint32_t n,
                  const ecx_binary_s8 *layer);

/* One output row of a pooling window; rows as in ecx_conv_row_s8, NULL is not counted. */
typedef struct {
  uint16_t in_w, out_w, channels;
  uint8_t kernel_h, kernel_w, stride_w, pad_left;
  int8_t low, high;
} ecx_pool_s8;
void ecx_average_pool_row_s8(const int8_t *const *rows, int8_t *y, const ecx_pool_s8 *layer);
void ecx_max_pool_row_s8(const int8_t *const *rows, int8_t *y, const ecx_pool_s8 *layer);

/* One row with padding: all sizes in bytes, every padding byte is `fill`. x may be NULL. */
typedef struct {
  uint32_t pixels, pixel_bytes; /* of the input row */
  uint32_t left, right;         /* around the row */
  uint32_t before, after;       /* around each pixel */
  int32_t fill;
} ecx_pad_layer;
void ecx_pad_row(const void *x, void *y, const ecx_pad_layer *layer);

/* to[i] = pixels[i] - 128. */
void ecx_pixels_s8(const uint8_t *pixels, int8_t *to, uint32_t n);

/* count blocks of `bytes`, to every `stride` bytes of y: one input of a concatenation. */
void ecx_copy_blocks(const void *x, void *y, uint32_t count, uint32_t bytes, uint32_t stride);

#ifdef __cplusplus
}
#endif
#endif
