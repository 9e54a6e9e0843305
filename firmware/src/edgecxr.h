/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sketch or a main.c includes: ecx_port_start, then ecx_app_run.
 */
#ifndef EDGECXR_H
#define EDGECXR_H

#include "ecx_app.h"
#include "ecx_port.h"

#endif
