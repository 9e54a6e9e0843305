/* SPDX-License-Identifier: Apache-2.0
 *
 * STM32F405 with a crystal of 8 MHz: 168 MHz, USART1 on PA9 and PA10, TIM2.
 * Without the crystal it stays on the internal 16 MHz.
 */
#include "board.h"

#define RCC 0x40023800u
#define RCC_CR (RCC + 0x00)
#define RCC_PLLCFGR (RCC + 0x04)
#define RCC_CFGR (RCC + 0x08)
#define RCC_AHB1ENR (RCC + 0x30)
#define RCC_APB1ENR (RCC + 0x40)
#define RCC_APB2ENR (RCC + 0x44)
#define PWR_CR 0x40007000u
#define FLASH_ACR 0x40023C00u
#define GPIOA_MODER 0x40020000u
#define GPIOA_PUPDR 0x4002000Cu
#define GPIOA_AFRH 0x40020024u
#define USART_SR 0x40011000u
#define USART_DR 0x40011004u
#define USART_BRR 0x40011008u
#define USART_CR1 0x4001100Cu
#define TIM2_CR1 0x40000000u
#define TIM2_EGR 0x40000014u
#define TIM2_CNT 0x40000024u
#define TIM2_PSC 0x40000028u
#define TIM2_ARR 0x4000002Cu

#define HSI_HZ 16000000u
#define PLL_HZ 168000000u
#define QEMU_TIM2_HZ 1000000000u /* QEMU's TIM2 knows no RCC */

/* Whether the core now runs at PLL_HZ. QEMU's ready bits never come. */
static int start_pll(void) {
  REGISTER(RCC_CR) |= 1u << 16; /* HSEON */
  if (!board_wait(RCC_CR, 1u << 17, 1u << 17)) {
    return 0;
  }
  REGISTER(RCC_APB1ENR) |= 1u << 28; /* PWREN */
  REGISTER(PWR_CR) |= 1u << 14;      /* VOS: scale 1, which 168 MHz need */
  /* 8 MHz / M 8 * N 336 / P 2; Q 7; from the HSE. */
  REGISTER(RCC_PLLCFGR) = 8u | (336u << 6) | (0u << 16) | (1u << 22) | (7u << 24);
  REGISTER(RCC_CFGR) = (5u << 10) | (4u << 13); /* APB1 / 4, APB2 / 2 */
  REGISTER(RCC_CR) |= 1u << 24;                 /* PLLON */
  if (!board_wait(RCC_CR, 1u << 25, 1u << 25)) {
    return 0;
  }
  REGISTER(FLASH_ACR) = 5u | (7u << 8); /* wait states, prefetch, caches */
  if (!board_wait(FLASH_ACR, 15u, 5u)) {
    return 0;
  }
  REGISTER(RCC_CFGR) |= 2u;
  return board_wait(RCC_CFGR, 3u << 2, 2u << 2);
}

board_facts board_start(void) {
  const int fast = start_pll();
  const int real = (REGISTER(RCC_CR) & 2u) != 0; /* HSIRDY, set since reset but in QEMU */
  /* After a failed start the prescalers may be set, and hold: APB2 / 2, timers of APB1 at / 2. */
  if (!fast) {
    REGISTER(RCC_CFGR) = 0;
  }
  const uint32_t core_hz = fast ? PLL_HZ : HSI_HZ;
  const uint32_t apb2_hz = fast ? PLL_HZ / 2 : HSI_HZ;
  const uint32_t tim2_hz = fast ? PLL_HZ / 2 : HSI_HZ;
  REGISTER(RCC_AHB1ENR) |= 1u;      /* GPIOA */
  REGISTER(RCC_APB1ENR) |= 1u;      /* TIM2 */
  REGISTER(RCC_APB2ENR) |= 1u << 4; /* USART1 */
  (void)REGISTER(RCC_APB2ENR);      /* two cycles until the clock is there */
  REGISTER(GPIOA_PUPDR) = (REGISTER(GPIOA_PUPDR) & ~(3u << 20)) | (1u << 20); /* PA10 up */
  REGISTER(GPIOA_AFRH) = (REGISTER(GPIOA_AFRH) & ~(0xFFu << 4)) | (0x77u << 4);
  REGISTER(GPIOA_MODER) = (REGISTER(GPIOA_MODER) & ~(15u << 18)) | (10u << 18);
  REGISTER(USART_BRR) = (apb2_hz + 57600u) / 115200u;
  REGISTER(USART_CR1) = (1u << 13) | (1u << 3) | (1u << 2); /* UE TE RE */
  REGISTER(TIM2_PSC) = 0;
  REGISTER(TIM2_ARR) = 0xffffffffu;
  REGISTER(TIM2_EGR) = 1;
  REGISTER(TIM2_CR1) = 1;
  return (board_facts){"stm32f405", core_hz, real ? tim2_hz : QEMU_TIM2_HZ};
}

int board_receive(void) {
  /* RXNE, or ORE: reading both registers clears an overrun, which would end all reception. */
  return (REGISTER(USART_SR) & 0x28u) != 0 ? (int)(REGISTER(USART_DR) & 0xff) : -1;
}

void board_send(uint8_t byte) {
  while ((REGISTER(USART_SR) & 0x80u) == 0) {
  }
  REGISTER(USART_DR) = byte;
}

uint32_t board_counter(void) {
  return REGISTER(TIM2_CNT);
}
