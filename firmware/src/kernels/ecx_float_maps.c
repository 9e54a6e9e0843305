/* SPDX-License-Identifier: Apache-2.0
 *
 * The other float32 operators.
 */
#include "ecx_float.h"

#include <string.h>

static float limited(float value, float low, float high) {
  return value < low ? low : value > high ? high : value;
}

/* 2^k * e^r with |r| <= ln(2)/2, e^r by its Taylor series up to r^7. */
float ecx_exp(float x) {
  if (x < -87.0f) {
    return 0.0f;
  }
  const float steps = limited(x, -87.0f, 88.0f) * 1.44269504f;
  const int32_t k = (int32_t)(steps < 0 ? steps - 0.5f : steps + 0.5f);
  const float r = (x > 88.0f ? 88.0f : x) - (float)k * 0.693359375f - (float)k * -2.12194440e-4f;
  float series = 1.0f / 5040.0f;
  series = series * r + 1.0f / 720.0f;
  series = series * r + 1.0f / 120.0f;
  series = series * r + 1.0f / 24.0f;
  series = series * r + 1.0f / 6.0f;
  series = series * r + 0.5f;
  series = series * r + 1.0f;
  series = series * r + 1.0f;
  const uint32_t bits = (uint32_t)(k + 127) << 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  return series * power;
}

void ecx_mean_f32(const float *x, float *y, uint32_t pixels, uint32_t channels) {
  for (uint32_t c = 0; c < channels; ++c) {
    float sum = 0;
    for (uint32_t i = 0; i < pixels; ++i) {
      sum += x[i * channels + c];
    }
    y[c] = sum / (float)pixels;
  }
}

void ecx_softmax_f32(const float *x, float *y, uint32_t n, uint32_t depth, float beta) {
  for (; n > 0; --n) {
    float top = x[0];
    float sum = 0;
    for (uint32_t i = 1; i < depth; ++i) {
      top = x[i] > top ? x[i] : top;
    }
    for (uint32_t i = 0; i < depth; ++i) {
      y[i] = ecx_exp((x[i] - top) * beta);
      sum += y[i];
    }
    for (uint32_t i = 0; i < depth; ++i) {
      y[i] /= sum;
    }
    x += depth;
    y += depth;
  }
}

void ecx_clamp_f32(const float *x, float *y, uint32_t n, float low, float high) {
  for (uint32_t i = 0; i < n; ++i) {
    y[i] = limited(x[i], low, high);
  }
}

void ecx_leaky_relu_f32(const float *x, float *y, uint32_t n, float slope) {
  for (uint32_t i = 0; i < n; ++i) {
    y[i] = x[i] > 0 ? x[i] : x[i] * slope;
  }
}

/* Both forms keep the relative error small: e^x where the result is near 0. */
void ecx_logistic_f32(const float *x, float *y, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) {
    const float e = ecx_exp(x[i] < 0 ? x[i] : -x[i]);
    y[i] = (x[i] < 0 ? e : 1.0f) / (1.0f + e);
  }
}

void ecx_hard_swish_f32(const float *x, float *y, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) {
    y[i] = x[i] * limited(x[i] + 3.0f, 0.0f, 6.0f) / 6.0f;
  }
}

void ecx_add_f32(const float *a, const float *b, float *y, uint32_t n,
                 const ecx_binary_f32 *layer) {
  uint32_t j = 0;
  for (uint32_t i = 0; i < n; ++i) {
    y[i] = limited(a[i] + b[j], layer->low, layer->high);
    j = j + 1 < layer->period ? j + 1 : 0;
  }
}

void ecx_mul_f32(const float *a, const float *b, float *y, uint32_t n,
                 const ecx_binary_f32 *layer) {
  uint32_t j = 0;
  for (uint32_t i = 0; i < n; ++i) {
    y[i] = limited(a[i] * b[j], layer->low, layer->high);
    j = j + 1 < layer->period ? j + 1 : 0;
  }
}

void ecx_prelu_f32(const float *a, const float *b, float *y, uint32_t n,
                   const ecx_binary_f32 *layer) {
  uint32_t j = 0;
  for (uint32_t i = 0; i < n; ++i) {
    y[i] = a[i] >= 0 ? a[i] : a[i] * b[j];
    j = j + 1 < layer->period ? j + 1 : 0;
  }
}

void ecx_quantize_s8(const float *x, int8_t *y, uint32_t n, float scale, int32_t zero) {
  for (uint32_t i = 0; i < n; ++i) {
    const float steps = limited(x[i] / scale, -1024.0f, 1024.0f);
    int32_t q = (int32_t)steps; /* towards 0; then halves away from 0 */
    const float rest = steps - (float)q;
    q += (rest >= 0.5f) - (rest <= -0.5f) + zero;
    y[i] = (int8_t)(q < -128 ? -128 : q > 127 ? 127 : q);
  }
}

void ecx_dequantize_s8(const int8_t *x, float *y, uint32_t n, float scale, int32_t zero) {
  for (uint32_t i = 0; i < n; ++i) {
    y[i] = scale * (float)(x[i] - zero);
  }
}
