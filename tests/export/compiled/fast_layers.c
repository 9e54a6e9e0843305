/* SPDX-License-Identifier: Apache-2.0
 *
 * Random layers through the fast kernels: SEED COUNT, then a line for each with its shape and a
 * hash of all that it wrote. Every array is as long as the kernel's contract says, to the byte, so
 * that a sanitizer sees what is read or written outside.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecx_fast.h"

#define UNTOUCHED 0x5a

static uint32_t seed;

static uint32_t next(void) {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed;
}

/* From low to high, both included. */
static uint32_t draw(uint32_t low, uint32_t high) {
  return low + next() % (high - low + 1);
}

static void *room(size_t bytes) {
  void *found = malloc(bytes);
  if (found == NULL) {
    abort();
  }
  return found;
}

/* A third of all arrays has values at the ends of their range only. */
static int8_t *random_bytes(size_t count) {
  int8_t *found = (int8_t *)room(count);
  const int ends = draw(0, 2) == 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t value = next() >> 8;
    found[i] = (int8_t)(ends ? (value & 1u ? 127 : -128) : (int32_t)(value & 255u) - 128);
  }
  return found;
}

/* The end of a line: a hash, and how many values lie neither at an end of the range nor outside. */
static void say(const int8_t *bytes, size_t count) {
  uint32_t hash = 2166136261u;
  unsigned inside = 0;
  for (size_t i = 0; i < count; ++i) {
    hash = (hash ^ (uint8_t)bytes[i]) * 16777619u;
    inside += bytes[i] != -128 && bytes[i] != 127 && bytes[i] != UNTOUCHED;
  }
  printf(": %08x, %u of %u inside\n", (unsigned)hash, inside, (unsigned)count);
}

/* Sums of about any size come out inside the range of int8: the multipliers are of all sizes. */
static uint32_t multiplier(void) {
  const uint32_t found = next() >> 1, less = draw(0, 22);
  return (found >> less) | 1u;
}

static void pointwise(int exact) {
  const uint32_t in_c = draw(0, 1) ? draw(1, 40) : 8 * draw(1, 12), out_c = 2 * draw(1, 13);
  const uint32_t n = draw(1, 21), words = (in_c + 7) / 8 * 4, plane = (n + 2 + 3) / 4 * 4;
  const int planar = draw(0, 1) != 0;
  const size_t size = out_c * (planar ? plane : n);
  uint32_t *stream = (uint32_t *)room((words + 5) * (out_c / 2) * sizeof *stream), *to = stream;
  int8_t *x = random_bytes(n * in_c), *y = (int8_t *)room(size);
  for (uint32_t c = 0; c < out_c; c += 2) {
    *to++ = next();
    *to++ = exact ? next() >> 10 : next();
    for (uint32_t k = 0; k < 2 * words; k += 2) {
      const uint32_t low = k < in_c ? next() & 0xffff : 0, high = k + 1 < in_c ? next() : 0;
      *to++ = high << 16 | low;
    }
    *to++ = multiplier();
    *to++ = multiplier();
    const uint32_t shift_a = draw(1, 31), shift_b = draw(1, 31);
    const uint32_t zero = planar ? 0x80u : draw(0, 255);
    const uint32_t offset = draw(0, 1u << 17) - (1u << 16);
    *to++ = exact ? shift_a | shift_b << 8 | zero << 16 : offset;
  }
  const ecx_fast_pointwise layer = {stream,
                                    (uint16_t)in_c,
                                    (uint16_t)out_c,
                                    planar ? 1 : (int32_t)out_c,
                                    planar ? (int32_t)plane : 1,
                                    exact ? 0 : (uint8_t)(draw(0, 1) ? 4 : 7)};
  void *scratch = room(ECX_FAST_POINTWISE_SCRATCH(in_c, out_c));
  memset(y, UNTOUCHED, size);
  (exact ? ecx_exact_pointwise_s8 : ecx_fast_pointwise_s8)(x, planar ? y + 1 : y, n, &layer,
                                                           scratch);
  printf("%s pointwise %u -> %u, %u pixels, %s", exact ? "exact" : "fast", (unsigned)in_c,
         (unsigned)out_c, (unsigned)n, planar ? "planar" : "by pixels");
  say(y, size);
  free(stream);
  free(x);
  free(y);
  free(scratch);
}

static void depthwise(void) {
  const uint32_t channels = draw(1, 12), out_w = draw(0, 2) ? draw(1, 20) : draw(1, 100);
  const uint32_t stride = draw(1, 2), first = draw(0, 1), one_source = draw(0, 3) == 0;
  const uint32_t cells = first + (out_w - 1) * stride + 3, in_plane = (cells + 3) / 4 * 4;
  const uint32_t out_plane = (out_w + 2 + 3) / 4 * 4;
  const int planar = draw(0, 1) != 0;
  const size_t size = channels * (planar ? out_plane : out_w);
  uint32_t *stream = (uint32_t *)room(4 * ((9 * channels + 3) / 4 + 2 * channels));
  int8_t *weights = random_bytes((9 * channels + 3) / 4 * 4), *y = (int8_t *)room(size);
  int8_t *padding = (int8_t *)room(cells);
  int8_t *rows[3];
  memset(padding, (int)draw(0, 255), cells);
  for (uint32_t c = 0; c < channels; ++c) {
    stream[2 * c] = next();
    stream[2 * c + 1] = multiplier();
  }
  memcpy(stream + 2 * channels, weights, (9 * channels + 3) / 4 * 4);
  for (int r = 0; r < 3; ++r) {
    rows[r] = random_bytes(one_source ? cells : channels * in_plane);
  }
  const ecx_fast_depthwise layer = {stream,
                                    padding,
                                    (uint16_t)channels,
                                    (uint16_t)out_w,
                                    one_source ? 0 : (int32_t)in_plane,
                                    planar ? 1 : (int32_t)channels,
                                    planar ? (int32_t)out_plane : 1,
                                    (uint8_t)stride,
                                    (uint8_t)first};
  const int top = draw(0, 3) == 0, bottom = draw(0, 3) == 0;
  const int8_t *const given[3] = {top ? NULL : rows[0], rows[1], bottom ? NULL : rows[2]};
  memset(y, UNTOUCHED, size);
  ecx_fast_depthwise_s8(given, planar ? y + 1 : y, &layer);
  printf("depthwise %u channels, %u columns, stride %u, first %u%s%s%s, %s", (unsigned)channels,
         (unsigned)out_w, (unsigned)stride, (unsigned)first, one_source ? ", one source" : "",
         top ? ", top" : "", bottom ? ", bottom" : "", planar ? "planar" : "by pixels");
  say(y, size);
  free(stream);
  free(weights);
  free(padding);
  free(y);
  for (int r = 0; r < 3; ++r) {
    free(rows[r]);
  }
}

int main(int count, char **arguments) {
  if (count != 3) {
    return 2;
  }
  seed = (uint32_t)strtoul(arguments[1], NULL, 10) * 2654435761u | 1u;
  for (long left = strtol(arguments[2], NULL, 10); left > 0; --left) {
    const uint32_t kind = draw(0, 2);
    if (kind == 2) {
      depthwise();
    } else {
      pointwise(kind == 1);
    }
  }
  return 0;
}
