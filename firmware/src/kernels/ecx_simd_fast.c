/* SPDX-License-Identifier: Apache-2.0
 *
 * The fast kernels for computers: a pointwise tile is 4 pixels times 8 channels, a depthwise block
 * 8 columns of a channel.
 */
#include "ecx_fast.h"

#if ECX_USE_SIMD

#include "ecx_fast_parts.h"
#include "ecx_simd.h"

#define PIXELS 4u /* of a tile */
#define PAIRS 4u  /* of output channels of a tile */
#define COLUMNS 8u

/* Of each pixel, for the four pairs: 256 * a + b, and b. */
typedef struct {
  ecx_v32 both[PIXELS], low[PIXELS];
} tile;

/* A part of a layer: PAIRS streams of which `pairs` differ, the last ones repeat. */
typedef struct {
  const uint32_t *streams[PAIRS];
  uint32_t pairs;
} group;

static group group_at(const ecx_fast_pointwise *layer, uint32_t pair, uint32_t words) {
  const uint32_t left = layer->out_c / 2u - pair;
  group found;
  found.pairs = left < PAIRS ? left : PAIRS;
  for (uint32_t i = 0; i < PAIRS; ++i) {
    found.streams[i] = layer->stream + (pair + (i < left ? i : left - 1)) * words;
  }
  return found;
}

ECX_INLINE ecx_v32 word_of(const group *from, uint32_t at) {
  const uint32_t words[PAIRS] = {from->streams[0][at], from->streams[1][at], from->streams[2][at],
                                 from->streams[3][at]};
  ecx_v32 found;
  memcpy(&found, words, sizeof found);
  return found;
}

#define ADD_PIXEL(p, pair)                                                                         \
  sums->both[p] = ecx_add_taps(sums->both[p], w[pair], x##p, pair);                                \
  sums->low[p] = ecx_add_taps(sums->low[p], low, x##p, pair)
#define ADD_PAIR(pair)                                                                             \
  do {                                                                                             \
    const ecx_v32 low = ecx_low_bytes(w[pair]);                                                    \
    ADD_PIXEL(0, pair);                                                                            \
    ADD_PIXEL(1, pair);                                                                            \
    ADD_PIXEL(2, pair);                                                                            \
    ADD_PIXEL(3, pair);                                                                            \
  } while (0)

/* sums += eight taps of four pixels x, from tap k on. */
ECX_INLINE void add_eight(tile *sums, const int8_t *const *x, uint32_t k, const group *from) {
  const ecx_v16 x0 = ecx_load_8(x[0]), x1 = ecx_load_8(x[1]);
  const ecx_v16 x2 = ecx_load_8(x[2]), x3 = ecx_load_8(x[3]);
  ecx_v32 w[4];
  ecx_transpose(from->streams, 2 + k / 2, w);
  ADD_PAIR(0);
  ADD_PAIR(1);
  ADD_PAIR(2);
  ADD_PAIR(3);
}

/* The sums of four pixels x[taps]. */
ECX_INLINE tile sums_of(const int8_t *const *x, uint32_t taps, const group *from) {
  const ecx_v32 both = word_of(from, 0), low = word_of(from, 1);
  tile sums = {{both, both, both, both}, {low, low, low, low}};
  uint32_t k = 0;
  for (; k + 8 <= taps; k += 8) {
    const int8_t *const at[PIXELS] = {x[0] + k, x[1] + k, x[2] + k, x[3] + k};
    add_eight(&sums, at, k, from);
  }
  if (k < taps) { /* the weights of the taps that are missing are 0 */
    int8_t last[PIXELS][8] = {{0}};
    for (uint32_t p = 0; p < PIXELS; ++p) {
      memcpy(last[p], x[p] + k, taps - k);
    }
    const int8_t *const at[PIXELS] = {last[0], last[1], last[2], last[3]};
    add_eight(&sums, at, k, from);
  }
  return sums;
}

/* As in the portable kernel: bytes [PIXELS][PAIRS] of a and of b. */
ECX_INLINE void quantize_tile(const tile *sums, const group *from, uint32_t at, int shift,
                              ecx_v8 *a, ecx_v8 *b) {
  const ecx_v32 multiplier_a = word_of(from, at), multiplier_b = word_of(from, at + 1);
  const ecx_v32 offset = word_of(from, at + 2);
  ecx_v32 first[PIXELS], second[PIXELS];
  for (uint32_t p = 0; p < PIXELS; ++p) {
    const ecx_v32 high = ecx_high_32(ecx_sub_32(sums->both[p], sums->low[p]), multiplier_a);
    first[p] = ecx_shift_right(high, shift + 8);
    const ecx_v32 low = ecx_add_32(ecx_high_32(sums->low[p], multiplier_b), offset);
    second[p] = ecx_shift_right(low, shift);
  }
  *a = ecx_narrow_16(first[0], first[1], first[2], first[3]);
  *b = ecx_narrow_16(second[0], second[1], second[2], second[3]);
}

/* [PIXELS][PAIRS] to [PAIRS][PIXELS]. */
ECX_INLINE ecx_v8 transposed(ecx_v8 x) {
  const ecx_v8 even_odd = ecx_zip_low(x, ecx_high_half(x));
  return ecx_zip_low(even_odd, ecx_high_half(even_odd));
}

/* n pixels of a tile to the planes of their channels. */
ECX_INLINE void store_planes(ecx_v8 a, ecx_v8 b, int8_t *y, int32_t stride, uint32_t n,
                             uint32_t pairs) {
  int8_t bytes[2][PAIRS][PIXELS];
  ecx_store(bytes[0], transposed(a));
  ecx_store(bytes[1], transposed(b));
  for (uint32_t c = 0; c < pairs; ++c) {
    for (uint32_t i = 0; i < 2; ++i) {
      if (n == PIXELS) {
        memcpy(y, bytes[i][c], PIXELS);
      } else {
        memcpy(y, bytes[i][c], n);
      }
      y += stride;
    }
  }
}

/* n pixels of a tile, channel by channel. */
ECX_INLINE void store_pixels(ecx_v8 a, ecx_v8 b, int8_t *y, int32_t stride, uint32_t n,
                             uint32_t pairs) {
  int8_t bytes[PIXELS][2 * PAIRS];
  ecx_store(bytes[0], ecx_zip_low(a, b));
  ecx_store(bytes[2], ecx_zip_high(a, b));
  for (uint32_t p = 0; p < n; ++p) {
    if (pairs == PAIRS) {
      memcpy(y, bytes[p], 2 * PAIRS);
    } else {
      memcpy(y, bytes[p], 2 * pairs);
    }
    y += stride;
  }
}

/* The four pixels of a tile; what is missing repeats the last one. */
ECX_INLINE void pixels_at(const int8_t *x, uint32_t n, uint32_t in_c, const int8_t **pixels) {
  for (uint32_t p = 0; p < PIXELS; ++p) {
    pixels[p] = x;
    x += p + 1 < n ? in_c : 0;
  }
}

/* Requantizes a tile, and stores `n` of its pixels at y. */
typedef void tile_end(const tile *sums, const group *from, int8_t *y, uint32_t n,
                      const ecx_fast_pointwise *layer);

ECX_INLINE void end_fast(const tile *sums, const group *from, int8_t *y, uint32_t n,
                         const ecx_fast_pointwise *layer) {
  ecx_v8 a, b;
  quantize_tile(sums, from, 2 + ecx_weight_words(layer), layer->shift, &a, &b);
  if (layer->pixel_stride == 1) {
    store_planes(a, b, y, layer->channel_stride, n, from->pairs);
  } else {
    store_pixels(a, b, y, layer->pixel_stride, n, from->pairs);
  }
}

/* The double rounding has a shift per channel, which SSE2 cannot: number by number. */
ECX_INLINE void end_exact(const tile *sums, const group *from, int8_t *y, uint32_t n,
                          const ecx_fast_pointwise *layer) {
  const uint32_t last = 2 + ecx_weight_words(layer);
  uint32_t both[PIXELS][PAIRS], low[PIXELS][PAIRS];
  memcpy(both, sums->both, sizeof both);
  memcpy(low, sums->low, sizeof low);
  for (uint32_t p = 0; p < n; ++p) {
    int8_t *to = y;
    for (uint32_t c = 0; c < from->pairs; ++c) {
      ecx_quantize_exactly(both[p][c] - low[p][c], low[p][c], from->streams[c] + last, to,
                           layer->channel_stride);
      to += 2 * layer->channel_stride;
    }
    y += layer->pixel_stride;
  }
}

ECX_INLINE void pointwise(const int8_t *x, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer,
                          tile_end *end) {
  if (layer->pixel_stride == 1) {
    ecx_pad_planes(y - 1, layer->out_c, layer->channel_stride);
  }
  for (uint32_t pair = 0; pair < layer->out_c / 2u; pair += PAIRS) {
    const group from = group_at(layer, pair, ecx_weight_words(layer) + 5);
    int8_t *column = y + 2 * (int32_t)pair * layer->channel_stride;
    for (uint32_t p = 0; p < n; p += PIXELS) {
      const uint32_t count = n - p < PIXELS ? n - p : PIXELS;
      const int8_t *pixels[PIXELS];
      pixels_at(x + (size_t)p * layer->in_c, count, layer->in_c, pixels);
      const tile sums = sums_of(pixels, layer->in_c, &from);
      end(&sums, &from, column + (int32_t)p * layer->pixel_stride, count, layer);
    }
  }
}

void ecx_fast_pointwise_s8(const int8_t *x, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer,
                           void *scratch) {
  (void)scratch;
  pointwise(x, y, n, layer, end_fast);
}

void ecx_exact_pointwise_s8(const int8_t *x, int8_t *y, uint32_t n, const ecx_fast_pointwise *layer,
                            void *scratch) {
  (void)scratch;
  pointwise(x, y, n, layer, end_exact);
}

/* Three taps of a row for eight columns. */
ECX_INLINE void taps_of(const int8_t *x, uint32_t stride, ecx_v16 *taps) {
  if (stride == 1) {
    taps[0] = ecx_load_8(x);
    taps[1] = ecx_load_8(x + 1);
    taps[2] = ecx_load_8(x + 2);
  } else { /* 17 cells, no more */
    taps[0] = ecx_load_even(x);
    taps[1] = ecx_load_odd(x);
    taps[2] = ecx_load_odd(x + 1);
  }
}

/* What a channel adds up with. */
typedef struct {
  const int8_t *weights; /* [3][3] */
  ecx_v32 bias, multiplier;
} channel;

/* The eight outputs of cells from rows[r] on, in the first half. */
ECX_INLINE ecx_v8 eight_columns(const int8_t *const *rows, uint32_t stride, const channel *at) {
  const int8_t *w = at->weights;
  const ecx_v32 zero = ecx_all_32(0);
  ecx_v32 sums[2] = {zero, zero};
  ecx_v16 a[3], b[3], c[3];
  taps_of(rows[0], stride, a);
  taps_of(rows[1], stride, b);
  taps_of(rows[2], stride, c);
  ecx_add_two(sums, a[0], a[1], w[0], w[1]);
  ecx_add_two(sums, a[2], b[0], w[2], w[3]);
  ecx_add_two(sums, b[1], b[2], w[4], w[5]);
  ecx_add_two(sums, c[0], c[1], w[6], w[7]);
  ecx_add_two(sums, c[2], c[2], w[8], 0);
  for (int i = 0; i < 2; ++i) {
    const ecx_v32 sum = ecx_add_32(ecx_times_256(sums[i]), at->bias);
    sums[i] = ecx_shift_right(ecx_high_32(sum, at->multiplier), ECX_FAST_SCALED_SHIFT);
  }
  return ecx_narrow_16(sums[0], sums[1], zero, zero);
}

ECX_INLINE void store_columns(ecx_v8 found, int8_t *y, int32_t pixel_stride, uint32_t n) {
  int8_t bytes[16];
  ecx_store(bytes, found);
  if (pixel_stride == 1 && n == COLUMNS) {
    memcpy(y, bytes, COLUMNS);
    return;
  }
  for (uint32_t i = 0; i < n; ++i) {
    *y = bytes[i];
    y += pixel_stride;
  }
}

/* Cells that eight columns read. */
#define CELLS(stride) (COLUMNS * (stride) + 3u - (stride))

/* A whole line of eight columns or more; the last block goes over some columns once more. */
ECX_INLINE void wide_line(const int8_t *const *rows, const int32_t *steps, int8_t *y,
                          uint32_t stride, const ecx_fast_depthwise *layer, const channel *at) {
  for (uint32_t i = 0; i < layer->out_w; i += COLUMNS) {
    const uint32_t column = layer->out_w - i < COLUMNS ? layer->out_w - COLUMNS : i;
    const int32_t cell = (int32_t)(column * stride);
    const int8_t *const x[3] = {rows[0] + cell * steps[0], rows[1] + cell * steps[1],
                                rows[2] + cell * steps[2]};
    store_columns(eight_columns(x, stride, at), y + (int32_t)column * layer->pixel_stride,
                  layer->pixel_stride, COLUMNS);
  }
}

/* A line of less than eight columns. `left`: cells that the rows still have from here on. */
ECX_INLINE void narrow_line(const int8_t *const *rows, int8_t *y, uint32_t stride, int32_t left,
                            const ecx_fast_depthwise *layer, const channel *at) {
  int8_t copies[3][CELLS(2)] = {{0}};
  const int8_t *x[3] = {rows[0], rows[1], rows[2]};
  if (left < (int32_t)CELLS(stride)) {
    for (int r = 0; r < 3; ++r) {
      memcpy(copies[r], rows[r], (layer->out_w - 1u) * stride + 3u);
      x[r] = copies[r];
    }
  }
  store_columns(eight_columns(x, stride, at), y, layer->pixel_stride, layer->out_w);
}

ECX_INLINE void depthwise(const int8_t *const *rows, int8_t *y, uint32_t stride,
                          const ecx_fast_depthwise *layer) {
  int8_t outside[CELLS(2)];
  const int32_t steps[3] = {rows[0] != 0, rows[1] != 0, rows[2] != 0};
  channel at;
  memset(outside, layer->padding[0], sizeof outside);
  at.weights = (const int8_t *)(layer->stream + 2 * layer->channels);
  for (int32_t c = 0; c < layer->channels; ++c) {
    const int8_t *x[3];
    for (int r = 0; r < 3; ++r) {
      x[r] = rows[r] ? rows[r] + c * layer->in_stride + layer->first : outside;
    }
    at.bias = ecx_all_32(layer->stream[2 * c]);
    at.multiplier = ecx_all_32(layer->stream[2 * c + 1]);
    if (layer->out_w >= COLUMNS) {
      wide_line(x, steps, y, stride, layer, &at);
    } else {
      const int32_t left = (layer->channels - c) * layer->in_stride - layer->first;
      narrow_line(x, y, stride, left, layer, &at);
    }
    y += layer->channel_stride;
    at.weights += 9;
  }
}

void ecx_fast_depthwise_s8(const int8_t *const *rows, int8_t *y, const ecx_fast_depthwise *layer) {
  if (layer->pixel_stride == 1 && layer->channel_stride > 1) {
    ecx_pad_planes(y - 1, layer->channels, layer->channel_stride);
  }
  if (layer->stride == 1) {
    depthwise(rows, y, 1, layer);
  } else {
    depthwise(rows, y, 2, layer);
  }
}

#endif
