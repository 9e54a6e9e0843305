/* SPDX-License-Identifier: Apache-2.0
 *
 * BBC micro:bit v1 (nRF51822, Cortex-M0 at 16 MHz): UART on the USB interface chip's pins, TIMER0.
 */
#include "board.h"

#define CLOCK_HFCLKSTART 0x40000000u
#define CLOCK_HFCLKSTARTED 0x40000100u
#define GPIO_OUTSET 0x50000508u
#define GPIO_DIRSET 0x50000518u
#define GPIO_PIN_CNF(pin) (0x50000700u + 4u * (pin))
#define UART 0x40002000u
#define UART_STARTRX (UART + 0x0)
#define UART_STARTTX (UART + 0x8)
#define UART_RXDRDY (UART + 0x108)
#define UART_TXDRDY (UART + 0x11C)
#define UART_ENABLE (UART + 0x500)
#define UART_PSELTXD (UART + 0x50C)
#define UART_PSELRXD (UART + 0x514)
#define UART_RXD (UART + 0x518)
#define UART_TXD (UART + 0x51C)
#define UART_BAUDRATE (UART + 0x524)
#define BAUD_115200 0x01D7E000u
#define PIN_TX 24u
#define PIN_RX 25u
#define TIMER 0x40008000u
#define TIMER_START (TIMER + 0x0)
#define TIMER_CAPTURE (TIMER + 0x40)
#define TIMER_BITMODE (TIMER + 0x508)
#define TIMER_PRESCALER (TIMER + 0x510)
#define TIMER_CC (TIMER + 0x540)
#define SYSTICK_CTRL 0xE000E010u
#define SYSTICK_RELOAD 0xE000E014u
#define SYSTICK_VALUE 0xE000E018u
#define HZ 16000000u

board_facts board_start(void) {
  REGISTER(CLOCK_HFCLKSTART) = 1; /* the crystal: the internal oscillator is off by up to 6 % */
  (void)board_wait(CLOCK_HFCLKSTARTED, 1, 1);
  REGISTER(GPIO_OUTSET) = 1u << PIN_TX;
  REGISTER(GPIO_DIRSET) = 1u << PIN_TX;
  REGISTER(GPIO_PIN_CNF(PIN_RX)) = 0;
  REGISTER(UART_PSELTXD) = PIN_TX;
  REGISTER(UART_PSELRXD) = PIN_RX;
  REGISTER(UART_BAUDRATE) = BAUD_115200;
  REGISTER(UART_ENABLE) = 4;
  REGISTER(UART_STARTTX) = 1;
  REGISTER(UART_STARTRX) = 1;
  REGISTER(TIMER_BITMODE) = 3; /* 32 bits */
  REGISTER(TIMER_PRESCALER) = 0;
  REGISTER(TIMER_START) = 1;
  /* QEMU asked before STARTRX whether it may send a byte; a timer that fires makes it ask again. */
  REGISTER(SYSTICK_RELOAD) = 0xffff;
  REGISTER(SYSTICK_VALUE) = 0;
  REGISTER(SYSTICK_CTRL) = 5;
  return (board_facts){"microbit", HZ, HZ};
}

int board_receive(void) {
  if (REGISTER(UART_RXDRDY) == 0) {
    return -1;
  }
  REGISTER(UART_RXDRDY) = 0; /* before the byte is read: the next one may follow at once */
  return (int)(REGISTER(UART_RXD) & 0xff);
}

void board_send(uint8_t byte) {
  REGISTER(UART_TXDRDY) = 0;
  REGISTER(UART_TXD) = byte;
  while (REGISTER(UART_TXDRDY) == 0) {
  }
}

uint32_t board_counter(void) {
  REGISTER(TIMER_CAPTURE) = 1;
  return REGISTER(TIMER_CC);
}
