/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers that run row by row: rows in rings, and which layer makes its next row.
 *
 * A ring has a slot for every row that lives. Where it has a staging row too, it has one slot less:
 * the newest row waits in the staging row while the oldest one is still read, and moves into its
 * slot once the reading layer has run (ecx_row_made).
 */
#ifndef ECX_STREAM_H
#define ECX_STREAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ECX_NO_STAGING 0xffffffffu

/* Rows of one map: row r lies at offset + (r % slots) * stride of the arena. */
typedef struct {
  uint32_t offset;
  uint32_t stride;
  uint32_t staging; /* offset of the staging row, or ECX_NO_STAGING */
  uint16_t slots;
  uint16_t rows;
  uint8_t reader; /* the stage that reads the ring, where there is a staging row */
} ecx_ring;

/* One layer. Inputs and output are positions in the ring table; a layer with one input names it
 * twice. Output row r reads the input rows r * stride - pad ... + kernel - 1. */
typedef struct {
  uint8_t input, other, output;
  uint8_t kernel, stride, pad;
  uint8_t last_reader; /* the last stage that reads the output; itself if none does */
} ecx_stage;

/* How far a ring is. */
typedef struct {
  uint16_t done;  /* rows that are there */
  uint8_t staged; /* the newest one is in the staging row */
} ecx_progress;

typedef struct {
  const ecx_ring *rings;
  const ecx_stage *stages;
  int8_t *arena;
  ecx_progress *progress; /* [ring] */
} ecx_stream;

/* Where the next row of a ring goes. */
int8_t *ecx_next_row(const ecx_stream *stream, uint32_t ring);

/* A row that is there. */
const int8_t *ecx_row(const ecx_stream *stream, uint32_t ring, int32_t row);

/* The rows that the stage's next output row reads; NULL for a row outside the map. */
void ecx_window_s8(const ecx_stream *stream, uint32_t stage, const int8_t **rows);
void ecx_window_f32(const ecx_stream *stream, uint32_t stage, const float **rows);

/* Count a row that has arrived from outside. */
void ecx_row_arrived(const ecx_stream *stream, uint32_t ring);

/* Count the row that a stage has made, and move its input's newest row out of staging. */
void ecx_row_made(const ecx_stream *stream, uint32_t stage);

/* The last of the stages first ... last that can make its next row, or -1. */
int32_t ecx_stream_next(const ecx_stream *stream, int32_t first, int32_t last);

#ifdef __cplusplus
}
#endif
#endif
