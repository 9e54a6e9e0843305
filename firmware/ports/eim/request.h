/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests of the .eim protocol, taken as they come: bare JSON objects without an end mark, of
 * any length, in any pieces. Pixels are stored as they come, so a request needs no buffer.
 */
#ifndef ECX_EIM_REQUEST_H
#define ECX_EIM_REQUEST_H

#include <stddef.h>
#include <stdint.h>

typedef enum { EIM_NOTHING, EIM_HELLO, EIM_CLASSIFY, EIM_CLASSIFY_SHM, EIM_THRESHOLD } eim_verb;

typedef struct {
  /* Given by the caller. */
  uint8_t *pixels;   /* [elements][channels] */
  uint32_t elements; /* pixels of an image */
  uint32_t channels; /* 1: luminance; 3: red, green, blue */

  /* Good once eim_take has found a request complete. */
  eim_verb verb;
  char error[80]; /* what is wrong, or "" */
  int has_id;
  int64_t id;
  int debug;
  uint64_t count;   /* values of classify, or "elements" of classify_shm */
  int64_t block;    /* "id" of set_threshold, or -1 */
  double min_score; /* of set_threshold, or -1 */

  /* Where in the text the parser is. */
  int in_string, escaped; /* for finding the end of an object, however wrong it is */
  uint64_t braces;
  int lost;               /* between objects, after something else */
  int state, key;         /* key: the string that is being read is one */
  uint32_t depth, arrays; /* containers that are open; bit n: number n is an array */
  uint32_t hex_left;
  int field, inner; /* key of the object itself, and of an object in it */
  char token[32];
  uint32_t size; /* of the token; more than fits is counted and not kept */
} eim_request;

/* Be ready for a first request; the caller's members stay. */
void eim_start(eim_request *request);

/* Take up to count bytes: those up to the end of a request, which makes *complete 1 and an answer
 * due, else all. Returns how many were taken. */
size_t eim_take(eim_request *request, const uint8_t *bytes, size_t count, int *complete);

/* Store what a client means by one value, (red << 16) + (green << 8) + blue. Returns 0, or -1 if it
 * is no such number. Writes within [elements] only: index must be below it. */
int eim_pixel(const eim_request *request, uint64_t index, double value);

#endif
