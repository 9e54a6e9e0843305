/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_infer.h"

#include <string.h>

#include "ecx_classifier.h"
#include "ecx_decision.h"
#include "ecx_load.h"
#include "ecx_port.h"
#include "ecx_text.h"

static struct {
  const void *scores; /* or NULL */
  uint32_t image_crc; /* of the image that gave them */
} last;

/* float32 scores are probabilities or logits: what is beyond a million is cut off there. */
static int64_t micro_of_float(float score) {
  const float limit = 1e6f;
  if (!(score > -limit)) {
    score = -limit; /* not a number, too */
  } else if (score > limit) {
    score = limit;
  }
  const float scaled = score * 1e6f;
  return (int64_t)(scaled + (scaled < 0 ? -0.5f : 0.5f));
}

static int64_t micro_of_int8(int8_t score) {
  const int64_t scaled = (score - ecx_model.output_zero_point) * ecx_model.output_scale * 1000000;
  /* Half away from 0; integer division cuts off. */
  return (scaled + (scaled < 0 ? -(INT64_C(1) << 30) : INT64_C(1) << 30)) / (INT64_C(1) << 31);
}

static int is_float(void) {
  return ecx_model.precision[0] == 'f';
}

void ecx_infer_forget(void) {
  last.scores = NULL;
}

const void *ecx_infer_scores(void) {
  return last.scores;
}

int64_t ecx_infer_micro(uint32_t index) {
  return is_float() ? micro_of_float(((const float *)last.scores)[index])
                    : micro_of_int8(((const int8_t *)last.scores)[index]);
}

uint32_t ecx_infer_best(void) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < ecx_model.outputs; ++i) {
    const int more = is_float()
                         ? ((const float *)last.scores)[i] > ((const float *)last.scores)[best]
                         : ((const int8_t *)last.scores)[i] > ((const int8_t *)last.scores)[best];
    best = more ? i : best;
  }
  return best;
}

void ecx_infer_print_scores(void) {
  for (uint32_t i = 0; i < ecx_model.outputs; ++i) {
    ecx_print(i > 0 ? "," : "");
    if (is_float()) {
      uint32_t bits;
      memcpy(&bits, (const float *)last.scores + i, sizeof bits);
      ecx_print_hex(bits, 8);
    } else {
      ecx_print_signed(((const int8_t *)last.scores)[i]);
    }
  }
}

void ecx_infer_print_results(void) {
  ecx_print("m-results-[");
  for (uint32_t i = 0; i < ecx_model.outputs; ++i) {
    ecx_print(i > 0 ? "," : "");
    ecx_print_micro(ecx_infer_micro(i));
  }
  ecx_print_line("]");
  ecx_print("m-scores-[");
  ecx_infer_print_scores();
  ecx_print_line("]");
  ecx_print_crc_line("m-image-[", last.image_crc);
  ecx_decision_print();
}

#if ECX_KEEP_IMAGE
ecx_span ecx_infer(uint32_t count) {
  const uint32_t row_bytes = (uint32_t)ecx_model.width * ecx_model.channels;
  ecx_span span;
  last.image_crc = ecx_load_crc();
  span.start = ecx_port_clock();
  for (uint32_t i = 0; i < count; ++i) {
    ecx_classifier_begin();
    for (uint32_t y = 0; y < ecx_model.height; ++y) {
      (void)ecx_classifier_push_row(ecx_model.pixels + y * row_bytes);
    }
    last.scores = ecx_classifier_finish();
    (void)ecx_port_clock();
  }
  span.end = ecx_port_clock();
  return span;
}
#else
/* The rows were computed as they came: the span is all the time in the model. */
ecx_span ecx_infer(uint32_t count) {
  ecx_span span;
  (void)count;
  last.image_crc = ecx_load_crc();
  span.start = ecx_port_clock();
  last.scores = ecx_classifier_finish();
  span.end = ecx_port_clock() + ecx_load_ticks();
  ecx_load_drop();
  return span;
}
#endif
