/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_maps.h"
#include "ecx_requantize.h"

void ecx_mean_s8(const int8_t *x, int8_t *y, const ecx_mean_s8_layer *layer) {
  for (uint32_t c = 0; c < layer->channels; ++c) {
    int32_t sum = -layer->input_sum;
    const int8_t *p = x + c;
    for (uint32_t i = layer->pixels; i > 0; --i) {
      sum += *p;
      p += layer->channels;
    }
    sum = ecx_requantize(sum, layer->multiplier, layer->shift) + layer->output_zero;
    y[c] = ecx_clamp(sum, -128, 127);
  }
}
