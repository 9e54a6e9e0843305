/* SPDX-License-Identifier: Apache-2.0
 *
 * What the DSP forms of the general kernels share: pairs of int16, and the narrow requantization.
 */
#ifndef ECX_DSP_TILE_H
#define ECX_DSP_TILE_H

#include <arm_acle.h>
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

/* Bytes 0 and 2, or 1 and 3, as two int16. */
ECX_INLINE uint32_t ecx_even(uint32_t word) {
  return (uint32_t)__sxtb16((int8x4_t)word);
}
ECX_INLINE uint32_t ecx_odd(uint32_t word) {
  return ecx_even(word >> 8 | word << 24);
}

ECX_INLINE int32_t ecx_mac(uint32_t x, uint32_t w, int32_t sum) {
  return __smlad((int16x2_t)x, (int16x2_t)w, sum);
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
