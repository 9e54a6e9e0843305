/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows in rings, and which streamed layer runs next.
 */
#ifndef ECX_STREAM_H
#define ECX_STREAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rows of one map: row r lies at offset + (r % slots) * stride of the arena. */
typedef struct {
  uint32_t offset;
  uint32_t stride;
  uint16_t slots;
  uint16_t rows;
} ecx_ring;

/* One streamed layer. Inputs and output are positions in the ring table; a layer with one input
 * names it twice. Output row r reads the input rows r * stride - pad ... + kernel - 1. */
typedef struct {
  uint8_t input, other, output;
  uint8_t kernel, stride, pad;
} ecx_stage;

static inline int8_t *ecx_row(int8_t *arena, const ecx_ring *ring, int32_t row) {
  return arena + ring->offset + (uint32_t)row % ring->slots * ring->stride;
}

/* Pointers to `count` rows from `first` on; NULL for a row outside the map. */
void ecx_window_s8(int8_t *arena, const ecx_ring *ring, int32_t first, int32_t count,
                   const int8_t **rows);
void ecx_window_f32(int8_t *arena, const ecx_ring *ring, int32_t first, int32_t count,
                    const float **rows);

/* The deepest stage that can make its next row, or -1. done[] counts the rows in each ring. */
int32_t ecx_stream_next(const ecx_stage *stages, int32_t count, const ecx_ring *rings,
                        const uint16_t *done);

#ifdef __cplusplus
}
#endif
#endif
