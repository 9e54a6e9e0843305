/* SPDX-License-Identifier: Apache-2.0
 *
 * What one bare-metal board supplies: a line and a counter. port.c makes ecx_port.h of it.
 */
#ifndef BOARD_H
#define BOARD_H

#include "startup.h"

typedef struct {
  const char *name;
  uint32_t core_hz;
  uint32_t counter_hz;
} board_facts;

/* Clock, pins, line at 115200 8N1, counter running. No wait without end. */
board_facts board_start(void);

/* The byte that has arrived, or -1. */
int board_receive(void);

/* Wait until there is room, then send. */
void board_send(uint8_t byte);

/* A counter of 32 bits that counts up and wraps. */
uint32_t board_counter(void);

/* Wait for bits of a register, but not for ever. Returns whether they came. */
static inline int board_wait(uintptr_t address, uint32_t mask, uint32_t value) {
  for (uint32_t polls = 0; polls < 200000; ++polls) {
    if ((REGISTER(address) & mask) == value) {
      return 1;
    }
  }
  return 0;
}

#endif
