/* SPDX-License-Identifier: Apache-2.0
 *
 * ecx_port.h for every board of Zephyr with a console UART. Nothing else may write on that line:
 * the sample's prj.conf turns the console and the log off.
 */
#include <zephyr/device.h>
#include <zephyr/devicetree.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/linker/linker-defs.h>

#include "ecx_cycles.h"
#include "ecx_port.h"

#define QUEUE_BYTES 512

/* Of CMSIS; not every chip's start-up code has it. */
extern uint32_t SystemCoreClock __attribute__((weak));

static const struct device *const line = DEVICE_DT_GET(DT_CHOSEN(zephyr_console));
K_MSGQ_DEFINE(received, 1, QUEUE_BYTES, 1);

static ecx_board board = {CONFIG_BOARD, "us", 0, 0, 0};
static int has_cycles;
static uint32_t last;
static uint64_t counted;

static void on_line(const struct device *device, void *data) {
  uint8_t byte;
  (void)data;
  while (uart_irq_update(device) && uart_irq_rx_ready(device)) {
    while (uart_fifo_read(device, &byte, 1) == 1) {
      (void)k_msgq_put(&received, &byte, K_NO_WAIT); /* a lost byte fails the load's CRC */
    }
  }
}

static uint32_t now(void) {
  return has_cycles ? ecx_cycles() : k_cycle_get_32();
}

void ecx_port_start(void) {
  uint8_t stale;
  while (uart_poll_in(line, &stale) == 0) {
  }
  uart_irq_callback_user_data_set(line, on_line, NULL);
  uart_irq_rx_enable(line);
  board.core_hz = &SystemCoreClock != NULL ? SystemCoreClock : sys_clock_hw_cycles_per_sec();
  board.flash_bytes = (uint32_t)(uintptr_t)_flash_used; /* its address is the size */
  board.static_ram_bytes =
      (uint32_t)(_image_ram_end - _image_ram_start) - (uint32_t)CONFIG_MAIN_STACK_SIZE;
  has_cycles = ecx_cycles_start();
  board.clock = has_cycles ? "cycles" : "us";
  last = now();
}

const ecx_board *ecx_port_board(void) {
  return &board;
}

int ecx_port_read(uint32_t timeout_ms) {
  uint8_t byte;
  const k_timeout_t wait = timeout_ms == ECX_FOREVER ? K_FOREVER : K_MSEC(timeout_ms);
  return k_msgq_get(&received, &byte, wait) == 0 ? byte : ECX_TIMED_OUT;
}

void ecx_port_write(const char *bytes, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    uart_poll_out(line, (unsigned char)bytes[i]);
  }
}

uint64_t ecx_port_clock(void) {
  const uint32_t time = now();
  counted += time - last;
  last = time;
  return has_cycles ? counted : k_cyc_to_us_floor64(counted);
}

/* Zephyr paints the stack of every thread (CONFIG_INIT_STACKS). */
uint32_t ecx_port_stack_bytes(void) {
  size_t unused;
  const struct k_thread *thread = k_current_get();
  if (k_thread_stack_space_get(thread, &unused) != 0) {
    return 0;
  }
  return (uint32_t)(thread->stack_info.size - unused);
}
