/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums, products and PReLU, int8.
 */
#include "ecx_maps.h"
#include "ecx_requantize.h"

enum { ADD_LEFT_SHIFT = 20 };

static int32_t scaled(int32_t value, const ecx_operand_s8 *by) {
  return ecx_requantize(value, by->multiplier, by->shift);
}

/* a and b are brought to one scale, 2^20 steps finer, and the sum to the output's scale. */
void ecx_add_s8(const int8_t *a, const int8_t *b, int8_t *y, uint32_t n,
                const ecx_binary_s8 *layer) {
  uint32_t j = 0;
  for (uint32_t i = 0; i < n; ++i) {
    int32_t sum = scaled((a[i] - layer->a.zero) * (1 << ADD_LEFT_SHIFT), &layer->a) +
                  scaled((b[j] - layer->b.zero) * (1 << ADD_LEFT_SHIFT), &layer->b);
    sum = scaled(sum, &layer->y) + layer->y.zero;
    y[i] = ecx_clamp(sum, layer->low, layer->high);
    j = j + 1 < layer->period ? j + 1 : 0;
  }
}

/* The product in the scale of a times the scale of b; only y's multiplier is used. */
void ecx_mul_s8(const int8_t *a, const int8_t *b, int8_t *y, uint32_t n,
                const ecx_binary_s8 *layer) {
  uint32_t j = 0;
  for (uint32_t i = 0; i < n; ++i) {
    const int32_t product = (a[i] - layer->a.zero) * (b[j] - layer->b.zero);
    y[i] = ecx_clamp(scaled(product, &layer->y) + layer->y.zero, layer->low, layer->high);
    j = j + 1 < layer->period ? j + 1 : 0;
  }
}

/* a's multiplier for values from its zero point on; b's for the products with the slopes below. */
void ecx_prelu_s8(const int8_t *a, const int8_t *b, int8_t *y, uint32_t n,
                  const ecx_binary_s8 *layer) {
  uint32_t j = 0;
  for (uint32_t i = 0; i < n; ++i) {
    int32_t value = a[i] - layer->a.zero;
    if (value >= 0) {
      value = scaled(value, &layer->a);
    } else {
      value = scaled(value * (b[j] - layer->b.zero), &layer->b);
    }
    y[i] = ecx_clamp(value + layer->y.zero, layer->low, layer->high);
    j = j + 1 < layer->period ? j + 1 : 0;
  }
}
