/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_info.h"

#include <string.h>

#include "ecx_classifier.h"
#include "ecx_demo.h"
#include "ecx_port.h"
#include "ecx_text.h"

int ecx_clock_counts_cycles(void) {
  return strcmp(ecx_port_board()->clock, "cycles") == 0;
}

static void info_text(const char *key, const char *value) {
  ecx_print(",\"");
  ecx_print(key);
  ecx_print("\":\"");
  ecx_print(value);
  ecx_print("\"");
}

static void info_number(const char *key, uint32_t value) {
  ecx_print(",\"");
  ecx_print(key);
  ecx_print("\":");
  if (value == 0) {
    ecx_print("null");
  } else {
    ecx_print_number(value);
  }
}

static void info_compiler(void) {
#if defined(__clang__)
  ecx_print(",\"compiler\":\"clang ");
  ecx_print_number(__clang_major__);
  ecx_print(".");
  ecx_print_number(__clang_minor__);
  ecx_print(".");
  ecx_print_number(__clang_patchlevel__);
  ecx_print("\"");
#elif defined(__GNUC__)
  ecx_print(",\"compiler\":\"gcc ");
  ecx_print_number(__GNUC__);
  ecx_print(".");
  ecx_print_number(__GNUC_MINOR__);
  ecx_print(".");
  ecx_print_number(__GNUC_PATCHLEVEL__);
  ecx_print("\"");
#else
  ecx_print(",\"compiler\":null");
#endif
}

void ecx_info_print(void) {
  const ecx_board *board = ecx_port_board();
  ecx_print("m-info-[{\"wire\":1");
  info_text("edgecxr", ecx_model.edgecxr);
  info_text("board", board->board);
  info_text("model", ecx_model.name);
  info_text("sha256", ecx_model.sha256);
  info_text("precision", ecx_model.precision);
  ecx_print(",\"labels\":");
  ecx_print(ecx_model.labels_json);
  ecx_print(",\"input\":[");
  ecx_print_number(ecx_model.height);
  ecx_print(",");
  ecx_print_number(ecx_model.width);
  ecx_print(",");
  ecx_print_number(ecx_model.channels);
  ecx_print("]");
  info_text("runtime", ecx_model.runtime);
  info_compiler();
  info_number("clock_hz", board->core_hz);
  info_text("clock", board->clock);
  info_number("flash_bytes", board->flash_bytes);
  info_number("static_ram_bytes", board->static_ram_bytes);
  info_number("arena_bytes", ecx_model.arena_bytes);
  info_number("stack_bytes", ecx_port_stack_bytes());
  ecx_print(",\"keeps_image\":");
  ecx_print(ECX_KEEP_IMAGE ? "true" : "false");
  ecx_print(",\"db_raw\":");
  ecx_print(ECX_KEEP_IMAGE ? "true" : "false");
  info_number("demo_images", ecx_demo_count());
  ecx_print_line("}]");
}
