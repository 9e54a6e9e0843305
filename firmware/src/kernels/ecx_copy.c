/* SPDX-License-Identifier: Apache-2.0
 *
 * Padding and concatenation: bytes of any type.
 */
#include "ecx_maps.h"

#include <string.h>

static uint8_t *fill(uint8_t *to, int32_t value, uint32_t count) {
  memset(to, value, count);
  return to + count;
}

void ecx_pad_row(const void *x, void *y, const ecx_pad_layer *layer) {
  const uint8_t *from = (const uint8_t *)x;
  uint8_t *to = fill((uint8_t *)y, layer->fill, layer->left);
  for (uint32_t i = 0; i < layer->pixels; ++i) {
    to = fill(to, layer->fill, layer->before);
    if (from == 0) {
      to = fill(to, layer->fill, layer->pixel_bytes);
    } else {
      memcpy(to, from, layer->pixel_bytes);
      to += layer->pixel_bytes;
      from += layer->pixel_bytes;
    }
    to = fill(to, layer->fill, layer->after);
  }
  fill(to, layer->fill, layer->right);
}

/* Four at a time: flipping the top bit of a byte takes 128 away. */
void ecx_pixels_s8(const uint8_t *pixels, int8_t *to, uint32_t n) {
  uint32_t i = 0;
  for (; i + 4 <= n; i += 4) {
    uint32_t four;
    memcpy(&four, pixels + i, 4);
    four ^= 0x80808080u;
    memcpy(to + i, &four, 4);
  }
  for (; i < n; ++i) {
    to[i] = (int8_t)(pixels[i] - 128);
  }
}

void ecx_copy_blocks(const void *x, void *y, uint32_t count, uint32_t bytes, uint32_t stride) {
  const uint8_t *from = (const uint8_t *)x;
  uint8_t *to = (uint8_t *)y;
  for (; count > 0; --count) {
    memcpy(to, from, bytes);
    from += bytes;
    to += stride;
  }
}
