/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_maps.h"

void ecx_table_s8(const int8_t *x, int8_t *y, uint32_t n, const int8_t *table) {
  for (uint32_t i = 0; i < n; ++i) {
    y[i] = table[x[i] + 128];
  }
}

void ecx_table_u8(const uint8_t *x, int8_t *y, uint32_t n, const int8_t *table) {
  for (uint32_t i = 0; i < n; ++i) {
    y[i] = table[x[i]];
  }
}
