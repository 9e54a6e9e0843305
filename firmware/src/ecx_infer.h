/* SPDX-License-Identifier: Apache-2.0
 *
 * The model at work on the image that is loaded, and what it gave.
 */
#ifndef ECX_INFER_H
#define ECX_INFER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In ticks of the port's clock. */
typedef struct {
  uint64_t start, end;
} ecx_span;

/* Run the model `count` times. Only while a whole image is there; where none is kept, once, and the
 * image is used up. */
ecx_span ecx_infer(uint32_t count);

void ecx_infer_forget(void);

/* The last scores [outputs], int8_t or float by precision; NULL if there are none. */
const void *ecx_infer_scores(void);

/* One of them in millionths, rounded. */
int64_t ecx_infer_micro(uint32_t index);

/* The class with the highest of them, the first if there are several. */
uint32_t ecx_infer_best(void);

/* int8 as numbers, float32 as bits in hex, with commas between. */
void ecx_infer_print_scores(void);

/* The lines m-results, m-scores, m-image and, for a model with rules, m-decision. */
void ecx_infer_print_results(void);

#ifdef __cplusplus
}
#endif
#endif
