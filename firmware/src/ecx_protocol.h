/* SPDX-License-Identifier: Apache-2.0
 *
 * The wire; README.md says what each command does. Commands come in byte by byte and are answered
 * through ecx_port_write. Every length is checked before anything is stored.
 */
#ifndef ECX_PROTOCOL_H
#define ECX_PROTOCOL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ECX_COMMAND_MAX 80u
#define ECX_RAW_TIMEOUT_MS 2000u

/* Forget everything and print the lines of the boot. */
void ecx_protocol_start(void);

/* The next byte from the host. */
void ecx_protocol_byte(uint8_t byte);

#ifdef __cplusplus
}
#endif
#endif
