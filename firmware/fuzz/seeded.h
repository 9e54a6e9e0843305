/* SPDX-License-Identifier: Apache-2.0
 *
 * A fuzzer without libFuzzer, for any compiler: SEED COUNT makes COUNT inputs out of the `words` of
 * the file that includes this, noise, flipped bits and cut ends.
 */
#ifndef SEEDED_H
#define SEEDED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t state;

static uint32_t draw(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % below;
}

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
    fprintf(stderr, "usage: %s SEED COUNT\n", arguments[0]);
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
