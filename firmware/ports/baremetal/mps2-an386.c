/* SPDX-License-Identifier: Apache-2.0
 *
 * Arm MPS2+ AN386 (Cortex-M4F), as QEMU has it: CMSDK UART0 and TIMER0 at 25 MHz.
 */
#include "board.h"

#define UART 0x40004000u
#define UART_DATA (UART + 0x0)
#define UART_STATE (UART + 0x4) /* bit 0: no room to send, bit 1: a byte has arrived */
#define UART_CTRL (UART + 0x8)
#define UART_BAUDDIV (UART + 0x10)
#define TIMER 0x40000000u
#define TIMER_CTRL (TIMER + 0x0)
#define TIMER_VALUE (TIMER + 0x4)
#define TIMER_RELOAD (TIMER + 0x8)
#define HZ 25000000u

board_facts board_start(void) {
  REGISTER(UART_BAUDDIV) = HZ / 115200;
  REGISTER(UART_CTRL) = 3;   /* send and receive */
  (void)REGISTER(UART_DATA); /* QEMU asks once whether it may send a byte; this asks it again */
  REGISTER(TIMER_CTRL) = 0;
  REGISTER(TIMER_RELOAD) = 0xffffffffu;
  REGISTER(TIMER_VALUE) = 0xffffffffu;
  REGISTER(TIMER_CTRL) = 1;
  return (board_facts){"mps2-an386", HZ, HZ};
}

int board_receive(void) {
  return (REGISTER(UART_STATE) & 2) != 0 ? (int)(REGISTER(UART_DATA) & 0xff) : -1;
}

void board_send(uint8_t byte) {
  while ((REGISTER(UART_STATE) & 1) != 0) {
  }
  REGISTER(UART_DATA) = byte;
}

uint32_t board_counter(void) {
  return 0xffffffffu - REGISTER(TIMER_VALUE);
}
