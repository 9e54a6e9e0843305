/* SPDX-License-Identifier: Apache-2.0
 *
 * TFLite's requantization with double rounding, in portable C.
 */
#ifndef ECX_REQUANTIZE_H
#define ECX_REQUANTIZE_H

#include <stdint.h>

/* floor(a * b / 2^31 + 1/2): SaturatingRoundingDoublingHighMul for b != INT32_MIN. */
static inline int32_t ecx_high_mul(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* value / 2^right, rounded to nearest, halves away from zero; 0 <= right <= 31. */
static inline int32_t ecx_rounding_shift(int32_t value, int right) {
  const int32_t mask = (int32_t)((1u << right) - 1u);
  const int32_t rest = value & mask;
  const int32_t half = (mask >> 1) + (value < 0);
  return (value >> right) + (rest > half);
}

/* value * multiplier / 2^31 * 2^-shift; a negative shift is a left shift, done first. */
static inline int32_t ecx_requantize(int32_t value, int32_t multiplier, int shift) {
  if (shift < 0) {
    return ecx_high_mul((int32_t)((uint32_t)value << -shift), multiplier);
  }
  return ecx_rounding_shift(ecx_high_mul(value, multiplier), shift);
}

static inline int8_t ecx_clamp(int32_t value, int32_t low, int32_t high) {
  return (int8_t)(value < low ? low : value > high ? high : value);
}

#endif
