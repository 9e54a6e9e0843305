/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_stream.h"

#include <string.h>

#include "ecx_target.h"

static int8_t *slot(const ecx_stream *stream, uint32_t ring, int32_t row) {
  const ecx_ring *at = &stream->rings[ring];
  return stream->arena + at->offset + (uint32_t)row % at->slots * at->stride;
}

/* The first input row that the stage's next output row reads; it may be negative. */
static int32_t first_row(const ecx_stream *stream, const ecx_stage *stage) {
  return (int32_t)stream->progress[stage->output].done * stage->stride - stage->pad;
}

/* Whether the next row of the ring finds a row that is still to be read in its slot. */
static int needs_staging(const ecx_stream *stream, uint32_t ring) {
  const ecx_ring *at = &stream->rings[ring];
  const int32_t old = (int32_t)stream->progress[ring].done - at->slots;
  if (at->staging == ECX_NO_STAGING || old < 0) {
    return 0;
  }
  const ecx_stage *reader = &stream->stages[at->reader];
  return stream->progress[reader->output].done < stream->rings[reader->output].rows &&
         old >= first_row(stream, reader);
}

int8_t *ecx_next_row(const ecx_stream *stream, uint32_t ring) {
  if (needs_staging(stream, ring)) {
    return stream->arena + stream->rings[ring].staging;
  }
  return slot(stream, ring, stream->progress[ring].done);
}

const int8_t *ecx_row(const ecx_stream *stream, uint32_t ring, int32_t row) {
  const ecx_progress *progress = &stream->progress[ring];
  if (progress->staged && row + 1 == progress->done) {
    return stream->arena + stream->rings[ring].staging;
  }
  return slot(stream, ring, row);
}

static const int8_t *row_or_null(const ecx_stream *stream, uint32_t ring, int32_t row) {
  return row >= 0 && row < stream->rings[ring].rows ? ecx_row(stream, ring, row) : 0;
}

void ecx_window_s8(const ecx_stream *stream, uint32_t stage, const int8_t **rows) {
  const ecx_stage *at = &stream->stages[stage];
  const int32_t first = first_row(stream, at);
  for (int32_t i = 0; i < at->kernel; ++i) {
    rows[i] = row_or_null(stream, at->input, first + i);
  }
}

void ecx_window_f32(const ecx_stream *stream, uint32_t stage, const float **rows) {
  const ecx_stage *at = &stream->stages[stage];
  const int32_t first = first_row(stream, at);
  for (int32_t i = 0; i < at->kernel; ++i) {
    rows[i] = (const float *)(const void *)row_or_null(stream, at->input, first + i);
  }
}

/* Rings with a staging row are 4-byte aligned, stride included. Eight words at a time, since a
 * small libc's memcpy goes byte by byte. */
static void move_row(int8_t *to, const int8_t *from, uint32_t bytes) {
  for (; bytes >= 32; bytes -= 32) {
    memcpy(ECX_AT_WORD(to), ECX_AT_WORD(from), 32);
    to += 32;
    from += 32;
  }
  for (; bytes > 0; bytes -= 4) {
    memcpy(ECX_AT_WORD(to), ECX_AT_WORD(from), 4);
    to += 4;
    from += 4;
  }
}

void ecx_row_arrived(const ecx_stream *stream, uint32_t ring) {
  stream->progress[ring].staged = needs_staging(stream, ring) != 0;
  ++stream->progress[ring].done;
}

void ecx_row_made(const ecx_stream *stream, uint32_t stage) {
  const ecx_stage *at = &stream->stages[stage];
  const ecx_ring *input = &stream->rings[at->input];
  ecx_progress *progress = &stream->progress[at->input];
  ecx_row_arrived(stream, at->output);
  if (progress->staged) {
    move_row(slot(stream, at->input, progress->done - 1), stream->arena + input->staging,
             input->stride);
    progress->staged = 0;
  }
}

static int has_rows(const ecx_stream *stream, uint32_t ring, int32_t end) {
  const int32_t rows = stream->rings[ring].rows;
  return stream->progress[ring].done >= (end < rows ? end : rows);
}

int32_t ecx_stream_next(const ecx_stream *stream, int32_t first, int32_t last) {
  for (int32_t i = last; i >= first; --i) {
    const ecx_stage *stage = &stream->stages[i];
    const int32_t end = first_row(stream, stage) + stage->kernel;
    if (has_rows(stream, stage->input, end) &&
        (stage->other == stage->input || has_rows(stream, stage->other, end)) &&
        stream->progress[stage->output].done < stream->rings[stage->output].rows) {
      return i;
    }
  }
  return -1;
}
