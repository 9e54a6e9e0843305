/* SPDX-License-Identifier: Apache-2.0
 *
 * A small model whose rows are counted: many inputs a second run, and a row too many is found.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ecx_classifier.h"
#include "ecx_demo.h"

#define HEIGHT 5
#define WIDTH 7

static uint32_t rows;

/* Memory of its own, so that a byte beyond its end is found. */
#if ECX_KEEP_IMAGE
static uint8_t pixels[HEIGHT * WIDTH];
#else
static uint8_t pixels[WIDTH];
#endif
static int8_t scores[2];

static const ecx_decision decision = {64, 0};

const ecx_classifier ecx_model = {"0",    "fuzz", "0",      "int8", "compiled", "[\"a\",\"\\\"b\"]",
                                  HEIGHT, WIDTH,  1,        2,      0,          INT64_C(1) << 23,
                                  -128,   pixels, &decision};

/* Three by four pixels at 4 bits. */
static const uint8_t packed[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab};
const ecx_demo_image ecx_demo_images[] = {{"first", packed}, {"second", packed}, {0, 0}};

static void stop(const char *why) {
  fprintf(stderr, "%s\n", why);
  abort();
}

void ecx_classifier_begin(void) {
  rows = 0;
}

int ecx_classifier_push_row(const uint8_t *row) {
  uint32_t sum = 0;
  for (uint32_t x = 0; x < WIDTH; ++x) {
    sum += row[x];
  }
  scores[0] = (int8_t)(sum & 127);
  if (++rows > HEIGHT) {
    stop("a row too many");
  }
  return 0;
}

const void *ecx_classifier_finish(void) {
  if (rows != HEIGHT) {
    stop("an inference with rows missing");
  }
  return scores;
}
