/* SPDX-License-Identifier: Apache-2.0
 *
 * A runtime that never gives a result, as TensorFlow Lite Micro does when its arena is too small.
 */
#include "ecx_classifier.h"

static uint8_t pixels[96 * 96];

const ecx_classifier ecx_model = {"0",  "broken", "0", "int8", "tflm", "[\"a\",\"b\"]",
                                  96,   96,       1,   2,      0,      INT64_C(1) << 23,
                                  -128, pixels,   0};

void ecx_classifier_begin(void) {
}

int ecx_classifier_push_row(const uint8_t *row) {
  return row == 0;
}

const void *ecx_classifier_finish(void) {
  return 0;
}
