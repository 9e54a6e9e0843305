/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_load.h"

#include "ecx_classifier.h"
#include "ecx_crc32.h"
#include "ecx_port.h"

static struct {
  uint32_t received;
  uint32_t missing;
  uint32_t crc;
#if !ECX_KEEP_IMAGE
  uint32_t in_row;
  uint64_t ticks;
#endif
} load;

uint32_t ecx_image_bytes(void) {
  return (uint32_t)ecx_model.height * ecx_model.width * ecx_model.channels;
}

void ecx_load_start(void) {
  load.received = 0;
  load.missing = ecx_image_bytes();
  load.crc = 0;
#if !ECX_KEEP_IMAGE
  const uint64_t start = ecx_port_clock();
  load.in_row = 0;
  ecx_classifier_begin();
  load.ticks = ecx_port_clock() - start;
#endif
}

void ecx_load_drop(void) {
  load.received = 0;
  load.missing = 0;
}

uint32_t ecx_load_missing(void) {
  return load.missing;
}

void ecx_load_byte(uint8_t byte) {
  if (load.missing == 0) {
    return;
  }
  load.crc = ecx_crc32(load.crc, &byte, 1);
#if ECX_KEEP_IMAGE
  ecx_model.pixels[load.received] = byte;
#else
  ecx_model.pixels[load.in_row++] = byte;
  if (load.in_row == (uint32_t)ecx_model.width * ecx_model.channels) {
    const uint64_t start = ecx_port_clock();
    load.in_row = 0;
    (void)ecx_classifier_push_row(ecx_model.pixels); /* no more rows than the model has */
    load.ticks += ecx_port_clock() - start;
  }
#endif
  ++load.received;
  --load.missing;
}

int ecx_load_complete(void) {
  return load.received == ecx_image_bytes();
}

uint32_t ecx_load_crc(void) {
  return load.crc;
}

uint64_t ecx_load_ticks(void) {
#if ECX_KEEP_IMAGE
  return 0;
#else
  return load.ticks;
#endif
}
