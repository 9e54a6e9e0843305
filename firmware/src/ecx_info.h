/* SPDX-License-Identifier: Apache-2.0
 *
 * What info% says: board, model, memory.
 */
#ifndef ECX_INFO_H
#define ECX_INFO_H

#ifdef __cplusplus
extern "C" {
#endif

/* Print the line m-info-[{...}]. */
void ecx_info_print(void);

/* Whether ecx_port_clock counts the core's cycles, core_hz of them a second. */
int ecx_clock_counts_cycles(void);

#ifdef __cplusplus
}
#endif
#endif
