/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_stream.h"

void ecx_window_s8(int8_t *arena, const ecx_ring *ring, int32_t first, int32_t count,
                   const int8_t **rows) {
  for (int32_t i = 0; i < count; ++i) {
    const int32_t row = first + i;
    rows[i] = row >= 0 && row < ring->rows ? ecx_row(arena, ring, row) : 0;
  }
}

void ecx_window_f32(int8_t *arena, const ecx_ring *ring, int32_t first, int32_t count,
                    const float **rows) {
  for (int32_t i = 0; i < count; ++i) {
    const int32_t row = first + i;
    rows[i] = row >= 0 && row < ring->rows
                  ? (const float *)(const void *)ecx_row(arena, ring, row)
                  : 0;
  }
}

static int has_rows(const ecx_ring *ring, uint16_t done, int32_t end) {
  return done >= (end < ring->rows ? end : ring->rows);
}

int32_t ecx_stream_next(const ecx_stage *stages, int32_t count, const ecx_ring *rings,
                        const uint16_t *done) {
  for (int32_t i = count - 1; i >= 0; --i) {
    const ecx_stage *stage = &stages[i];
    const int32_t row = done[stage->output];
    const int32_t end = row * stage->stride - stage->pad + stage->kernel;
    if (row < rings[stage->output].rows && has_rows(&rings[stage->input], done[stage->input], end) &&
        has_rows(&rings[stage->other], done[stage->other], end)) {
      return i;
    }
  }
  return -1;
}
