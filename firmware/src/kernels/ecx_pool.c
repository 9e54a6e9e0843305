/* SPDX-License-Identifier: Apache-2.0
 *
 * Average and maximum pooling, int8, one output row at a time. Padding does not count.
 */
#include "ecx_maps.h"
#include "ecx_requantize.h"

/* The columns of the window that exist: returns their number, *first is the first of them. */
static int32_t columns_of(const ecx_pool_s8 *layer, int32_t column, int32_t *first) {
  const int32_t start = column * layer->stride_w - layer->pad_left;
  const int32_t end = start + layer->kernel_w;
  *first = start > 0 ? start : 0;
  return (end < layer->in_w ? end : layer->in_w) - *first;
}

static int8_t average(const int8_t *const *rows, int32_t first, int32_t columns, int32_t c,
                      const ecx_pool_s8 *layer) {
  int32_t sum = 0;
  int32_t count = 0;
  for (int32_t i = 0; i < layer->kernel_h; ++i) {
    if (rows[i] != 0) {
      for (int32_t j = first; j < first + columns; ++j) {
        sum += rows[i][j * layer->channels + c];
      }
      count += columns;
    }
  }
  sum = sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
  return ecx_clamp(sum, layer->low, layer->high);
}

static int8_t maximum(const int8_t *const *rows, int32_t first, int32_t columns, int32_t c,
                      const ecx_pool_s8 *layer) {
  int32_t top = -128;
  for (int32_t i = 0; i < layer->kernel_h; ++i) {
    if (rows[i] != 0) {
      for (int32_t j = first; j < first + columns; ++j) {
        const int32_t value = rows[i][j * layer->channels + c];
        top = value > top ? value : top;
      }
    }
  }
  return ecx_clamp(top, layer->low, layer->high);
}

void ecx_average_pool_row_s8(const int8_t *const *rows, int8_t *y, const ecx_pool_s8 *layer) {
  for (int32_t column = 0; column < layer->out_w; ++column) {
    int32_t first;
    const int32_t columns = columns_of(layer, column, &first);
    for (int32_t c = 0; c < layer->channels; ++c) {
      *y++ = average(rows, first, columns, c, layer);
    }
  }
}

void ecx_max_pool_row_s8(const int8_t *const *rows, int8_t *y, const ecx_pool_s8 *layer) {
  for (int32_t column = 0; column < layer->out_w; ++column) {
    int32_t first;
    const int32_t columns = columns_of(layer, column, &first);
    for (int32_t c = 0; c < layer->channels; ++c) {
      *y++ = maximum(rows, first, columns, c, layer);
    }
  }
}
