// SPDX-License-Identifier: Apache-2.0
//
// Serves the model on Serial. Type info% in the serial monitor, or on the computer:
//   edgecxr classify IMAGE --device PORT
//   edgecxr bench MODEL --device PORT
// For research and teaching, not a medical device.
#include <edgecxr.h>

void setup() {
  ecx_port_start();
}

void loop() {
  ecx_app_run();
}
