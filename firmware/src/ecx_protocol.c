/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_protocol.h"

#include <string.h>

#include "ecx_classifier.h"
#include "ecx_demo.h"
#include "ecx_infer.h"
#include "ecx_info.h"
#include "ecx_load.h"
#include "ecx_port.h"
#include "ecx_text.h"

#define MAX_INFERENCES 10000u
#define HEX_BYTES_PER_LINE 32u

static struct {
  char command[ECX_COMMAND_MAX + 1];
  uint32_t length; /* of the command so far; more than ECX_COMMAND_MAX: too long */
} wire;

typedef struct {
  const char *name;
  const char *help;
  void (*run)(const char *arguments);
  int checked; /* whether m-check follows the reply */
} command;

static void line_with(const char *before, uint64_t value, const char *after) {
  ecx_print(before);
  ecx_print_number(value);
  ecx_print_line(after);
}

static void fail(const char *why) {
  ecx_print("e-[");
  ecx_print(why);
  ecx_print_line("]");
}

/* If the next word is `word`, what follows it; else NULL. */
static const char *after(const char *text, const char *word) {
  const size_t length = strlen(word);
  if (strncmp(text, word, length) != 0 || (text[length] != ' ' && text[length] != 0)) {
    return NULL;
  }
  for (text += length; *text == ' ';) {
    ++text;
  }
  return text;
}

/* Read a decimal number of at most nine digits and move *text behind it. */
static int number(const char **text, uint32_t *value) {
  const char *at = *text;
  *value = 0;
  while (*at >= '0' && *at <= '9' && at - *text < 9) {
    *value = *value * 10 + (uint32_t)(*at++ - '0');
  }
  const int found = at != *text && (*at == 0 || *at == ' ');
  while (*at == ' ') {
    ++at;
  }
  *text = at;
  return found;
}

/* 0 to 15, or -1. */
static int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  if (digit >= 'a' && digit <= 'f') {
    return digit - 'a' + 10;
  }
  return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

static void name(const char *arguments) {
  (void)arguments;
  ecx_print_line("m-name-dut-[edgecxr]");
}

static void profile(const char *arguments) {
  (void)arguments;
  ecx_print_line("m-profile-[ULPMark for tinyML Firmware V0.0.1]");
  ecx_print("m-model-[");
  ecx_print(ecx_model.name);
  ecx_print_line("]");
}

/* Microseconds, as the name says, also where the clock counts cycles: the MLPerf Tiny runner
 * divides by them. */
static void lap(uint64_t ticks) {
  const uint32_t hz = ecx_port_board()->core_hz;
  if (ecx_clock_counts_cycles()) {
    ticks = ticks / hz * 1000000u + ticks % hz * 1000000u / hz;
  }
  line_with("m-lap-us-", ticks, "");
}

static void timestamp(const char *arguments) {
  (void)arguments;
  lap(ecx_port_clock());
}

static void info(const char *arguments) {
  (void)arguments;
  ecx_info_print();
}

static void expect_image(void) {
  ecx_load_start();
  line_with("m-[Expecting ", ecx_image_bytes(), " bytes]");
}

/* Whether `size` is that of an image; says so if not. */
static int size_fits(uint32_t size) {
  if (size == ecx_image_bytes()) {
    return 1;
  }
  ecx_load_drop();
  ecx_print("e-[Expected a load of ");
  ecx_print_number(ecx_image_bytes());
  line_with(" bytes, found ", size, "]");
  return 0;
}

static void db_load(const char *arguments) {
  uint32_t size;
  if (!number(&arguments, &size) || *arguments != 0) {
    fail("Expected db load N%");
  } else if (size_fits(size)) {
    expect_image();
  }
}

#if ECX_KEEP_IMAGE
/* All bytes of the image as they come; 0 if they stopped coming. */
static int receive_raw(void) {
  while (ecx_load_missing() > 0) {
    const int byte = ecx_port_read(ECX_RAW_TIMEOUT_MS);
    if (byte < 0) {
      return 0;
    }
    ecx_load_byte((uint8_t)byte);
  }
  return 1;
}

/* Eight hex digits at the end of the command. */
static int crc_argument(const char *text, uint32_t *value) {
  *value = 0;
  for (uint32_t i = 0; i < 8; ++i) {
    const int digit = hex_digit(text[i]); /* the terminating 0 is no digit */
    if (digit < 0) {
      return 0;
    }
    *value = (*value << 4) | (uint32_t)digit;
  }
  return text[8] == 0;
}

static void db_raw(const char *arguments) {
  uint32_t size;
  uint32_t expected;
  if (!number(&arguments, &size) || !crc_argument(arguments, &expected)) {
    fail("Expected db raw N CRC32%");
    return;
  }
  if (!size_fits(size)) {
    return;
  }
  expect_image();
  if (!receive_raw()) {
    ecx_load_drop();
    fail("Load timed out");
  } else if (ecx_load_crc() != expected) {
    ecx_print("e-[CRC mismatch, expected ");
    ecx_print_hex(expected, 8);
    ecx_print_crc_line(", found ", ecx_load_crc());
    ecx_load_drop();
  } else {
    ecx_print_line("m-load-done");
  }
}

static void db_print(const char *arguments) {
  (void)arguments;
  if (!ecx_load_complete()) {
    fail("No image loaded");
    return;
  }
  for (uint32_t at = 0; at < ecx_image_bytes(); at += HEX_BYTES_PER_LINE) {
    ecx_print("m-[");
    for (uint32_t i = at; i < at + HEX_BYTES_PER_LINE && i < ecx_image_bytes(); ++i) {
      ecx_print_hex(ecx_model.pixels[i], 2);
    }
    ecx_print_line("]");
  }
}
#else
static void db_raw(const char *arguments) {
  (void)arguments;
  fail("This board keeps no image and cannot read one at line rate; use db load and db HEX");
}

static void db_print(const char *arguments) {
  (void)arguments;
  fail("This board keeps no image");
}
#endif

static void db_crc(const char *arguments) {
  (void)arguments;
  if (!ecx_load_complete()) {
    fail("No image loaded");
    return;
  }
  ecx_print_crc_line("m-crc32-[", ecx_load_crc());
}

static void db_hex(const char *digits) {
  const uint32_t length = (uint32_t)strlen(digits);
  const char *why = NULL;
  for (uint32_t i = 0; i < length; ++i) {
    if (hex_digit(digits[i]) < 0) {
      why = "Expected pairs of hexadecimal digits";
    }
  }
  if (length == 0 || length % 2 != 0) {
    why = "Expected pairs of hexadecimal digits";
  } else if (why == NULL && ecx_load_missing() == 0) {
    why = "No load in progress; start with db load N%";
  } else if (why == NULL && length / 2 > ecx_load_missing()) {
    why = "More bytes than the load has";
  }
  if (why != NULL) {
    ecx_load_drop();
    fail(why);
    return;
  }
  for (uint32_t i = 0; i < length; i += 2) {
    ecx_load_byte((uint8_t)(hex_digit(digits[i]) * 16 + hex_digit(digits[i + 1])));
  }
  if (ecx_load_missing() == 0) {
    ecx_print_line("m-load-done");
  }
}

static const command db_commands[] = {
    {"load", NULL, db_load, 0},
    {"raw", NULL, db_raw, 0},
    {"print", NULL, db_print, 0},
    {"crc", NULL, db_crc, 1},
};

/* Run the command that `text` starts with; 0 if it is not in the table. */
static int dispatch(const command *table, uint32_t count, const char *text) {
  for (uint32_t i = 0; i < count; ++i) {
    const char *arguments = after(text, table[i].name);
    if (arguments != NULL) {
      table[i].run(arguments);
      if (table[i].checked) {
        ecx_print_crc_line("m-check-[", ecx_print_check());
      }
      return 1;
    }
  }
  return 0;
}

#define DISPATCH(table, text) dispatch(table, (uint32_t)(sizeof(table) / sizeof *(table)), text)

static void db(const char *arguments) {
  if (!DISPATCH(db_commands, arguments)) {
    db_hex(arguments);
  }
}

/* A runtime that ran out of arena, or lacks an operator. */
#define NO_RESULT "The model gave no result"

static void infer_now(uint32_t count, uint32_t warmup) {
  line_with("m-warmup-start-", warmup, "");
  if (warmup > 0) {
    (void)ecx_infer(warmup);
  }
  ecx_print_line("m-warmup-done");
  line_with("m-infer-start-", count, "");
  const ecx_span span = ecx_infer(count);
  if (ecx_infer_scores() == NULL) {
    fail(NO_RESULT);
    return;
  }
  lap(span.start);
  lap(span.end);
  ecx_print_line("m-infer-done");
  if (ecx_clock_counts_cycles()) {
    line_with("m-cycles-", span.end - span.start, "");
  }
  ecx_infer_print_results();
}

static void infer(const char *arguments) {
  uint32_t count = 1;
  uint32_t warmup = 0;
  const int numbers = *arguments == 0 || (number(&arguments, &count) &&
                                          (*arguments == 0 || number(&arguments, &warmup)));
  if (!numbers || *arguments != 0) {
    fail("Expected infer N W%");
  } else if (count < 1 || count > MAX_INFERENCES || warmup > MAX_INFERENCES) {
    fail("Expected 1 to 10000 inferences and 0 to 10000 to warm up");
  } else if (!ECX_KEEP_IMAGE && (count > 1 || warmup > 0)) {
    fail("This board keeps no image and infers each one once; use infer 1 0%");
  } else if (!ecx_load_complete()) {
    fail("No image loaded");
  } else {
    infer_now(count, warmup);
  }
}

static void demo(const char *arguments) {
  (void)arguments;
  if (ecx_demo_count() == 0) {
    fail("This board has no room for demo images");
  } else if (ecx_demo_run() != 0) {
    fail(NO_RESULT);
  }
}

static void results(const char *arguments) {
  (void)arguments;
  if (ecx_infer_scores() == NULL) {
    fail("No results yet");
  } else {
    ecx_infer_print_results();
  }
}

static void help(const char *arguments);

static const command commands[] = {
    {"name", "name: who answers", name, 0},
    {"profile", "profile: benchmark profile and model", profile, 0},
    {"timestamp", "timestamp: the clock now", timestamp, 0},
    {"info", "info: board, model and memory as JSON", info, 1},
    {"db", "db load N, db HEX, db raw N CRC32, db print, db crc: the image", db, 0},
    {"infer", "infer N W: N inferences after W to warm up", infer, 1},
    {"results", "results: those of the last inference", results, 1},
    {"demo", "demo: classify the built-in synthetic images", demo, 1},
    {"help", "help: this list; each command ends with %", help, 0},
};

static void help(const char *arguments) {
  (void)arguments;
  for (uint32_t i = 0; i < sizeof commands / sizeof *commands; ++i) {
    ecx_print("m-help-");
    ecx_print_line(commands[i].help);
  }
}

static void ready(void) {
  ecx_print_line("m-ready");
}

static void execute(void) {
  while (wire.length > 0 && wire.command[wire.length - 1] == ' ') {
    --wire.length;
  }
  wire.command[wire.length] = 0;
  ecx_print_check_start(wire.command);
  if (wire.length > 0 && !DISPATCH(commands, wire.command)) {
    fail("Unknown command");
  }
}

void ecx_protocol_start(void) {
  ecx_load_drop();
  wire.length = 0;
  ecx_infer_forget();
  ecx_print_line("m-timestamp-mode-performance");
  lap(ecx_port_clock());
  ecx_print_line("m-init-done");
  ready();
}

void ecx_protocol_byte(uint8_t byte) {
  if (byte == '%') {
    if (wire.length > ECX_COMMAND_MAX) {
      fail("Command too long");
    } else {
      execute();
    }
    wire.length = 0;
    ready();
    return;
  }
  if (byte == '\r' || byte == '\n' || byte == '\t') {
    byte = ' ';
  }
  if (byte == 0) {
    byte = '?'; /* a NUL would hide what follows it */
  }
  if (byte == ' ' && wire.length == 0) {
    return;
  }
  if (wire.length < ECX_COMMAND_MAX) {
    wire.command[wire.length] = (char)byte;
  }
  if (wire.length <= ECX_COMMAND_MAX) {
    ++wire.length;
  }
}
