/* SPDX-License-Identifier: Apache-2.0
 *
 * Average and maximum pooling, float32, one output row at a time. Padding does not count.
 */
#include "ecx_float.h"

/* The columns of the window that exist: returns their number, *first is the first of them. */
static int32_t columns_of(const ecx_pool_f32 *layer, int32_t column, int32_t *first) {
  const int32_t start = column * layer->stride_w - layer->pad_left;
  const int32_t end = start + layer->kernel_w;
  *first = start > 0 ? start : 0;
  return (end < layer->in_w ? end : layer->in_w) - *first;
}

static float limited(float value, const ecx_pool_f32 *layer) {
  return value < layer->low ? layer->low : value > layer->high ? layer->high : value;
}

static float average(const float *const *rows, int32_t first, int32_t columns, int32_t c,
                     const ecx_pool_f32 *layer) {
  float sum = 0;
  int32_t count = 0;
  for (int32_t i = 0; i < layer->kernel_h; ++i) {
    if (rows[i] != 0) {
      for (int32_t j = first; j < first + columns; ++j) {
        sum += rows[i][j * layer->channels + c];
      }
      count += columns;
    }
  }
  return limited(sum / (float)count, layer);
}

static float maximum(const float *const *rows, int32_t first, int32_t columns, int32_t c,
                     const ecx_pool_f32 *layer) {
  float top = -3.40282347e+38f;
  for (int32_t i = 0; i < layer->kernel_h; ++i) {
    if (rows[i] != 0) {
      for (int32_t j = first; j < first + columns; ++j) {
        const float value = rows[i][j * layer->channels + c];
        top = value > top ? value : top;
      }
    }
  }
  return limited(top, layer);
}

void ecx_average_pool_row_f32(const float *const *rows, float *y, const ecx_pool_f32 *layer) {
  for (int32_t column = 0; column < layer->out_w; ++column) {
    int32_t first;
    const int32_t columns = columns_of(layer, column, &first);
    for (int32_t c = 0; c < layer->channels; ++c) {
      *y++ = average(rows, first, columns, c, layer);
    }
  }
}

void ecx_max_pool_row_f32(const float *const *rows, float *y, const ecx_pool_f32 *layer) {
  for (int32_t column = 0; column < layer->out_w; ++column) {
    int32_t first;
    const int32_t columns = columns_of(layer, column, &first);
    for (int32_t c = 0; c < layer->channels; ++c) {
      *y++ = maximum(rows, first, columns, c, layer);
    }
  }
}
