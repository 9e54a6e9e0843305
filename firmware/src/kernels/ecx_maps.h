/* SPDX-License-Identifier: Apache-2.0
 *
 * The other int8 operators: means, softmax. Conventions as in ecx_kernels.h.
 */
#ifndef ECX_MAPS_H
#define ECX_MAPS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y[channels] = mean of x[pixels][channels] over the pixels. y may start where x starts. */
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

#ifdef __cplusplus
}
#endif
#endif
