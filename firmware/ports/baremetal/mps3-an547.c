/* SPDX-License-Identifier: Apache-2.0
 *
 * Arm MPS3 AN547 (Cortex-M55), as QEMU has it: CMSDK UART0, and the SSE-300 system timer at 32 MHz.
 */
#include "board.h"

#define UART 0x49303000u
#define UART_DATA (UART + 0x0)
#define UART_STATE (UART + 0x4) /* bit 0: no room to send, bit 1: a byte has arrived */
#define UART_CTRL (UART + 0x8)
#define UART_BAUDDIV (UART + 0x10)
#define COUNTER_ENABLE 0x58100000u
#define TIMER_LOW 0x48000000u
#define HZ 32000000u

board_facts board_start(void) {
  REGISTER(UART_BAUDDIV) = HZ / 115200;
  REGISTER(UART_CTRL) = 3;   /* send and receive */
  (void)REGISTER(UART_DATA); /* QEMU asks once whether it may send a byte; this asks it again */
  REGISTER(COUNTER_ENABLE) = 1;
  return (board_facts){"mps3-an547", HZ, HZ};
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
  return REGISTER(TIMER_LOW);
}
