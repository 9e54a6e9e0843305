/* SPDX-License-Identifier: Apache-2.0
 *
 * Images that are built into the firmware. `edgecxr export` writes ecx_demo_images.c.
 */
#ifndef ECX_DEMO_H
#define ECX_DEMO_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  const char *name; /* no quotes; NULL in the entry after the last image */
  /* Half the height and width, rounded up, 4 bits a pixel, row by row, the high half of a byte
   * first: each stands for 2 x 2 pixels of 17 times its value. */
  const uint8_t *packed;
} ecx_demo_image;

extern const ecx_demo_image ecx_demo_images[];

uint32_t ecx_demo_count(void);

/* Classify each image and print a line m-demo-[{...}] about it. A loaded image is gone then.
 * Returns 0, or -1 if the model gave no result. */
int ecx_demo_run(void);

#ifdef __cplusplus
}
#endif
#endif
