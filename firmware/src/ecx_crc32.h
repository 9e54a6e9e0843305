/* SPDX-License-Identifier: Apache-2.0
 *
 * CRC-32 of IEEE 802.3, as zlib computes it.
 */
#ifndef ECX_CRC32_H
#define ECX_CRC32_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The CRC of what `crc` was the CRC of, followed by `count` bytes. Start with 0. */
uint32_t ecx_crc32(uint32_t crc, const uint8_t *bytes, uint32_t count);

#ifdef __cplusplus
}
#endif
#endif
