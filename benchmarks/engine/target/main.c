/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the generated model on IMAGE_COUNT images in memory and prints, one per line:
 *   scores IMAGE BYTES    the output tensor of one image, in hex
 *   instructions N        of the first image: begin, every push_row and finish (not while tracing)
 *   stack N               most bytes of stack in use, from the top
 *   layer INDEX N         instructions of one layer in the first image (only while tracing)
 */
#include <string.h>

#include "model.h"
#include "target.h"

#define PIXELS (MODEL_INPUT_WIDTH * MODEL_INPUT_CHANNELS)

#ifndef SCORE
#define SCORE int8_t
#endif

/* All that an application needs in RAM: the model's state, one row of pixels, the scores. */
static model_state state;
static uint8_t row[PIXELS];
static SCORE scores[MODEL_OUTPUTS];

__attribute__((section(".measured"))) static char text[2 * sizeof scores + 32];

static char *append(char *at, const char *what) {
  while (*what != 0) {
    *at++ = *what++;
  }
  return at;
}

static char *append_number(char *at, uint32_t value) {
  char digits[10];
  int count = 0;
  do {
    digits[count++] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count > 0) {
    *at++ = digits[--count];
  }
  return at;
}

static void print_text(char *end) {
  *end++ = '\n';
  *end = 0;
  print(text);
}

static void print_line(const char *what, uint32_t number) {
  print_text(append_number(append(text, what), number));
}

static void print_scores(uint32_t image) {
  const uint8_t *bytes = (const uint8_t *)scores;
  char *at = append(append_number(append(text, "scores "), image), " ");
  for (uint32_t i = 0; i < sizeof scores; ++i) {
    *at++ = "0123456789abcdef"[bytes[i] >> 4];
    *at++ = "0123456789abcdef"[bytes[i] & 15];
  }
  print_text(at);
}

#ifdef ECX_TRACE
__attribute__((section(".measured"))) static uint32_t spent[MODEL_LAYERS + 1];
__attribute__((section(".measured"))) static uint32_t entered;
__attribute__((section(".measured"))) static uint32_t overhead;

/* Time from the end of one call to the start of the next belongs to the layer named first. */
__attribute__((noinline)) void trace(int layer) {
  if (layer < 0) {
    const uint32_t now = timer_ticks();
    spent[entered] += now - spent[MODEL_LAYERS] - overhead;
  } else {
    entered = (uint32_t)layer;
    spent[MODEL_LAYERS] = timer_ticks();
  }
}

static void calibrate(void) {
  memset(spent, 0, sizeof spent);
  overhead = 0;
  trace(0);
  trace(-1);
  overhead = spent[0];
  spent[0] = 0;
}
#endif

/* Ticks of one inference. Fetching a row is the application's business and is not counted. */
static uint32_t infer(const uint8_t *image) {
  uint32_t start = timer_ticks();
  model_begin(&state);
  uint32_t ticks = timer_ticks() - start;
  for (uint32_t y = 0; y < MODEL_INPUT_HEIGHT; ++y) {
    memcpy(row, image + y * PIXELS, PIXELS);
    start = timer_ticks();
    model_push_row(&state, row);
    ticks += timer_ticks() - start;
  }
  start = timer_ticks();
  model_finish(&state, scores);
  return ticks + (timer_ticks() - start);
}

int main(void) {
  timer_start();
#ifdef ECX_TRACE
  calibrate();
#endif
  for (uint32_t i = 0; i < IMAGE_COUNT; ++i) {
    const uint32_t ticks = infer((const uint8_t *)IMAGES + i * MODEL_INPUT_HEIGHT * PIXELS);
    if (i == 0) {
#ifdef ECX_TRACE
      (void)ticks;
      for (uint32_t layer = 0; layer < MODEL_LAYERS; ++layer) {
        print_line("layer ", layer);
        print_line("spent ", TICKS_TO_INSTRUCTIONS(spent[layer]));
      }
#else
      print_line("instructions ", TICKS_TO_INSTRUCTIONS(ticks));
      print_line("stack ", stack_bytes_used());
#endif
    }
    print_scores(i);
  }
  return 0;
}
