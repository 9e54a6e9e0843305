/* SPDX-License-Identifier: Apache-2.0
 *
 * What the firmware decides of scores that come from standard input: records of the two numbers of
 * ecx_decision and OUTPUTS scores, int8_t or, with SCORES_ARE_FLOAT, float.
 */
#include <stdio.h>
#include <string.h>

#include "ecx_classifier.h"
#include "ecx_demo.h"
#include "ecx_infer.h"
#include "ecx_port.h"

#define OUTPUTS 3

#ifdef SCORES_ARE_FLOAT
typedef float score;
#define PRECISION "float32"
#else
typedef int8_t score;
#define PRECISION "int8"
#endif

static score scores[OUTPUTS];
static uint8_t pixels[1];
static ecx_decision decision;

const ecx_classifier ecx_model = {
    "0",  "test", "0",       PRECISION, "compiled", "[\"a\", \"b\\\"]\", \"\\u00fc\\\\\"]",
    1,    1,      1,         OUTPUTS,   0,          INT64_C(1) << 23,
    -128, pixels, &decision,
};

const ecx_demo_image ecx_demo_images[] = {{0, 0}};

void ecx_classifier_begin(void) {
}

int ecx_classifier_push_row(const uint8_t *row) {
  (void)row;
  return 0;
}

const void *ecx_classifier_finish(void) {
  return scores;
}

const ecx_board *ecx_port_board(void) {
  static const ecx_board board = {"test", "us", 0, 0, 0};
  return &board;
}

int ecx_port_read(uint32_t timeout_ms) {
  (void)timeout_ms;
  return ECX_CLOSED;
}

void ecx_port_write(const char *bytes, uint32_t count) {
  (void)fwrite(bytes, 1, count, stdout);
}

uint64_t ecx_port_clock(void) {
  return 0;
}

uint32_t ecx_port_stack_bytes(void) {
  return 0;
}

int main(void) {
  while (fread(&decision, sizeof decision, 1, stdin) == 1 &&
         fread(scores, sizeof *scores, OUTPUTS, stdin) == OUTPUTS) {
    (void)ecx_infer(1);
    ecx_infer_print_results();
  }
  return 0;
}
