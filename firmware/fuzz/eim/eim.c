/* SPDX-License-Identifier: Apache-2.0
 *
 * The .eim server's parser against hostile bytes. Build it with sanitizers and
 * firmware/ports/eim/request.c, then
 *   clang -fsanitize=fuzzer,...           libFuzzer finds the inputs (`make fuzz`), or
 *   cc -DSEEDED -fsanitize=address,...    ./eim SEED COUNT makes COUNT inputs of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"

#define ELEMENTS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "%s\n", what);
    abort();
  }
}

/* What the server relies on once a request is complete. */
static void check_answer(const eim_request *r) {
  check(memchr(r->error, 0, sizeof r->error) != NULL, "an error without an end");
  for (const char *c = r->error; *c != 0; ++c) {
    check(*c >= ' ' && *c <= '~' && *c != '"' && *c != '{' && *c != '}',
          "an error that is no text");
  }
  check(r->error[0] != 0 || r->verb != EIM_NOTHING, "a request without a verb was taken");
  if (r->error[0] == 0 && (r->verb == EIM_CLASSIFY || r->verb == EIM_CLASSIFY_SHM)) {
    check(r->count == ELEMENTS, "an image of another size was taken");
  }
}

/* All that an answer depends on. */
static uint32_t digest(uint32_t sum, const void *bytes, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    sum = (sum ^ ((const uint8_t *)bytes)[i]) * 16777619u;
  }
  return sum;
}

static uint32_t add_answer(uint32_t sum, const eim_request *r) {
  const int64_t id = r->has_id ? r->id : -1;
  check_answer(r);
  sum = digest(sum, r->error, strlen(r->error));
  sum = digest(sum, &r->verb, sizeof r->verb);
  sum = digest(sum, &id, sizeof id);
  sum = digest(sum, &r->debug, sizeof r->debug);
  sum = digest(sum, &r->count, sizeof r->count);
  sum = digest(sum, &r->block, sizeof r->block);
  sum = digest(sum, &r->min_score, sizeof r->min_score);
  return digest(sum, r->pixels, (size_t)r->elements * r->channels);
}

/* Takes the bytes, at most `piece` at once; returns a digest of all answers. */
static uint32_t take_all(eim_request *r, const uint8_t *data, size_t size, size_t piece) {
  uint32_t sum = 2166136261u;
  memset(r->pixels, 0, (size_t)r->elements * r->channels);
  eim_start(r);
  for (size_t i = 0; i < size;) {
    int complete;
    i += eim_take(r, data + i, size - i < piece ? size - i : piece, &complete);
    if (complete) {
      sum = add_answer(sum, r);
    }
  }
  return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char hello[] = "{\"hello\":1,\"id\":7}";
  for (uint32_t channels = 1; channels <= 3; channels += 2) {
    eim_request r;
    r.pixels = malloc(ELEMENTS * channels); /* so that a byte beyond its end is found */
    r.elements = ELEMENTS;
    r.channels = channels;
    const uint32_t in_bytes = take_all(&r, data, size, 1);
    check(take_all(&r, data, size, size) == in_bytes, "pieces made a difference");
    if (r.braces == 0) { /* whatever came, the next request is understood */
      int complete;
      const size_t taken = eim_take(&r, (const uint8_t *)hello, sizeof hello - 1, &complete);
      check(complete && taken == sizeof hello - 1, "a good request was not answered");
      check(r.verb == EIM_HELLO && r.id == 7 && r.error[0] == 0,
            "a good request was not understood");
    }
    free(r.pixels);
  }
  return 0;
}

#ifdef SEEDED
static const char *const words[] = {
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "{\"",
    "\"classify\"",
    "\"classify_shm\"",
    "\"set_threshold\"",
    "\"hello\"",
    "\"id\"",
    "\"debug\"",
    "\"elements\"",
    "\"min_score\"",
    "0",
    "1",
    "-1",
    "0.5",
    "1e9",
    "1e999",
    "16777215",
    "16777216",
    "9007199254740993",
    "00",
    "1.",
    "true",
    "false",
    "null",
    "\\",
    "\\u0041",
    "[1,2,3]",
    "{\"classify\":[",
    "7, 16777216,",
    "1,02,",
    "16777215, 0,",
    "123456789,",
    "{\"classify\":[1,2,3],\"id\":1}",
    "{\"classify_shm\":{\"elements\":3},\"id\":2}",
    "{\"set_threshold\":{\"id\":1,\"min_score\":0.5},\"id\":3}",
    "{\"hello\":1,\"id\":4}",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "99999999999999999999999999999999999999999999999999999999999",
    "[[[[[[[[[[[[[[[[[[[[",
};

#include "../seeded.h"
#endif
