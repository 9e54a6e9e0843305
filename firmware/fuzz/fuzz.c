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
    memmove(said, said + 1, sizeof said - 1);
    said[sizeof said - 1] = (char)byte;
  }
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
static uint32_t state;

static uint32_t draw(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % below;
}

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

static size_t make_input(uint8_t *out, size_t room) {
  size_t size = 0;
  for (uint32_t parts = 1 + draw(24); parts > 0; --parts) {
    const char *word = words[draw(sizeof words / sizeof *words)];
    size_t count = strlen(word);
    uint8_t noise[48];
    const uint32_t kind = draw(8);
    if (kind == 0) { /* bytes of an image, or of nothing */
      count = draw(sizeof noise);
      for (size_t i = 0; i < count; ++i) {
        noise[i] = (uint8_t)draw(256);
      }
      word = (const char *)noise;
    }
    if (size + count > room) {
      break;
    }
    memcpy(out + size, word, count);
    if (kind == 1 && count > 0) { /* one bit flipped */
      out[size + draw((uint32_t)count)] ^= (uint8_t)(1u << draw(8));
    }
    size += kind == 2 ? draw((uint32_t)count + 1) : count; /* or cut off */
  }
  return size;
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: fuzz SEED COUNT\n");
    return 2;
  }
  state = (uint32_t)strtoul(arguments[1], NULL, 10) * 2654435761u + 1;
  const unsigned long inputs = strtoul(arguments[2], NULL, 10);
  uint8_t *exact = NULL;
  uint8_t bytes[1024];
  for (unsigned long i = 0; i < inputs; ++i) {
    const size_t size = make_input(bytes, sizeof bytes);
    exact = realloc(exact, size + 1);
    memcpy(exact, bytes, size);
    LLVMFuzzerTestOneInput(exact, size);
  }
  free(exact);
  printf("%lu inputs\n", inputs);
  return 0;
}
#endif
