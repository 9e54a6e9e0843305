/* SPDX-License-Identifier: Apache-2.0
 *
 * What the DSP forms of the general kernels share: pairs of int16, and the narrow requantization.
 */
#ifndef ECX_DSP_TILE_H
#define ECX_DSP_TILE_H

#include <string.h>

#include "ecx_kernels.h"
#include "ecx_requantize.h"

/* Also at -Os: a call would cost more than these few instructions. */
#define ECX_INLINE static inline __attribute__((always_inline))

ECX_INLINE uint32_t ecx_load_4(const int8_t *x) {
  uint32_t word;
  memcpy(&word, x, 4);
  return word;
}

/* Bytes 0 and 2, or 1 and 3, as two int16. Assembly, since arm_acle.h has SIMD from GCC 10 on only,
 * and Arduino's Nano 33 is built with GCC 7. */
ECX_INLINE uint32_t ecx_even(uint32_t word) {
  uint32_t pair;
  __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
  return pair;
}
ECX_INLINE uint32_t ecx_odd(uint32_t word) {
  return ecx_even(word >> 8 | word << 24);
}

ECX_INLINE int32_t ecx_mac(uint32_t x, uint32_t w, int32_t sum) {
  int32_t total;
  __asm__("smlad %0, %1, %2, %3" : "=r"(total) : "r"(x), "r"(w), "r"(sum));
  return total;
}

/* The five instructions that are TFLite's double rounding for |sum| < 2^30 and 1 <= shift <= 31:
 * the carry of the last shift is the bit that rounds, the sign moves halves away from zero. */
ECX_INLINE int8_t ecx_narrow(int32_t sum, uint32_t c, const ecx_conv_s8 *layer) {
  int32_t q;
  __asm__("lsl %0, %1, #1\n\t"
          "smmulr %0, %0, %2\n\t"
          "add %0, %0, %0, asr #31\n\t"
          "asrs %0, %0, %3\n\t"
          "adc %0, %0, %4"
          : "=&r"(q)
          : "r"(sum), "r"(layer->multiplier[c]), "r"((int32_t)layer->shift[c]),
            "r"((int32_t)layer->output_zero)
          : "cc");
  return ecx_clamp(q, layer->low, layer->high);
}

#endif
