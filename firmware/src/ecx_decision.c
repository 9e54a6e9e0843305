/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_decision.h"

#include <string.h>

#include "ecx_classifier.h"
#include "ecx_text.h"

static int is_float(void) {
  return ecx_model.precision[0] == 'f';
}

/* Whether the score of a class is at least `limit`, which is that of ecx_decision. */
static int reaches(const void *scores, uint32_t index, int32_t limit) {
  if (is_float()) {
    float least;
    memcpy(&least, &limit, sizeof least);
    return ((const float *)scores)[index] >= least;
  }
  return ((const int8_t *)scores)[index] >= limit;
}

/* The first of the classes with the highest score. */
static uint32_t best_of(const void *scores) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < ecx_model.outputs; ++i) {
    const int more = is_float() ? ((const float *)scores)[i] > ((const float *)scores)[best]
                                : ((const int8_t *)scores)[i] > ((const int8_t *)scores)[best];
    best = more ? i : best;
  }
  return best;
}

/* Behind the string that starts at `text` with a quotation mark. */
static const char *string_end(const char *text) {
  for (++text; *text != 0 && *text != '"'; ++text) {
    if (*text == '\\' && text[1] != 0) {
      ++text;
    }
  }
  return *text == 0 ? text : text + 1;
}

void ecx_print_label(uint32_t index) {
  const char *at = strchr(ecx_model.labels_json, '"');
  while (at != NULL && index > 0) {
    at = strchr(string_end(at), '"');
    --index;
  }
  if (at == NULL) {
    ecx_print("null");
    return;
  }
  for (const char *end = string_end(at); at < end; ++at) {
    const char text[2] = {*at, 0};
    ecx_print(text);
  }
}

void ecx_decision_print(const void *scores) {
  const ecx_decision *rule = ecx_model.decision;
  if (rule == NULL) {
    return;
  }
  const uint32_t best = best_of(scores);
  const char *before = "";
  ecx_print("m-decision-[{\"label\":");
  ecx_print_label(best);
  ecx_print(",\"uncertain\":");
  ecx_print(reaches(scores, best, rule->certain) ? "false" : "true");
  ecx_print(",\"set\":[");
  for (uint32_t i = 0; i < ecx_model.outputs; ++i) {
    if (i == best || reaches(scores, i, rule->included)) {
      ecx_print(before);
      ecx_print_label(i);
      before = ",";
    }
  }
  ecx_print("]}]");
  ecx_print_end();
}
