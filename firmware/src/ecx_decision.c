/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_decision.h"

#include <string.h>

#include "ecx_classifier.h"
#include "ecx_infer.h"
#include "ecx_text.h"

/* Whether the last score of a class is at least `limit`, which is that of ecx_decision. */
static int reaches(uint32_t index, int32_t limit) {
  const void *scores = ecx_infer_scores();
  if (ecx_model.precision[0] == 'f') {
    float least;
    memcpy(&least, &limit, sizeof least);
    return ((const float *)scores)[index] >= least;
  }
  return ((const int8_t *)scores)[index] >= limit;
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

void ecx_decision_print_rest(void) {
  const ecx_decision *rule = ecx_model.decision;
  const uint32_t best = ecx_infer_best();
  const char *before = "";
  if (rule == NULL) {
    return;
  }
  ecx_print(",\"uncertain\":");
  ecx_print(reaches(best, rule->certain) ? "false" : "true");
  ecx_print(",\"set\":[");
  for (uint32_t i = 0; i < ecx_model.outputs; ++i) {
    if (i == best || reaches(i, rule->included)) {
      ecx_print(before);
      ecx_print_label(i);
      before = ",";
    }
  }
  ecx_print("]");
}

void ecx_decision_print(void) {
  if (ecx_model.decision == NULL) {
    return;
  }
  ecx_print("m-decision-[{\"label\":");
  ecx_print_label(ecx_infer_best());
  ecx_decision_print_rest();
  ecx_print_line("}]");
}
