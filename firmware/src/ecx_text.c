/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_text.h"

#include <string.h>

#include "ecx_crc32.h"
#include "ecx_port.h"

#define MILLION 1000000u

static uint32_t check;

static void print_bytes(const char *bytes, uint32_t count) {
  check = ecx_crc32(check, (const uint8_t *)bytes, count);
  ecx_port_write(bytes, count);
}

void ecx_print_check_start(const char *text) {
  check = ecx_crc32(0, (const uint8_t *)text, (uint32_t)strlen(text));
}

uint32_t ecx_print_check(void) {
  return check;
}

void ecx_print(const char *text) {
  print_bytes(text, (uint32_t)strlen(text));
}

/* At least `digits` digits, with zeros before them. */
static void print_padded(uint64_t value, uint32_t digits) {
  char text[20]; /* 2^64 has 20 digits */
  uint32_t at = sizeof text;
  while (at > 0 && (value != 0 || sizeof text - at < digits)) {
    text[--at] = (char)('0' + (char)(value % 10));
    value /= 10;
  }
  print_bytes(text + at, (uint32_t)sizeof text - at);
}

void ecx_print_number(uint64_t value) {
  print_padded(value, 1);
}

/* The minus sign, and what is left. */
static uint64_t magnitude(int64_t value) {
  if (value >= 0) {
    return (uint64_t)value;
  }
  ecx_print("-");
  return (uint64_t)0 - (uint64_t)value;
}

void ecx_print_signed(int64_t value) {
  ecx_print_number(magnitude(value));
}

void ecx_print_hex(uint32_t value, uint32_t digits) {
  for (uint32_t i = digits; i-- > 0;) {
    print_bytes(&"0123456789ABCDEF"[(value >> (4 * i)) & 15], 1);
  }
}

void ecx_print_micro(int64_t value) {
  const uint64_t positive = magnitude(value);
  ecx_print_number(positive / MILLION);
  ecx_print(".");
  print_padded(positive % MILLION, 6);
}

void ecx_print_end(void) {
  ecx_print("\r\n");
}

void ecx_print_line(const char *text) {
  ecx_print(text);
  ecx_print_end();
}

void ecx_print_crc_line(const char *before, uint32_t crc) {
  ecx_print(before);
  ecx_print_hex(crc, 8);
  ecx_print_line("]");
}
