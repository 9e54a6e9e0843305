/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_app.h"

#include "ecx_classifier.h"
#include "ecx_port.h"
#include "ecx_protocol.h"
#include "ecx_text.h"

void ecx_app_run(void) {
  ecx_print("m-edgecxr ");
  ecx_print(ecx_model.edgecxr);
  ecx_print(" for research and teaching, not a medical device");
  ecx_print_end();
  ecx_protocol_start();
  for (;;) {
    const int byte = ecx_port_read(ECX_FOREVER);
    if (byte == ECX_CLOSED) {
      return;
    }
    if (byte >= 0) {
      ecx_protocol_byte((uint8_t)byte);
    }
  }
}
