/* SPDX-License-Identifier: Apache-2.0
 *
 * All that a board supplies. A port is one source file that implements this header.
 */
#ifndef ECX_PORT_H
#define ECX_PORT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ECX_FOREVER 0xffffffffu /* as timeout_ms: wait until a byte comes */
#define ECX_TIMED_OUT (-1)
#define ECX_CLOSED (-2) /* the line is gone for good; the application ends */

/* What info% says about the board. 0 stands for what the port cannot know. */
typedef struct {
  const char *board; /* as in boards.toml */
  const char *clock; /* what ecx_port_clock counts: "us", "cycles" or "instructions" */
  uint32_t core_hz;
  uint32_t flash_bytes;      /* of the whole image */
  uint32_t static_ram_bytes; /* of all variables, without the stack */
} ecx_board;

/* Make ready. Only where the port's main is not its own (Arduino, Zephyr): call it once, before
 * ecx_app_run. */
void ecx_port_start(void);

const ecx_board *ecx_port_board(void);

/* The next byte, 0 to 255, or one of the two negative values above. */
int ecx_port_read(uint32_t timeout_ms);

/* Returns when all bytes are on their way. */
void ecx_port_write(const char *bytes, uint32_t count);

/* Never goes back. The application asks at least once per inference, so that a port can extend a
 * 32-bit counter that wraps less often. */
uint64_t ecx_port_clock(void);

/* The most bytes of stack that were in use since the start; 0 where it is not known. */
uint32_t ecx_port_stack_bytes(void);

#ifdef __cplusplus
}
#endif
#endif
