/* SPDX-License-Identifier: Apache-2.0
 *
 * Text out, without printf, which costs more flash than all the rest of the application.
 */
#ifndef ECX_TEXT_H
#define ECX_TEXT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* CRC-32 of all that was printed since ecx_print_check_start, which starts with `text`'s. */
void ecx_print_check_start(const char *text);
uint32_t ecx_print_check(void);

void ecx_print(const char *text);
void ecx_print_number(uint64_t value);
void ecx_print_signed(int64_t value);
void ecx_print_hex(uint32_t value, uint32_t digits);

/* value / 10^6 with six decimals. */
void ecx_print_micro(int64_t value);

/* CR LF. */
void ecx_print_end(void);

/* The text and CR LF. */
void ecx_print_line(const char *text);

/* `before`, eight digits, "]", CR LF. */
void ecx_print_crc_line(const char *before, uint32_t crc);

#ifdef __cplusplus
}
#endif
#endif
