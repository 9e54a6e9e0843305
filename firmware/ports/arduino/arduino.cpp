// SPDX-License-Identifier: Apache-2.0
//
// ecx_port.h for every Arduino board with a Serial. Memory figures and the stack's mark are for the
// cores that tell: Arduino's mbed boards, the Pico's own core, ESP32; elsewhere they are unknown.
#include <Arduino.h>

#include "ecx_cycles.h"
#include "ecx_port.h"

#if defined(ARDUINO_ARCH_ESP32)
#include <freertos/FreeRTOS.h>
#include <freertos/task.h>
#elif defined(ARDUINO_ARCH_MBED)
#include <mbed.h>
#include <rtx_os.h>
#endif

#if defined(ARDUINO_ARDUINO_NANO33BLE)
#define ECX_BOARD "nano33"
#elif defined(ARDUINO_RASPBERRY_PI_PICO)
#define ECX_BOARD "pico"
#elif defined(ARDUINO_ESP32S3_DEV)
#define ECX_BOARD "esp32s3"
#else
#define ECX_BOARD "arduino"
#endif

#if defined(VARIANT_MCK)
#define CORE_HZ VARIANT_MCK
#elif defined(F_CPU)
#define CORE_HZ F_CPU
#else
#define CORE_HZ 0
#endif

namespace {

constexpr unsigned long kBaud = 115200;
constexpr uint32_t kPaint = 0xa5a5a5a5u;
constexpr size_t kMarginWords = 64;  // what start() and an interrupt may use while it paints

ecx_board board = {ECX_BOARD, "us", CORE_HZ, 0, 0};
bool has_cycles;
uint32_t last;
uint64_t counted;

#if defined(ARDUINO_ARCH_MBED) || (defined(ARDUINO_ARCH_RP2040) && !defined(ARDUINO_ARCH_MBED))

// The stack that the sketch runs on, from its lowest word.
uint32_t *stack_low;
uint32_t *stack_high;

void find_stack() {
#if defined(ARDUINO_ARCH_MBED)
  const osRtxThread_t *thread = static_cast<const osRtxThread_t *>(osThreadGetId());
  stack_low = static_cast<uint32_t *>(thread->stack_mem);
  stack_high = stack_low + thread->stack_size / sizeof(uint32_t);
#else
  extern uint32_t __StackBottom[], __StackTop[];
  stack_low = __StackBottom;
  stack_high = __StackTop;
#endif
}

void start_stack() {
  find_stack();
  uint32_t *const here = static_cast<uint32_t *>(__builtin_frame_address(0)) - kMarginWords;
  // The operating system has its own mark in the lowest words.
  for (volatile uint32_t *at = stack_low + 4; at < here; ++at) {
    *at = kPaint;
  }
}

uint32_t stack_bytes() {
  const uint32_t *at = stack_low + 4;
  while (at < stack_high && *at == kPaint) {
    ++at;
  }
  return static_cast<uint32_t>((stack_high - at) * sizeof(uint32_t));
}

#elif defined(ARDUINO_ARCH_ESP32)

void start_stack() {}

// FreeRTOS paints every task's stack itself and counts in bytes here.
uint32_t stack_bytes() {
  return static_cast<uint32_t>(getArduinoLoopTaskStackSize() - uxTaskGetStackHighWaterMark(nullptr));
}

#else

void start_stack() {}

uint32_t stack_bytes() {
  return 0;
}

#endif

#if defined(ARDUINO_ARDUINO_NANO33BLE)

// Names of the variant's linker script.
extern "C" char __etext, __data_start__, __data_end__, __bss_start__, __bss_end__;
constexpr uint32_t kFlashStart = 0x10000;  // behind the bootloader

void find_memory() {
  const uint32_t data = static_cast<uint32_t>(&__data_end__ - &__data_start__);
  board.flash_bytes = reinterpret_cast<uint32_t>(&__etext) - kFlashStart + data;
  board.static_ram_bytes = data + static_cast<uint32_t>(&__bss_end__ - &__bss_start__);
}

#else

void find_memory() {}

#endif

uint64_t extended(uint32_t now) {
  counted += now - last;
  last = now;
  return counted;
}

}  // namespace

extern "C" {

void ecx_port_start(void) {
  Serial.begin(kBaud);
  start_stack();
  find_memory();
  has_cycles = CORE_HZ != 0 && ecx_cycles_start() != 0;
  board.clock = has_cycles ? "cycles" : "us";
  last = has_cycles ? ecx_cycles() : static_cast<uint32_t>(micros());
}

const ecx_board *ecx_port_board(void) {
  return &board;
}

int ecx_port_read(uint32_t timeout_ms) {
  const uint32_t start = millis();
  for (;;) {
    const int byte = Serial.read();
    if (byte >= 0) {
      return byte;
    }
    if (timeout_ms != ECX_FOREVER && static_cast<uint32_t>(millis()) - start > timeout_ms) {
      return ECX_TIMED_OUT;
    }
    yield();  // USB and radio stacks of some cores run here
  }
}

void ecx_port_write(const char *bytes, uint32_t count) {
  Serial.write(reinterpret_cast<const uint8_t *>(bytes), count);
}

uint64_t ecx_port_clock(void) {
  return extended(has_cycles ? ecx_cycles() : static_cast<uint32_t>(micros()));
}

uint32_t ecx_port_stack_bytes(void) {
  return stack_bytes();
}

}  // extern "C"
