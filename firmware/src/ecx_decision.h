/* SPDX-License-Identifier: Apache-2.0
 *
 * What the scores mean: a class or "uncertain", and the classes that are possible. The rules are
 * the bundle's, chosen on validation images; comparing with two numbers is all there is to do.
 */
#ifndef ECX_DECISION_H
#define ECX_DECISION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The name of a class as a JSON string. */
void ecx_print_label(uint32_t index);

/* The line m-decision-[...] for the last scores; nothing for a model without rules. */
void ecx_decision_print(void);

/* What follows the label in it, as members of a JSON object: ,"uncertain":false,"set":[...] */
void ecx_decision_print_rest(void);

#ifdef __cplusplus
}
#endif
#endif
