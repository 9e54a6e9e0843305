/* SPDX-License-Identifier: Apache-2.0
 *
 * The real firmware with time that stands still: frames on standard input and output.
 *   from the test:  'D' size bytes (they arrive) or 'T' (the time-out that was waited for is over)
 *   to the test:    'O' size bytes (the firmware sends) or 'W' milliseconds (it waits for a byte)
 * Numbers are uint32 in the order of this computer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ecx_app.h"
#include "ecx_port.h"

#ifndef CLOCK
#define CLOCK "us"
#define CORE_HZ 0
#endif

static unsigned char buffer[1 << 16];
static uint32_t filled, taken;

static void send_frame(char kind, uint32_t number) {
  putchar(kind);
  fwrite(&number, sizeof number, 1, stdout);
}

const ecx_board *ecx_port_board(void) {
  static const ecx_board board = {"virtual", CLOCK, CORE_HZ, 0, 0};
  return &board;
}

int ecx_port_read(uint32_t timeout_ms) {
  while (taken == filled) {
    send_frame('W', timeout_ms);
    fflush(stdout);
    const int kind = getchar();
    if (kind == 'T') {
      return ECX_TIMED_OUT;
    }
    taken = filled = 0;
    if (kind != 'D' || fread(&filled, sizeof filled, 1, stdin) != 1 || filled > sizeof buffer ||
        fread(buffer, 1, filled, stdin) != filled) {
      return ECX_CLOSED;
    }
  }
  return buffer[taken++];
}

void ecx_port_write(const char *bytes, uint32_t count) {
  send_frame('O', count);
  fwrite(bytes, 1, count, stdout);
}

/* Every look takes as long, so that an inference always takes the same. It starts before a wrap. */
uint64_t ecx_port_clock(void) {
  static uint64_t now = 0xffff0000u;
  return now += 12345;
}

uint32_t ecx_port_stack_bytes(void) {
  return 0;
}

int main(void) {
  ecx_app_run();
  return 0;
}
