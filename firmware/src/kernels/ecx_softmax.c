/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax, int8, with gemmlowp's fixed-point reciprocal.
 */
#include "ecx_maps.h"
#include "ecx_requantize.h"

/* 1 / (1 + a) for a in [0, 1], Q0.31 in and out: three Newton steps in Q2.29. */
static int32_t one_over_one_plus(int32_t a) {
  const int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
  int32_t x = 1515870810 + ecx_high_mul(half, -1010580540); /* 48/17 - 32/17 * half */
  for (int i = 0; i < 3; ++i) {
    const int32_t rest = (1 << 29) - ecx_high_mul(half, x);
    x += ecx_high_mul(x, rest) * 4;
  }
  return x > INT32_MAX / 2 ? INT32_MAX : x * 2;
}

static int leading_zeros(uint32_t value) {
  int zeros = 0;
  for (; value < 0x80000000u; value <<= 1) {
    ++zeros;
  }
  return zeros;
}

static void softmax_row(const int8_t *x, int8_t *y, uint32_t depth, const int32_t *exps,
                        int32_t count) {
  int32_t top = -128;
  int32_t sum = 0; /* Q12.19 */
  for (uint32_t i = 0; i < depth; ++i) {
    top = x[i] > top ? x[i] : top;
  }
  for (uint32_t i = 0; i < depth; ++i) {
    if (top - x[i] < count) {
      sum += ecx_rounding_shift(exps[top - x[i]], 12);
    }
  }
  const int zeros = leading_zeros((uint32_t)sum);
  const int32_t scale = one_over_one_plus((int32_t)(((uint32_t)sum << zeros) - 0x80000000u));
  const int right = 12 - zeros + 31 - 8;
  for (uint32_t i = 0; i < depth; ++i) {
    int32_t q = -128;
    if (top - x[i] < count) {
      q += ecx_rounding_shift(ecx_high_mul(scale, exps[top - x[i]]), right);
    }
    y[i] = ecx_clamp(q, -128, 127);
  }
}

void ecx_softmax_s8(const int8_t *x, int8_t *y, uint32_t n, uint32_t depth, const int32_t *exps,
                    int32_t count) {
  for (; n > 0; --n) {
    softmax_row(x, y, depth, exps, count);
    x += depth;
    y += depth;
  }
}
