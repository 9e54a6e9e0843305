/* SPDX-License-Identifier: Apache-2.0
 *
 * The vectors of ecx_simd_fast.c, 16 bytes each: SSE2, which every x86-64 has, or NEON, which every
 * aarch64 has. Sums wrap modulo 2^32.
 */
#ifndef ECX_SIMD_H
#define ECX_SIMD_H

#include "ecx_target.h"

#if ECX_USE_SIMD

#include <stdint.h>
#include <string.h>

#define ECX_INLINE static inline __attribute__((always_inline))

#if defined(__SSE2__)
#include <emmintrin.h>

typedef __m128i ecx_v8, ecx_v16, ecx_v32; /* 16 int8, 8 int16, 4 int32 */

ECX_INLINE ecx_v8 ecx_load(const void *from) {
  return _mm_loadu_si128((const __m128i *)from);
}

ECX_INLINE void ecx_store(void *to, ecx_v8 x) {
  _mm_storeu_si128((__m128i *)to, x);
}

/* Eight int8 as int16. */
ECX_INLINE ecx_v16 ecx_load_8(const int8_t *from) {
  const __m128i x = _mm_loadl_epi64((const __m128i *)(const void *)from);
  return _mm_srai_epi16(_mm_unpacklo_epi8(x, x), 8);
}

/* from[0], from[2], ... from[14], and from[1], from[3], ... from[15]. */
ECX_INLINE ecx_v16 ecx_load_even(const int8_t *from) {
  return _mm_srai_epi16(_mm_slli_epi16(ecx_load(from), 8), 8);
}
ECX_INLINE ecx_v16 ecx_load_odd(const int8_t *from) {
  return _mm_srai_epi16(ecx_load(from), 8);
}

ECX_INLINE ecx_v32 ecx_all_32(uint32_t x) {
  return _mm_set1_epi32((int32_t)x);
}

ECX_INLINE ecx_v32 ecx_add_32(ecx_v32 a, ecx_v32 b) {
  return _mm_add_epi32(a, b);
}

ECX_INLINE ecx_v32 ecx_sub_32(ecx_v32 a, ecx_v32 b) {
  return _mm_sub_epi32(a, b);
}

ECX_INLINE ecx_v32 ecx_times_256(ecx_v32 a) {
  return _mm_slli_epi32(a, 8);
}

/* The low byte of each half of a word, sign-extended. */
ECX_INLINE ecx_v16 ecx_low_bytes(ecx_v16 x) {
  return _mm_srai_epi16(_mm_slli_epi16(x, 8), 8);
}

/* sums[0..1] of eight columns += x0 * w0 + x1 * w1. */
ECX_INLINE void ecx_add_two(ecx_v32 *sums, ecx_v16 x0, ecx_v16 x1, int8_t w0, int8_t w1) {
  const ecx_v16 w = ecx_all_32((uint16_t)w0 | (uint32_t)w1 << 16);
  sums[0] = _mm_add_epi32(sums[0], _mm_madd_epi16(_mm_unpacklo_epi16(x0, x1), w));
  sums[1] = _mm_add_epi32(sums[1], _mm_madd_epi16(_mm_unpackhi_epi16(x0, x1), w));
}

/* sum + taps 2 * pair and 2 * pair + 1 of x, times the halves of the words w. */
#define ecx_add_taps(sum, w, x, pair)                                                              \
  _mm_add_epi32(sum, _mm_madd_epi16(w, _mm_shuffle_epi32(x, 0x55 * (pair))))

/* to[i] = word i of four streams. */
ECX_INLINE void ecx_transpose(const uint32_t *const *from, uint32_t at, ecx_v32 *to) {
  const ecx_v32 a = ecx_load(from[0] + at), b = ecx_load(from[1] + at);
  const ecx_v32 c = ecx_load(from[2] + at), d = ecx_load(from[3] + at);
  const ecx_v32 ab = _mm_unpacklo_epi32(a, b), ab_high = _mm_unpackhi_epi32(a, b);
  const ecx_v32 cd = _mm_unpacklo_epi32(c, d), cd_high = _mm_unpackhi_epi32(c, d);
  to[0] = _mm_unpacklo_epi64(ab, cd);
  to[1] = _mm_unpackhi_epi64(ab, cd);
  to[2] = _mm_unpacklo_epi64(ab_high, cd_high);
  to[3] = _mm_unpackhi_epi64(ab_high, cd_high);
}

/* The high half of a * b, for 0 <= b; the product is unsigned, so b is taken off where a < 0. */
ECX_INLINE ecx_v32 ecx_high_32(ecx_v32 a, ecx_v32 b) {
  const __m128i odd = _mm_mul_epu32(_mm_srli_epi64(a, 32), _mm_srli_epi64(b, 32));
  const __m128i even = _mm_srli_epi64(_mm_mul_epu32(a, b), 32);
  const __m128i high = _mm_or_si128(even, _mm_and_si128(odd, _mm_set_epi32(-1, 0, -1, 0)));
  return _mm_sub_epi32(high, _mm_and_si128(b, _mm_srai_epi32(a, 31)));
}

ECX_INLINE ecx_v32 ecx_shift_right(ecx_v32 a, int shift) {
  return _mm_sra_epi32(a, _mm_cvtsi32_si128(shift));
}

/* 16 int32 as int8, saturated. */
ECX_INLINE ecx_v8 ecx_narrow_16(ecx_v32 a, ecx_v32 b, ecx_v32 c, ecx_v32 d) {
  return _mm_packs_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
}

/* a[0], b[0], a[1], b[1], ... of the first or last eight bytes. */
ECX_INLINE ecx_v8 ecx_zip_low(ecx_v8 a, ecx_v8 b) {
  return _mm_unpacklo_epi8(a, b);
}
ECX_INLINE ecx_v8 ecx_zip_high(ecx_v8 a, ecx_v8 b) {
  return _mm_unpackhi_epi8(a, b);
}

ECX_INLINE ecx_v8 ecx_high_half(ecx_v8 a) {
  return _mm_srli_si128(a, 8);
}

#else
#include <arm_neon.h>

typedef int8x16_t ecx_v8;
typedef int16x8_t ecx_v16;
typedef int32x4_t ecx_v32;

ECX_INLINE void ecx_store(void *to, ecx_v8 x) {
  vst1q_s8((int8_t *)to, x);
}

ECX_INLINE ecx_v16 ecx_load_8(const int8_t *from) {
  return vmovl_s8(vld1_s8(from));
}

ECX_INLINE ecx_v16 ecx_load_even(const int8_t *from) {
  return vshrq_n_s16(vshlq_n_s16(vreinterpretq_s16_s8(vld1q_s8(from)), 8), 8);
}
ECX_INLINE ecx_v16 ecx_load_odd(const int8_t *from) {
  return vshrq_n_s16(vreinterpretq_s16_s8(vld1q_s8(from)), 8);
}

ECX_INLINE ecx_v32 ecx_all_32(uint32_t x) {
  return vdupq_n_s32((int32_t)x);
}

ECX_INLINE ecx_v32 ecx_add_32(ecx_v32 a, ecx_v32 b) {
  return vaddq_s32(a, b);
}

ECX_INLINE ecx_v32 ecx_sub_32(ecx_v32 a, ecx_v32 b) {
  return vsubq_s32(a, b);
}

ECX_INLINE ecx_v32 ecx_times_256(ecx_v32 a) {
  return vshlq_n_s32(a, 8);
}

ECX_INLINE ecx_v32 ecx_low_bytes(ecx_v32 x) {
  const int16x8_t halves = vreinterpretq_s16_s32(x);
  return vreinterpretq_s32_s16(vshrq_n_s16(vshlq_n_s16(halves, 8), 8));
}

ECX_INLINE void ecx_add_two(ecx_v32 *sums, ecx_v16 x0, ecx_v16 x1, int8_t w0, int8_t w1) {
  sums[0] = vmlal_n_s16(sums[0], vget_low_s16(x0), w0);
  sums[1] = vmlal_n_s16(sums[1], vget_high_s16(x0), w0);
  sums[0] = vmlal_n_s16(sums[0], vget_low_s16(x1), w1);
  sums[1] = vmlal_n_s16(sums[1], vget_high_s16(x1), w1);
}

#define ecx_add_taps(sum, w, x, pair)                                                              \
  vmlal_laneq_s16(vmlal_laneq_s16(sum, vmovn_s32(w), x, 2 * (pair)), vshrn_n_s32(w, 16), x,        \
                  2 * (pair) + 1)

ECX_INLINE void ecx_transpose(const uint32_t *const *from, uint32_t at, ecx_v32 *to) {
  const uint32x4_t a = vld1q_u32(from[0] + at), b = vld1q_u32(from[1] + at);
  const uint32x4_t c = vld1q_u32(from[2] + at), d = vld1q_u32(from[3] + at);
  const uint64x2_t ab = vreinterpretq_u64_u32(vzip1q_u32(a, b));
  const uint64x2_t ab_high = vreinterpretq_u64_u32(vzip2q_u32(a, b));
  const uint64x2_t cd = vreinterpretq_u64_u32(vzip1q_u32(c, d));
  const uint64x2_t cd_high = vreinterpretq_u64_u32(vzip2q_u32(c, d));
  to[0] = vreinterpretq_s32_u64(vzip1q_u64(ab, cd));
  to[1] = vreinterpretq_s32_u64(vzip2q_u64(ab, cd));
  to[2] = vreinterpretq_s32_u64(vzip1q_u64(ab_high, cd_high));
  to[3] = vreinterpretq_s32_u64(vzip2q_u64(ab_high, cd_high));
}

ECX_INLINE ecx_v32 ecx_high_32(ecx_v32 a, ecx_v32 b) {
  const int64x2_t low = vmull_s32(vget_low_s32(a), vget_low_s32(b));
  return vuzp2q_s32(vreinterpretq_s32_s64(low), vreinterpretq_s32_s64(vmull_high_s32(a, b)));
}

ECX_INLINE ecx_v32 ecx_shift_right(ecx_v32 a, int shift) {
  return vshlq_s32(a, vdupq_n_s32(-shift));
}

ECX_INLINE ecx_v8 ecx_narrow_16(ecx_v32 a, ecx_v32 b, ecx_v32 c, ecx_v32 d) {
  const int16x8_t first = vqmovn_high_s32(vqmovn_s32(a), b);
  return vqmovn_high_s16(vqmovn_s16(first), vqmovn_high_s32(vqmovn_s32(c), d));
}

ECX_INLINE ecx_v8 ecx_zip_low(ecx_v8 a, ecx_v8 b) {
  return vzip1q_s8(a, b);
}
ECX_INLINE ecx_v8 ecx_zip_high(ecx_v8 a, ecx_v8 b) {
  return vzip2q_s8(a, b);
}

ECX_INLINE ecx_v8 ecx_high_half(ecx_v8 a) {
  return vextq_s8(a, a, 8);
}

#endif
#endif
#endif
