/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ECX_APP_H
#define ECX_APP_H

#ifdef __cplusplus
extern "C" {
#endif

/* Print the banner and serve commands until the line is gone. */
void ecx_app_run(void);

#ifdef __cplusplus
}
#endif
#endif
