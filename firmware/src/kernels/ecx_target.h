/* SPDX-License-Identifier: Apache-2.0
 *
 * The one place that chooses between the portable kernels and the Cortex-M DSP kernels.
 * Define ECX_FORCE_PORTABLE to build the portable ones for a core that has DSP.
 */
#ifndef ECX_TARGET_H
#define ECX_TARGET_H

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_ARCH_PROFILE) && !defined(ECX_FORCE_PORTABLE)
#if __ARM_ARCH_PROFILE == 'M'
#define ECX_USE_DSP 1
#endif
#endif
#ifndef ECX_USE_DSP
#define ECX_USE_DSP 0
#endif

/* Tells the compiler that a pointer is 4-byte aligned. */
#if defined(__GNUC__)
#define ECX_AT_WORD(pointer) __builtin_assume_aligned(pointer, 4)
#else
#define ECX_AT_WORD(pointer) (pointer)
#endif

#endif
