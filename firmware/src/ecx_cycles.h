/* SPDX-License-Identifier: Apache-2.0
 *
 * The cycle counter of a Cortex-M3 and above, for ports: exact where a timer is coarse. It wraps
 * after 2^32 cycles, and it stands still while the core sleeps, so it is no clock for waiting.
 */
#ifndef ECX_CYCLES_H
#define ECX_CYCLES_H

#include <stdint.h>

#if defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__) ||      \
    defined(__ARM_ARCH_8_1M_MAIN__)

#define ECX_DWT_CTRL (*(volatile uint32_t *)0xE0001000u)
#define ECX_DWT_CYCCNT (*(volatile uint32_t *)0xE0001004u)
#define ECX_DWT_LAR (*(volatile uint32_t *)0xE0001FB0u)
#define ECX_DEMCR (*(volatile uint32_t *)0xE000EDFCu)

static inline uint32_t ecx_cycles(void) {
  return ECX_DWT_CYCCNT;
}

/* Turn it on. Returns whether it moves: a chip may lack it, and QEMU's stays 0. */
static inline int ecx_cycles_start(void) {
  ECX_DEMCR |= 1u << 24;    /* TRCENA */
  ECX_DWT_LAR = 0xC5ACCE55; /* a Cortex-M7 locks it; the others have nothing there */
  ECX_DWT_CTRL |= 1u;
  const uint32_t before = ecx_cycles();
  for (volatile uint32_t turns = 0; turns < 16; ++turns) {
  }
  return ecx_cycles() != before;
}

#else

static inline uint32_t ecx_cycles(void) {
  return 0;
}

static inline int ecx_cycles_start(void) {
  return 0;
}

#endif
#endif
