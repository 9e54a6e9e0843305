/* SPDX-License-Identifier: Apache-2.0
 *
 * Included before the generated source: who runs now. -1: between two layers.
 */
#ifndef TRACE_H
#define TRACE_H
#ifdef __cplusplus
extern "C" {
#endif
void trace(int layer);
#ifdef __cplusplus
}
#endif
#define ECX_TRACE(layer) trace(layer)
#endif
