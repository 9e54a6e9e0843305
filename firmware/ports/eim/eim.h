/* SPDX-License-Identifier: Apache-2.0
 *
 * What the server says of its model, beside ecx_classifier.h. `edgecxr export --format eim` writes
 * the file that defines it. All texts are JSON without braces in strings.
 */
#ifndef ECX_EIM_H
#define ECX_EIM_H

typedef struct {
  const char *parameters;    /* members of "model_parameters" */
  const char *rest;          /* further members of the answer to hello */
  const char *const *labels; /* [outputs], each a JSON string */
  float output_scale;        /* of int8 scores */
  double min_score;          /* a top score below it is uncertain; 0: never */
} eim_facts;

extern const eim_facts eim;

#endif
