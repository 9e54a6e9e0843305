/* SPDX-License-Identifier: Apache-2.0
 *
 * The float32 kernels: the same forms as the int8 ones in ecx_kernels.h and ecx_maps.h, and the
 * same rules about overlap. Padding is 0.
 */
#ifndef ECX_FLOAT_H
#define ECX_FLOAT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  const float *weights; /* [out_c][taps]; depthwise: [out_c][kernel row][kernel column] */
  const float *bias;    /* [out_c] */
  uint16_t in_h, in_w, in_c;
  uint16_t out_h, out_w, out_c;
  uint8_t kernel_h, kernel_w;
  uint8_t stride_h, stride_w;
  uint8_t pad_top, pad_left;
  uint8_t depth_multiplier;
  float low, high;
} ecx_conv_f32;

/* scratch: four pixels of in_c. */
void ecx_pointwise_f32(const float *x, float *y, uint32_t n, const ecx_conv_f32 *layer,
                       void *scratch);
/* scratch: four windows of kernel_h * kernel_w * in_c. */
void ecx_conv_row_f32(const float *const *rows, float *y, const ecx_conv_f32 *layer, void *scratch);
/* scratch: kernel_h, or in_h + kernel_h, lines of in_w + kernel_w. */
void ecx_depthwise_row_f32(const float *const *rows, float *y, const ecx_conv_f32 *layer,
                           void *scratch);
void ecx_depthwise_map_f32(const float *x, float *y, const ecx_conv_f32 *layer, void *scratch);

void ecx_mean_f32(const float *x, float *y, uint32_t pixels, uint32_t channels);
void ecx_softmax_f32(const float *x, float *y, uint32_t n, uint32_t depth, float beta);

/* Element by element. */
void ecx_clamp_f32(const float *x, float *y, uint32_t n, float low, float high);
void ecx_leaky_relu_f32(const float *x, float *y, uint32_t n, float slope);
void ecx_logistic_f32(const float *x, float *y, uint32_t n);
void ecx_hard_swish_f32(const float *x, float *y, uint32_t n);

/* b repeats with `period`. */
typedef struct {
  uint32_t period;
  float low, high;
} ecx_binary_f32;
void ecx_add_f32(const float *a, const float *b, float *y, uint32_t n, const ecx_binary_f32 *layer);
void ecx_mul_f32(const float *a, const float *b, float *y, uint32_t n, const ecx_binary_f32 *layer);
void ecx_prelu_f32(const float *a, const float *b, float *y, uint32_t n,
                   const ecx_binary_f32 *layer);

typedef struct {
  uint16_t in_w, out_w, channels;
  uint8_t kernel_h, kernel_w, stride_w, pad_left;
  float low, high;
} ecx_pool_f32;
void ecx_average_pool_row_f32(const float *const *rows, float *y, const ecx_pool_f32 *layer);
void ecx_max_pool_row_f32(const float *const *rows, float *y, const ecx_pool_f32 *layer);

/* Between the types. */
void ecx_quantize_s8(const float *x, int8_t *y, uint32_t n, float scale, int32_t zero);
void ecx_dequantize_s8(const int8_t *x, float *y, uint32_t n, float scale, int32_t zero);

/* e^x with a relative error below 2e-7, for x in [-87, 88]; 0 below. No libm is needed. */
float ecx_exp(float x);

#ifdef __cplusplus
}
#endif
#endif
