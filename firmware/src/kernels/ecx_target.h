/* SPDX-License-Identifier: Apache-2.0
 *
 * The one place that chooses between the portable kernels and those for the Cortex-M's DSP, or, of
 * the fast ones, for the vectors that every x86-64 (SSE2) and every aarch64 (NEON) has.
 * Define ECX_FORCE_PORTABLE to build the portable ones everywhere.
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

/* The kernels read words as pairs of halves, so the machine must be little-endian. */
#if !defined(ECX_FORCE_PORTABLE) && defined(__GNUC__) &&                                           \
    (defined(__SSE2__) || (defined(__aarch64__) && !defined(__AARCH64EB__)))
#define ECX_USE_SIMD 1
#else
#define ECX_USE_SIMD 0
#endif

/* Tells the compiler that a pointer is 4-byte aligned. */
#if defined(__GNUC__)
#define ECX_AT_WORD(pointer) __builtin_assume_aligned(pointer, 4)
#else
#define ECX_AT_WORD(pointer) (pointer)
#endif

#endif
