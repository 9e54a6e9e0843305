/* SPDX-License-Identifier: Apache-2.0
 *
 * Serves the model on the console UART. For research and teaching, not a medical device.
 */
#include <edgecxr.h>

int main(void) {
  ecx_port_start();
  ecx_app_run();
  return 0;
}
