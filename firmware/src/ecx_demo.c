/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_demo.h"

#include <stddef.h>

#include "ecx_classifier.h"
#include "ecx_decision.h"
#include "ecx_infer.h"
#include "ecx_load.h"
#include "ecx_port.h"
#include "ecx_text.h"

uint32_t ecx_demo_count(void) {
  uint32_t count = 0;
  while (ecx_demo_images[count].name != 0) {
    ++count;
  }
  return count;
}

/* As if it had come over the wire. */
static void load(const uint8_t *packed) {
  const uint32_t half_width = (ecx_model.width + 1u) / 2;
  ecx_load_start();
  for (uint32_t y = 0; y < ecx_model.height; ++y) {
    for (uint32_t x = 0; x < ecx_model.width; ++x) {
      const uint32_t at = y / 2 * half_width + x / 2;
      const uint8_t pair = packed[at / 2];
      ecx_load_byte((uint8_t)((at % 2 == 0 ? pair >> 4 : pair & 15) * 17));
    }
  }
}

static void print_line(const char *name, uint32_t crc, uint64_t ticks) {
  const uint32_t best = ecx_infer_best();
  ecx_print("m-demo-[{\"image\":\"");
  ecx_print(name);
  ecx_print("\",\"crc32\":\"");
  ecx_print_hex(crc, 8);
  ecx_print("\",\"label\":");
  ecx_print_label(best);
  ecx_decision_print_rest();
  ecx_print(",\"score\":");
  ecx_print_micro(ecx_infer_micro(best));
  ecx_print(",\"scores\":\"");
  ecx_infer_print_scores();
  ecx_print("\",\"");
  ecx_print(ecx_port_board()->clock);
  ecx_print("\":");
  ecx_print_number(ticks);
  ecx_print_line("}]");
}

int ecx_demo_run(void) {
  for (const ecx_demo_image *image = ecx_demo_images; image->name != 0; ++image) {
    load(image->packed);
    const uint32_t crc = ecx_load_crc();
    const ecx_span span = ecx_infer(1);
    if (ecx_infer_scores() == NULL) {
      return -1;
    }
    print_line(image->name, crc, span.end - span.start);
  }
  return 0;
}
