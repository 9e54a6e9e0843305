/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 16
#define LARGEST_PIXEL 0xffffffu
#define LARGEST 9007199254740992.0 /* 2^53: whole numbers that JSON's readers agree on */

enum { VALUE, VALUE_OR_END, KEY, KEY_OR_END, COLON, NEXT, STRING, ESCAPE, HEX, NUMBER, WORD, OVER };
enum { OTHER, ID, HELLO, CLASSIFY, CLASSIFY_SHM, THRESHOLD, DEBUG, ELEMENTS, MIN_SCORE };
enum { AN_OBJECT, AN_ARRAY, A_STRING, A_NUMBER, A_TRUTH, A_NULL };

static const struct {
  const char *name;
  int field;
} fields[] = {{"id", ID},
              {"hello", HELLO},
              {"classify", CLASSIFY},
              {"classify_shm", CLASSIFY_SHM},
              {"set_threshold", THRESHOLD},
              {"debug", DEBUG},
              {"elements", ELEMENTS},
              {"min_score", MIN_SCORE}};

/* The first thing that is wrong is told. */
static void wrong(eim_request *r, const char *what) {
  if (r->error[0] == 0) {
    snprintf(r->error, sizeof r->error, "%s", what);
  }
}

/* No sense can be made of the rest of this object. */
static void broken(eim_request *r, const char *what) {
  wrong(r, what);
  r->state = OVER;
}

static void forget(eim_request *r) {
  r->verb = EIM_NOTHING;
  r->error[0] = 0;
  r->has_id = r->debug = 0;
  r->count = 0;
  r->block = -1;
  r->min_score = -1;
  r->in_string = r->escaped = 0;
  r->braces = 0;
  r->state = VALUE;
  r->depth = r->arrays = 0;
  r->field = r->inner = OTHER;
  r->size = 0;
}

void eim_start(eim_request *request) {
  forget(request);
  request->lost = 0;
}

static void store_pixel(const eim_request *request, uint64_t index, uint32_t rgb) {
  const uint32_t red = rgb >> 16, green = rgb >> 8 & 255, blue = rgb & 255;
  uint8_t *to = request->pixels + index * request->channels;
  if (request->channels == 1) {
    /* ITU-R BT.601 in 16 bits: a gray pixel comes out as it was. */
    to[0] = (uint8_t)((red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16);
  } else {
    to[0] = (uint8_t)red;
    to[1] = (uint8_t)green;
    to[2] = (uint8_t)blue;
  }
}

int eim_pixel(const eim_request *request, uint64_t index, double value) {
  if (!(value >= 0 && value <= LARGEST_PIXEL)) {
    return -1; /* not a number, too */
  }
  const uint32_t rgb = (uint32_t)value;
  if ((double)rgb != value) {
    return -1;
  }
  store_pixel(request, index, rgb);
  return 0;
}

static void verb(eim_request *r, eim_verb found) {
  if (r->verb != EIM_NOTHING) {
    wrong(r, "expected one of hello, classify, classify_shm and set_threshold, found two");
  }
  r->verb = found;
}

/* A whole number, or -1 with a complaint. */
static int64_t whole(eim_request *r, double number, const char *complaint) {
  if (!(number >= -LARGEST && number <= LARGEST) || (double)(int64_t)number != number) {
    wrong(r, complaint);
    return -1;
  }
  return (int64_t)number;
}

/* A value of the request itself: {"field": value}. */
static void top_value(eim_request *r, int kind, double number) {
  switch (r->field) {
  case ID:
    if (kind != A_NUMBER) {
      wrong(r, "id must be a number");
    } else {
      r->id = whole(r, number, "id must be a whole number");
      r->has_id = 1;
    }
    break;
  case HELLO:
    verb(r, EIM_HELLO);
    break;
  case CLASSIFY:
    verb(r, EIM_CLASSIFY);
    if (kind != AN_ARRAY) {
      wrong(r, "classify must be an array of numbers");
    }
    break;
  case CLASSIFY_SHM:
    verb(r, EIM_CLASSIFY_SHM);
    if (kind != AN_OBJECT) {
      wrong(r, "classify_shm must be an object with elements");
    }
    break;
  case THRESHOLD:
    verb(r, EIM_THRESHOLD);
    if (kind != AN_OBJECT) {
      wrong(r, "set_threshold must be an object with id and min_score");
    }
    break;
  case DEBUG:
    r->debug = kind == A_TRUTH && r->token[0] == 't';
    break;
  default:
    break; /* newer clients may say more */
  }
}

/* A value in an array or an object of the request. */
static void inner_value(eim_request *r, int kind, double number) {
  if (r->field == CLASSIFY) {
    if (kind != A_NUMBER) {
      wrong(r, "classify must be an array of numbers");
    } else if (r->count < r->elements && eim_pixel(r, r->count, number) != 0) {
      wrong(r, "each value must be a whole number from 0 to 16777215");
    }
    ++r->count;
  } else if (r->field == CLASSIFY_SHM && r->inner == ELEMENTS) {
    const int64_t count =
        kind == A_NUMBER ? whole(r, number, "elements must be a whole number") : -1;
    r->count = count < 0 ? 0 : (uint64_t)count;
  } else if (r->field == THRESHOLD && r->inner == ID) {
    r->block =
        kind == A_NUMBER ? whole(r, number, "the id of a threshold must be a whole number") : -1;
  } else if (r->field == THRESHOLD && r->inner == MIN_SCORE) {
    r->min_score = kind == A_NUMBER ? number : -1;
  }
}

static void value(eim_request *r, int kind, double number) {
  if (r->depth == 1) {
    top_value(r, kind, number);
  } else if (r->depth == 2) {
    inner_value(r, kind, number);
  } else if (r->field == CLASSIFY) {
    wrong(r, "classify must be an array of numbers");
  }
}

static int in_array(const eim_request *r) {
  return (int)(r->arrays >> r->depth & 1);
}

static void open_container(eim_request *r, int array) {
  if (r->depth >= DEEPEST) {
    broken(r, "nested too deep");
    return;
  }
  if (r->depth > 0) {
    value(r, array ? AN_ARRAY : AN_OBJECT, 0);
  }
  ++r->depth;
  r->arrays = (r->arrays & ~(1u << r->depth)) | (uint32_t)array << r->depth;
  r->state = array ? VALUE_OR_END : KEY_OR_END;
}

static void close_container(eim_request *r, int array) {
  if (in_array(r) != array) {
    broken(r, "a bracket closes what another one opened");
    return;
  }
  --r->depth;
  r->state = r->depth == 0 ? OVER : NEXT;
}

static void keep(eim_request *r, uint8_t byte) {
  if (r->size < sizeof r->token - 1) {
    r->token[r->size] = (char)byte;
    r->token[r->size + 1] = 0;
  }
  ++r->size;
}

static void begin_token(eim_request *r, int state) {
  r->state = state;
  r->size = 0;
  r->token[0] = 0;
}

static void begin_value(eim_request *r, uint8_t byte) {
  if (byte == '{' || byte == '[') {
    open_container(r, byte == '[');
  } else if (byte == '"') {
    r->key = 0;
    begin_token(r, STRING);
  } else if (byte == '-' || (byte >= '0' && byte <= '9')) {
    begin_token(r, NUMBER);
    keep(r, byte);
  } else if (byte >= 'a' && byte <= 'z') {
    begin_token(r, WORD);
    keep(r, byte);
  } else {
    broken(r, "expected a value");
  }
}

static int is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* JSON's own grammar of numbers; strtod takes more. */
static int is_number(const char *c) {
  c += *c == '-';
  if (*c == '0') {
    ++c;
  } else if (!is_digit(*c)) {
    return 0;
  } else {
    while (is_digit(*c)) {
      ++c;
    }
  }
  if (*c == '.') {
    if (!is_digit(*++c)) {
      return 0;
    }
    while (is_digit(*c)) {
      ++c;
    }
  }
  if (*c == 'e' || *c == 'E') {
    ++c;
    c += *c == '+' || *c == '-';
    if (!is_digit(*c)) {
      return 0;
    }
    while (is_digit(*c)) {
      ++c;
    }
  }
  return *c == 0;
}

/* 1 for up to 9 digits, which every pixel has: no floating point is needed for them. */
static int small_number(const eim_request *r, double *number) {
  uint32_t sum = 0;
  if (r->size > 9 || (r->size > 1 && r->token[0] == '0')) {
    return 0;
  }
  for (uint32_t i = 0; i < r->size; ++i) {
    if (!is_digit(r->token[i])) {
      return 0;
    }
    sum = sum * 10 + (uint32_t)(r->token[i] - '0');
  }
  *number = sum;
  return 1;
}

static void end_number(eim_request *r) {
  double number;
  r->state = NEXT;
  if (!small_number(r, &number)) {
    if (r->size >= sizeof r->token || !is_number(r->token)) {
      broken(r, "expected a number of up to 31 characters");
      return;
    }
    number = strtod(r->token, NULL);
  }
  value(r, A_NUMBER, number);
}

static void end_word(eim_request *r) {
  r->state = NEXT;
  if (strcmp(r->token, "null") == 0) {
    value(r, A_NULL, 0);
  } else if (strcmp(r->token, "true") == 0 || strcmp(r->token, "false") == 0) {
    value(r, A_TRUTH, 0);
  } else {
    broken(r, "expected true, false or null");
  }
}

static void end_string(eim_request *r) {
  if (!r->key) {
    r->state = NEXT;
    value(r, A_STRING, 0);
    return;
  }
  int found = OTHER;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; ++i) {
    if (r->size < sizeof r->token && strcmp(r->token, fields[i].name) == 0) {
      found = fields[i].field;
    }
  }
  r->state = COLON;
  if (r->depth == 1) {
    r->field = found;
  } else if (r->depth == 2) {
    r->inner = found;
  }
}

static int is_hex(uint8_t byte) {
  return is_digit((char)byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

static void in_text(eim_request *r, uint8_t byte) {
  if (r->state == HEX) {
    if (!is_hex(byte)) {
      broken(r, "expected four hexadecimal digits after \\\\u");
    } else if (--r->hex_left == 0) {
      r->state = STRING;
    }
  } else if (r->state == ESCAPE) {
    if (byte == 'u') {
      r->state = HEX;
      r->hex_left = 4;
    } else if (byte != 0 && strchr("\"\\/bfnrt", byte) != NULL) {
      r->state = STRING;
    } else {
      broken(r, "a string has an unknown escape");
    }
  } else if (byte == '\\') {
    r->state = ESCAPE;
    keep(r, byte); /* no key of ours has one */
  } else if (byte == '"') {
    end_string(r);
  } else if (byte < ' ') {
    broken(r, "a string has a control character");
  } else {
    keep(r, byte);
  }
}

static void between(eim_request *r, uint8_t byte) {
  if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r') {
    return;
  }
  if (r->state == COLON) {
    r->state = VALUE;
    if (byte != ':') {
      broken(r, "expected a colon after a key");
    }
  } else if (r->state == KEY || (r->state == KEY_OR_END && byte != '}')) {
    r->key = 1;
    begin_token(r, STRING);
    if (byte != '"') {
      broken(r, "expected a key in quotes");
    }
  } else if (r->state == VALUE || (r->state == VALUE_OR_END && byte != ']')) {
    begin_value(r, byte);
  } else if (byte == ']' || byte == '}') {
    close_container(r, byte == ']');
  } else {
    r->state = in_array(r) ? VALUE : KEY;
    if (byte != ',') {
      broken(r, "expected a comma or a closing bracket");
    }
  }
}

/* What a byte within an object means. */
static void understand(eim_request *r, uint8_t byte) {
  if (r->state == NUMBER) {
    if (is_digit((char)byte) || (byte != 0 && strchr("+-.eE", byte) != NULL)) {
      keep(r, byte);
      return;
    }
    end_number(r);
  } else if (r->state == WORD) {
    if (byte >= 'a' && byte <= 'z') {
      keep(r, byte);
      return;
    }
    end_word(r);
  }
  if (r->state == STRING || r->state == ESCAPE || r->state == HEX) {
    in_text(r, byte);
  } else if (r->state != OVER) {
    between(r, byte);
  }
}

static void check_whole(eim_request *r) {
  if (r->depth != 0) {
    wrong(r, "the object ends too early");
  } else if (r->verb == EIM_NOTHING) {
    wrong(r, "expected hello, classify, classify_shm or set_threshold");
  } else if (r->verb == EIM_CLASSIFY || r->verb == EIM_CLASSIFY_SHM) {
    if (r->count != r->elements && r->error[0] == 0) {
      snprintf(r->error, sizeof r->error, "expected %lu values, found %llu",
               (unsigned long)r->elements, (unsigned long long)r->count);
    }
  }
}

/* The end of an object, found by its braces alone. */
static int is_end(eim_request *r, uint8_t byte) {
  if (r->in_string) {
    r->in_string = r->escaped || byte != '"';
    r->escaped = !r->escaped && byte == '\\';
  } else if (byte == '"') {
    r->in_string = 1;
  } else if (byte == '{') {
    ++r->braces;
  } else if (byte == '}') {
    return --r->braces == 0;
  }
  return 0;
}

/* Takes one byte; 1 when a request is complete. */
static int push(eim_request *request, uint8_t byte) {
  if (request->braces == 0) { /* a new one */
    forget(request);
    if (byte != '{') {
      const int blank = byte == 0 || byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
      if (blank || request->lost) {
        return 0;
      }
      request->lost = 1;
      wrong(request, "expected a JSON object");
      return 1;
    }
    request->lost = 0;
  }
  const int end = is_end(request, byte);
  understand(request, byte);
  if (end) {
    check_whole(request);
  }
  return end;
}

/* The values of an image that lie in these bytes whole, each with its comma: how many bytes they
 * are. An image is thousands of them, and push takes several times as long. What is not a pixel is
 * left to push. */
static size_t take_values(eim_request *r, const uint8_t *bytes, size_t count) {
  size_t taken = 0;
  if (r->state != VALUE || r->depth != 2 || r->field != CLASSIFY || !in_array(r)) {
    return 0;
  }
  while (r->count < r->elements) {
    uint32_t number = 0;
    size_t at = taken;
    at += at < count && bytes[at] == ' ';
    const size_t first = at;
    for (; at < count && at - first < 8 && is_digit((char)bytes[at]); ++at) {
      number = number * 10 + (uint32_t)(bytes[at] - '0');
    }
    if (at == first || at == count || bytes[at] != ',' || number > LARGEST_PIXEL ||
        (bytes[first] == '0' && at - first > 1)) {
      break;
    }
    store_pixel(r, r->count, number);
    ++r->count;
    taken = at + 1;
  }
  return taken;
}

size_t eim_take(eim_request *request, const uint8_t *bytes, size_t count, int *complete) {
  size_t taken = 0;
  *complete = 0;
  while (taken < count && !*complete) {
    taken += take_values(request, bytes + taken, count - taken);
    if (taken < count) {
      *complete = push(request, bytes[taken]);
      ++taken;
    }
  }
  return taken;
}
