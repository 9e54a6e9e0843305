/* SPDX-License-Identifier: Apache-2.0
 *
 * From reset to main on any Cortex-M. The linker script names the memory; the program supplies
 * main, fault and finished. The stack is painted, so that its deepest use can be seen.
 */
#include "startup.h"

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[];
int main(void);
void reset(void);

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))stack_top, reset, fault, fault, fault, fault, fault};

__attribute__((noreturn)) void reset(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
  REGISTER(0xE000ED88) |= 0xFu << 20; /* the floating point unit on */
  __asm__ volatile("dsb\n isb");
#endif
  const uint32_t *from = data_load;
  for (volatile uint32_t *to = data_start; to < data_end;) {
    *to++ = *from++;
  }
  for (volatile uint32_t *to = bss_start; to < bss_end;) {
    *to++ = 0;
  }
  uint32_t *const here = __builtin_frame_address(0);
  for (volatile uint32_t *at = stack_limit; at < here - STACK_MARGIN_WORDS; ++at) {
    *at = STACK_PAINT;
  }
  finished(main());
}

uint32_t stack_bytes_used(void) {
  const uint32_t *at = stack_limit;
  while (at < stack_top && *at == STACK_PAINT) {
    ++at;
  }
  return (uint32_t)((uintptr_t)stack_top - (uintptr_t)at);
}
