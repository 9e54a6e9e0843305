/* SPDX-License-Identifier: Apache-2.0
 *
 * ecx_port.h for all bare-metal boards.
 *
 * The clock is the core's own cycle counter where it moves. QEMU's stands still:
 * QEMU with -icount lets a fixed time of 2^n ns pass per instruction, and every counter then counts
 * instructions. The port finds out: it times loops of known length. A real core takes 1 to 4 cycles
 * for these instructions, and no board here has a clock whose cycles come to a power of two.
 */
#include <string.h>

#include "board.h"
#include "ecx_app.h"
#include "ecx_cycles.h"
#include "ecx_port.h"

#define NS_PER_SECOND 1000000000u
#define LOOPS 20000u /* of two instructions each */
#define MAX_SHIFT 10

extern uint32_t flash_bytes[], static_ram_bytes[]; /* their addresses are the figures */

static board_facts facts;
static ecx_board about;
static uint64_t counted; /* the counter, extended */
static uint32_t last;
static int has_cycles;
static uint64_t cycles; /* those of the core, extended */
static uint32_t last_cycles;
static uint32_t tick_ns_by_32; /* 32 times the ns of a tick; a whole number on emulated boards */
static int shift = -1;         /* one instruction takes 2^shift ns; -1: no such thing */

static uint64_t counter(void) {
  const uint32_t now = board_counter();
  counted += now - last;
  last = now;
  return counted;
}

static uint64_t nanoseconds(uint64_t ticks) {
  const uint64_t seconds = ticks / facts.counter_hz;
  return seconds * NS_PER_SECOND + ticks % facts.counter_hz * NS_PER_SECOND / facts.counter_hz;
}

/* Two instructions a turn. */
__attribute__((noinline)) static void spin(uint32_t turns) {
  __asm__ volatile(".syntax unified\n.balign 8\n1: subs %0, #1\n bne 1b\n" : "+l"(turns) : : "cc");
}

static uint32_t time_of(uint32_t turns) {
  const uint64_t start = counter();
  spin(turns);
  return (uint32_t)(counter() - start);
}

/* The time of 2 * LOOPS instructions: the difference of two loops has no overhead. */
static int find_shift(void) {
  const uint32_t once = time_of(LOOPS);
  const uint32_t ticks = time_of(2 * LOOPS) - once;
  const uint64_t tick_ns = NS_PER_SECOND / facts.counter_hz + 1;
  for (int n = 0; n <= MAX_SHIFT; ++n) {
    const uint64_t expected = (uint64_t)(2 * LOOPS) << n;
    const uint64_t found = nanoseconds(ticks);
    if (found + 2 * tick_ns >= expected && found <= expected + 2 * tick_ns) {
      return n;
    }
  }
  return -1;
}

const ecx_board *ecx_port_board(void) {
  return &about;
}

int ecx_port_read(uint32_t timeout_ms) {
  const uint64_t limit = (uint64_t)facts.counter_hz / 1000 * timeout_ms;
  const uint64_t start = counter();
  for (;;) {
    const int byte = board_receive();
    if (byte >= 0) {
      return byte;
    }
    if (timeout_ms != ECX_FOREVER && counter() - start > limit) {
      return ECX_TIMED_OUT;
    }
  }
}

void ecx_port_write(const char *bytes, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    board_send((uint8_t)bytes[i]);
  }
}

static uint64_t core_cycles(void) {
  const uint32_t now = ecx_cycles();
  cycles += now - last_cycles;
  last_cycles = now;
  return cycles;
}

/* Instructions come without a division, whose length varies: the same work gives the same count. */
uint64_t ecx_port_clock(void) {
  if (has_cycles) {
    return core_cycles();
  }
  return shift < 0 ? nanoseconds(counter()) / 1000 : (counter() * tick_ns_by_32) >> (5 + shift);
}

uint32_t ecx_port_stack_bytes(void) {
  return stack_bytes_used();
}

void fault(void) {
  const char *text = "\r\ne-[Fault: the firmware has stopped; reset the board]\r\n";
  while (*text != 0) {
    board_send((uint8_t)*text++);
  }
  for (;;) {
  }
}

void finished(int code) {
  (void)code;
  for (;;) {
  }
}

int main(void) {
  facts = board_start();
  last = board_counter();
  tick_ns_by_32 = (uint32_t)(UINT64_C(32) * NS_PER_SECOND / facts.counter_hz);
  shift = find_shift();
  if (shift >= 0 && (find_shift() != shift || find_shift() != shift)) {
    shift = -1;
  }
  about.board = facts.name;
  has_cycles = ecx_cycles_start();
  last_cycles = ecx_cycles();
  about.clock = has_cycles ? "cycles" : shift < 0 ? "us" : "instructions";
  about.core_hz = facts.core_hz;
  about.flash_bytes = (uint32_t)(uintptr_t)flash_bytes;
  about.static_ram_bytes = (uint32_t)(uintptr_t)static_ram_bytes;
  ecx_app_run();
  return 0;
}
