/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that generated code uses.
 */
#ifndef ECX_ALL_H
#define ECX_ALL_H

#include "ecx_fast.h"
#include "ecx_float.h"
#include "ecx_kernels.h"
#include "ecx_maps.h"
#include "ecx_stream.h"

/* A benchmark build defines this to see where the time goes: the layer that starts, or -1. */
#ifndef ECX_TRACE
#define ECX_TRACE(layer) ((void)0)
#endif

#if defined(__GNUC__)
#define ECX_ALIGNED __attribute__((aligned(4)))
#else
#define ECX_ALIGNED
#endif

#endif
