/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];
int main(void);
void reset(void);

static void fault(void) {
  print("fault\n");
  leave(0);
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))stack_top, reset, fault, fault, fault, fault, fault};

void reset(void) {
#if defined(__ARM_FP)
  REGISTER(0xE000ED88) |= 0xFu << 20; /* the floating point unit on */
  __asm__ volatile("dsb\n isb");
#endif
  const uint32_t *from = data_load;
  for (uint32_t *to = data_start; to < data_end;) {
    *to++ = *from++;
  }
  for (volatile uint32_t *to = bss_start; to < bss_end;) {
    *to++ = 0;
  }
  leave(main() == 0);
}
