/* SPDX-License-Identifier: Apache-2.0
 *
 * What the measured program needs of an emulated board: a timer, a way out, a stack to look at.
 * QEMU must run with -icount shift=6: one instruction lasts 64 ns, longer than a tick of these
 * timers, so that single instructions are told apart.
 */
#ifndef TARGET_H
#define TARGET_H

#include "startup.h"

#if defined(BOARD_MPS2_AN386)
/* CMSDK timer at 25 MHz, counting down: 1.6 ticks per instruction. */
#define TICKS_TO_INSTRUCTIONS(ticks) (((ticks)*5u + 4u) / 8u)
#define IMAGES 0x21000000u
static inline void timer_start(void) {
  REGISTER(0x40000000) = 0;
  REGISTER(0x40000008) = 0xffffffffu;
  REGISTER(0x40000004) = 0xffffffffu;
  REGISTER(0x40000000) = 1;
}
static inline uint32_t timer_ticks(void) {
  return 0xffffffffu - REGISTER(0x40000004);
}
#elif defined(BOARD_MICROBIT)
/* nRF51 TIMER0 at 16 MHz: 1.024 ticks per instruction. */
#define TICKS_TO_INSTRUCTIONS(ticks) ((uint32_t)(((uint64_t)(ticks)*125u + 64u) / 128u))
#define IMAGES 0x3d000u
static inline void timer_start(void) {
  REGISTER(0x40008508) = 3; /* 32 bits */
  REGISTER(0x40008510) = 0; /* no prescaler */
  REGISTER(0x40008000) = 1;
}
static inline uint32_t timer_ticks(void) {
  REGISTER(0x40008040) = 1; /* capture */
  return REGISTER(0x40008540);
}
#else
#error "define BOARD_MPS2_AN386 or BOARD_MICROBIT"
#endif

/* Semihosting: print a text, leave QEMU. */
static inline void semihosting(uint32_t operation, const void *argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}
static inline void print(const char *text) {
  semihosting(4, text);
}
static inline void leave(int succeeded) {
  semihosting(0x18, (const void *)(succeeded ? 0x20026u : 0x20023u));
}

#endif
