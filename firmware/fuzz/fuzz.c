/* SPDX-License-Identifier: Apache-2.0
 *
 * The device's parser against hostile bytes. Build it with sanitizers, the sources of firmware/src
 * and model.c, or those of an exported model, then
 *   clang -fsanitize=fuzzer,...           libFuzzer finds the inputs (`make fuzz`), or
 *   cc -DSEEDED -fsanitize=address,...    ./fuzz SEED COUNT makes COUNT inputs of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecx_app.h"
#include "ecx_port.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t left;
static uint64_t now;
static char said[16]; /* the end of what was said */

static void stop(const char *why) {
  fprintf(stderr, "%s\n", why);
  abort();
}

const ecx_board *ecx_port_board(void) {
  static const ecx_board board = {"fuzz", "us", 0, 0, 0};
  return &board;
}

/* 0xff is a time-out where one is waited for: no other input can make one. */
int ecx_port_read(uint32_t timeout_ms) {
  if (left == 0) {
    return ECX_CLOSED;
  }
  --left;
  const uint8_t byte = *input++;
  return byte == 0xff && timeout_ms != ECX_FOREVER ? ECX_TIMED_OUT : byte;
}

void ecx_port_write(const char *bytes, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    const unsigned char byte = (unsigned char)bytes[i];
    if ((byte < ' ' || byte > '~') && byte != '\r' && byte != '\n') {
      stop("a byte that is no text was sent");
    }
  }
  const uint32_t kept = count < sizeof said ? count : (uint32_t)sizeof said;
  memmove(said, said + kept, sizeof said - kept);
  memcpy(said + sizeof said - kept, bytes + count - kept, kept);
}

uint64_t ecx_port_clock(void) {
  return ++now;
}

uint32_t ecx_port_stack_bytes(void) {
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input = data;
  left = size;
  ecx_app_run();
  if (memcmp(said + sizeof said - 9, "m-ready\r\n", 9) != 0) {
    stop("a reply without m-ready");
  }
  return 0;
}

#ifdef SEEDED
static const char *const words[] = {
    "demo",
    "name",
    "profile",
    "timestamp",
    "info",
    "help",
    "results",
    "infer",
    "db",
    "load",
    "raw",
    "print",
    "crc",
    " ",
    " ",
    " ",
    "%",
    "%",
    "%",
    "%",
    "35",
    "36",
    "34",
    "0",
    "1",
    "2",
    "10001",
    "999999999",
    "4294967296",
    "-1",
    "00",
    "ff0102",
    "db load 35%",
    "db raw 35 00000000%",
    "infer 1 0%",
    "infer 2 1%",
    "\r\n",
    "aAbBcC",
    "deadbeef",
    "db 00%",
    "db 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f%",
    "db 20212223%",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "db raw 35 185c0abe%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "db load 35%db 0123456789abcdef0123456789abcdef0123456789abcdef00112233445566%db 8899AABB%",
    "infer 3 1%results%",
    "db print%",
    "db crc%",
};

#include "seeded.h"
#endif
