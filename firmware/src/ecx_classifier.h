/* SPDX-License-Identifier: Apache-2.0
 *
 * All that a runtime supplies: one model, fed row by row. `edgecxr export` writes the file that
 * implements this header for one model.
 */
#ifndef ECX_CLASSIFIER_H
#define ECX_CLASSIFIER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Define as 0 for a board without room for a whole picture: its rows then go into the model as they
 * arrive. */
#ifndef ECX_KEEP_IMAGE
#define ECX_KEEP_IMAGE 1
#endif

/* When a class counts. An int8 score is compared as it is; for float32 these are the bits of
 * floats. */
typedef struct {
  int32_t certain;  /* with a top score below it, the image is uncertain */
  int32_t included; /* a class with at least this score is possible, and the top class always */
} ecx_decision;

typedef struct {
  const char *edgecxr;     /* version of the exporter */
  const char *name;        /* printable ASCII without quotes and brackets */
  const char *sha256;      /* of the .tflite file, 64 digits */
  const char *precision;   /* "int8" or "float32" */
  const char *runtime;     /* "compiled" or "tflm" */
  const char *labels_json; /* ["A","B"] */
  uint16_t height, width, channels;
  uint16_t outputs;
  uint32_t arena_bytes;
  /* An int8 score s means (s - output_zero_point) * output_scale / 2^31. */
  int64_t output_scale;
  int32_t output_zero_point;
  /* Memory for pixels: [height][width][channels], or, without ECX_KEEP_IMAGE, one row of it. */
  uint8_t *pixels;
  const ecx_decision *decision; /* NULL if nothing was chosen for this model */
} ecx_classifier;

extern const ecx_classifier ecx_model;

/* Make ready for a new image. */
void ecx_classifier_begin(void);

/* The next row of pixels, [width][channels], 0 to 255. Returns 0, or -1 if all rows were there. */
int ecx_classifier_push_row(const uint8_t *pixels);

/* The scores [outputs], int8_t or float by precision; they stay until the next call. NULL if rows
 * are missing. */
const void *ecx_classifier_finish(void);

#ifdef __cplusplus
}
#endif
#endif
