/* SPDX-License-Identifier: Apache-2.0
 *
 * The image on its way in: into memory, or row by row into the model where no image is kept.
 */
#ifndef ECX_LOAD_H
#define ECX_LOAD_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of one image. */
uint32_t ecx_image_bytes(void);

/* Drop what is there and expect an image. */
void ecx_load_start(void);

/* Drop what is there and expect nothing. */
void ecx_load_drop(void);

/* Bytes that are still expected; 0 when no load was started. */
uint32_t ecx_load_missing(void);

/* Store one byte. Only while some are missing. */
void ecx_load_byte(uint8_t byte);

/* Whether a whole image is there. */
int ecx_load_complete(void);

/* CRC-32 of the bytes that are there. */
uint32_t ecx_load_crc(void);

/* Where no image is kept: what the model has computed while the image came in, in ticks of the
 * port's clock. */
uint64_t ecx_load_ticks(void);

#ifdef __cplusplus
}
#endif
#endif
