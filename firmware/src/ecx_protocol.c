/* SPDX-License-Identifier: Apache-2.0 */
#include "ecx_protocol.h"

#include <string.h>

#include "ecx_classifier.h"
#include "ecx_decision.h"
#include "ecx_load.h"
#include "ecx_port.h"
#include "ecx_text.h"

#define MAX_INFERENCES 10000u
#define HEX_BYTES_PER_LINE 32u

static struct {
  char command[ECX_COMMAND_MAX + 1];
  uint32_t length;    /* of the command so far; more than ECX_COMMAND_MAX: too long */
  const void *scores; /* of the last inference, or NULL */
  uint32_t image_crc; /* of the image that gave them */
} wire;

typedef struct {
  const char *name;
  const char *help;
  void (*run)(const char *arguments);
  int checked; /* whether m-check follows the reply */
} command;

static void line(const char *text) {
  ecx_print(text);
  ecx_print_end();
}

static void line_with(const char *before, uint64_t value, const char *after) {
  ecx_print(before);
  ecx_print_number(value);
  line(after);
}

static void crc_line(const char *before, uint32_t crc) {
  ecx_print(before);
  ecx_print_hex(crc, 8);
  line("]");
}

static void fail(const char *why) {
  ecx_print("e-[");
  ecx_print(why);
  line("]");
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
  line("m-name-dut-[edgecxr]");
}

static void profile(const char *arguments) {
  (void)arguments;
  line("m-profile-[ULPMark for tinyML Firmware V0.0.1]");
  ecx_print("m-model-[");
  ecx_print(ecx_model.name);
  line("]");
}

static void lap(uint64_t ticks) {
  line_with("m-lap-us-", ticks, "");
}

static void timestamp(const char *arguments) {
  (void)arguments;
  lap(ecx_port_clock());
}

static void info_text(const char *key, const char *value) {
  ecx_print(",\"");
  ecx_print(key);
  ecx_print("\":\"");
  ecx_print(value);
  ecx_print("\"");
}

static void info_number(const char *key, uint32_t value) {
  ecx_print(",\"");
  ecx_print(key);
  ecx_print("\":");
  if (value == 0) {
    ecx_print("null");
  } else {
    ecx_print_number(value);
  }
}

static void info_compiler(void) {
#if defined(__clang__)
  ecx_print(",\"compiler\":\"clang ");
  ecx_print_number(__clang_major__);
  ecx_print(".");
  ecx_print_number(__clang_minor__);
  ecx_print(".");
  ecx_print_number(__clang_patchlevel__);
  ecx_print("\"");
#elif defined(__GNUC__)
  ecx_print(",\"compiler\":\"gcc ");
  ecx_print_number(__GNUC__);
  ecx_print(".");
  ecx_print_number(__GNUC_MINOR__);
  ecx_print(".");
  ecx_print_number(__GNUC_PATCHLEVEL__);
  ecx_print("\"");
#else
  ecx_print(",\"compiler\":null");
#endif
}

static void info(const char *arguments) {
  const ecx_board *board = ecx_port_board();
  (void)arguments;
  ecx_print("m-info-[{\"wire\":1");
  info_text("edgecxr", ecx_model.edgecxr);
  info_text("board", board->board);
  info_text("model", ecx_model.name);
  info_text("sha256", ecx_model.sha256);
  info_text("precision", ecx_model.precision);
  ecx_print(",\"labels\":");
  ecx_print(ecx_model.labels_json);
  ecx_print(",\"input\":[");
  ecx_print_number(ecx_model.height);
  ecx_print(",");
  ecx_print_number(ecx_model.width);
  ecx_print(",");
  ecx_print_number(ecx_model.channels);
  ecx_print("]");
  info_text("runtime", ecx_model.runtime);
  info_compiler();
  info_number("clock_hz", board->core_hz);
  info_text("clock", board->clock);
  info_number("flash_bytes", board->flash_bytes);
  info_number("static_ram_bytes", board->static_ram_bytes);
  info_number("arena_bytes", ecx_model.arena_bytes);
  info_number("stack_bytes", ecx_port_stack_bytes());
  ecx_print(",\"keeps_image\":");
  ecx_print(ECX_KEEP_IMAGE ? "true" : "false");
  ecx_print(",\"db_raw\":");
  ecx_print(ECX_KEEP_IMAGE ? "true" : "false");
  line("}]");
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
    crc_line(", found ", ecx_load_crc());
    ecx_load_drop();
  } else {
    line("m-load-done");
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
    line("]");
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
  crc_line("m-crc32-[", ecx_load_crc());
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
    line("m-load-done");
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
        crc_line("m-check-[", ecx_print_check());
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

/* float32 scores are probabilities or logits: what is beyond a million is cut off there. */
static int64_t micro_of_float(float score) {
  const float limit = 1e6f;
  if (!(score > -limit)) {
    score = -limit; /* not a number, too */
  } else if (score > limit) {
    score = limit;
  }
  const float scaled = score * 1e6f;
  return (int64_t)(scaled + (scaled < 0 ? -0.5f : 0.5f));
}

static int64_t micro_of_int8(int8_t score) {
  const int64_t scaled = (score - ecx_model.output_zero_point) * ecx_model.output_scale * 1000000;
  /* Half away from 0; integer division cuts off. */
  return (scaled + (scaled < 0 ? -(INT64_C(1) << 30) : INT64_C(1) << 30)) / (INT64_C(1) << 31);
}

static void print_results(void) {
  const int is_float = ecx_model.precision[0] == 'f';
  ecx_print("m-results-[");
  for (uint32_t i = 0; i < ecx_model.outputs; ++i) {
    ecx_print(i > 0 ? "," : "");
    ecx_print_micro(is_float ? micro_of_float(((const float *)wire.scores)[i])
                             : micro_of_int8(((const int8_t *)wire.scores)[i]));
  }
  line("]");
  ecx_print("m-scores-[");
  for (uint32_t i = 0; i < ecx_model.outputs; ++i) {
    ecx_print(i > 0 ? "," : "");
    if (is_float) {
      uint32_t bits;
      memcpy(&bits, (const float *)wire.scores + i, sizeof bits);
      ecx_print_hex(bits, 8);
    } else {
      ecx_print_signed(((const int8_t *)wire.scores)[i]);
    }
  }
  line("]");
  crc_line("m-image-[", wire.image_crc);
  ecx_decision_print(wire.scores);
}

#if ECX_KEEP_IMAGE
static void infer_times(uint32_t count) {
  const uint32_t row_bytes = (uint32_t)ecx_model.width * ecx_model.channels;
  for (uint32_t i = 0; i < count; ++i) {
    ecx_classifier_begin();
    for (uint32_t y = 0; y < ecx_model.height; ++y) {
      (void)ecx_classifier_push_row(ecx_model.pixels + y * row_bytes);
    }
    wire.scores = ecx_classifier_finish();
    (void)ecx_port_clock();
  }
}

static void infer_now(uint32_t count, uint32_t warmup) {
  line_with("m-warmup-start-", warmup, "");
  infer_times(warmup);
  line("m-warmup-done");
  line_with("m-infer-start-", count, "");
  const uint64_t start = ecx_port_clock();
  infer_times(count);
  const uint64_t end = ecx_port_clock();
  lap(start);
  lap(end);
}
#else
/* The rows were computed as they came: the laps are apart by all the time in the model. */
static void infer_now(uint32_t count, uint32_t warmup) {
  line_with("m-warmup-start-", warmup, "");
  line("m-warmup-done");
  line_with("m-infer-start-", count, "");
  const uint64_t start = ecx_port_clock();
  wire.scores = ecx_classifier_finish();
  const uint64_t end = ecx_port_clock();
  lap(start);
  lap(end + ecx_load_ticks());
  ecx_load_drop();
}
#endif

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
    wire.image_crc = ecx_load_crc();
    infer_now(count, warmup);
    line("m-infer-done");
    print_results();
  }
}

static void results(const char *arguments) {
  (void)arguments;
  if (wire.scores == NULL) {
    fail("No results yet");
  } else {
    print_results();
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
    {"help", "help: this list; each command ends with %", help, 0},
};

static void help(const char *arguments) {
  (void)arguments;
  for (uint32_t i = 0; i < sizeof commands / sizeof *commands; ++i) {
    ecx_print("m-help-");
    line(commands[i].help);
  }
}

static void ready(void) {
  line("m-ready");
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
  wire.scores = NULL;
  line("m-timestamp-mode-performance");
  lap(ecx_port_clock());
  line("m-init-done");
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
