/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STARTUP_H
#define STARTUP_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define STACK_PAINT 0xa5a5a5a5u
#define STACK_MARGIN_WORDS 16 /* what reset itself may push while it paints */

/* From the linker script. */
extern uint32_t stack_limit[], stack_top[];

/* The most bytes of stack that were in use since the start. */
uint32_t stack_bytes_used(void);

/* Supplied by the program: what to do on a fault, and when main has returned. */
__attribute__((noreturn)) void fault(void);
__attribute__((noreturn)) void finished(int code);

#endif
