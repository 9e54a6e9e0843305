/* SPDX-License-Identifier: Apache-2.0
 *
 * An .eim: a model behind the protocol of Edge Impulse's Linux SDKs (POSIX).
 *   FILE.eim SOCKET         serve on a Unix socket; SIGINT and SIGTERM end it
 *   FILE.eim --self-check   run the model once and say what this is
 *   FILE.eim --print-info   the answer to hello
 */
#define _XOPEN_SOURCE 700

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ecx_classifier.h"
#include "eim.h"
#include "eim_sizes.h"
#include "request.h"

#define CLIENTS 16
#define THRESHOLD_ID 1

typedef struct {
  int socket; /* -1: free */
  eim_request request;
} client;

static client clients[CLIENTS];
static uint8_t pixels[CLIENTS][EIM_ELEMENTS * EIM_CHANNELS];
static double min_score;

/* Shared memory for pixels, [EIM_ELEMENTS]; NULL if this system has none. */
static float *shared;
static char shared_name[32];
static char socket_path[sizeof((struct sockaddr_un *)0)->sun_path];

static char reply[EIM_REPLY_BYTES];
static size_t reply_size;

static void say(const char *format, ...) {
  va_list values;
  va_start(values, format);
  const int count = vsnprintf(reply + reply_size, sizeof reply - reply_size, format, values);
  va_end(values);
  if (count < 0 || (size_t)count >= sizeof reply - reply_size) {
    abort(); /* EIM_REPLY_BYTES is what the longest reply needs */
  }
  reply_size += (size_t)count;
}

static double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static const void *run_model(const uint8_t *image) {
  ecx_classifier_begin();
  for (uint32_t y = 0; y < ecx_model.height; ++y) {
    (void)ecx_classifier_push_row(image + y * ecx_model.width * ecx_model.channels);
  }
  return ecx_classifier_finish();
}

static float score(const void *scores, uint32_t index) {
  if (ecx_model.precision[0] == 'f') {
    return ((const float *)scores)[index];
  }
  const int32_t steps = ((const int8_t *)scores)[index] - ecx_model.output_zero_point;
  return eim.output_scale * (float)steps;
}

/* JSON has no word for what is not a number. */
static void say_score(float found) {
  if (found - found == 0) {
    say("%.9g", (double)found);
  } else {
    say("null");
  }
}

static void say_hello(void) {
  say("\"model_parameters\":{%s,\"thresholds\":[{\"id\":%d,\"type\":\"classification\","
      "\"min_score\":%.9g}]},%s",
      eim.parameters, THRESHOLD_ID, min_score, eim.rest);
  if (shared != NULL) {
    say(",\"features_shm\":{\"name\":\"%s\",\"type\":\"float32\",\"elements\":%d}", shared_name,
        EIM_ELEMENTS);
  }
}

static int classify(const eim_request *request) {
  const double start = milliseconds();
  const void *scores = run_model(request->pixels);
  const double took = milliseconds() - start;
  if (scores == NULL) {
    return -1;
  }
  float best = score(scores, 0);
  say("\"result\":{\"classification\":{");
  for (uint32_t i = 0; i < ecx_model.outputs; ++i) {
    const float found = score(scores, i);
    best = found > best ? found : best;
    say("%s%s:", i > 0 ? "," : "", eim.labels[i]);
    say_score(found);
  }
  say("},\"uncertain\":%s},\"timing\":{\"dsp\":0,\"classification\":%.0f,\"anomaly\":0,"
      "\"dsp_us\":0,\"classification_us\":%.0f}",
      (double)best < min_score ? "true" : "false", took, took * 1e3);
  if (request->debug) {
    say(",\"info\":\"model %.12s, %s, %s\"", ecx_model.sha256, ecx_model.runtime,
        ecx_model.precision);
  }
  return 0;
}

static const char *take_shared(const eim_request *request) {
  if (shared == NULL) {
    return "this system has no shared memory; send the values with classify";
  }
  for (uint32_t i = 0; i < EIM_ELEMENTS; ++i) {
    if (eim_pixel(request, i, (double)shared[i]) != 0) {
      return "each value must be a whole number from 0 to 16777215";
    }
  }
  return NULL;
}

static const char *set_threshold(const eim_request *request) {
  if (request->block != THRESHOLD_ID) {
    return "this model has one threshold, with the id 1";
  }
  if (!(request->min_score >= 0 && request->min_score <= 1)) {
    return "expected a min_score from 0 to 1";
  }
  min_score = request->min_score;
  return NULL;
}

/* What is asked, as members of the answer; or why not. */
static const char *carry_out(const eim_request *request) {
  const char *why = NULL;
  if (request->error[0] != 0) {
    return request->error;
  }
  if (request->verb == EIM_HELLO) {
    say_hello();
    return NULL;
  }
  if (request->verb == EIM_THRESHOLD) {
    why = set_threshold(request);
    if (why == NULL) {
      say("\"min_score\":%.9g", min_score);
    }
    return why;
  }
  if (request->verb == EIM_CLASSIFY_SHM) {
    why = take_shared(request);
  }
  if (why == NULL && classify(request) != 0) {
    why = "the model gave no result";
  }
  return why;
}

static void answer(const eim_request *request) {
  reply_size = 0;
  if (request->has_id) {
    say("{\"id\":%lld,", (long long)request->id);
  } else {
    say("{\"id\":null,");
  }
  const size_t head = reply_size;
  say("\"success\":true,");
  const char *why = carry_out(request);
  if (why != NULL) {
    reply_size = head;
    say("\"success\":false,\"error\":\"%s\"", why);
  }
  say("}");
}

static void drop(client *one) {
  close(one->socket);
  one->socket = -1;
}

/* The answer with its NUL. A client that has left a whole buffer of them unread is dropped. */
static void send_answer(client *one) {
  const size_t count = reply_size + 1;
  if (send(one->socket, reply, count, MSG_NOSIGNAL) != (ssize_t)count) {
    drop(one);
  }
}

static void take(client *one) {
  static uint8_t buffer[65536];
  const ssize_t count = recv(one->socket, buffer, sizeof buffer, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  if (count <= 0) {
    drop(one);
    return;
  }
  for (size_t i = 0; i < (size_t)count && one->socket >= 0;) {
    int complete;
    i += eim_take(&one->request, buffer + i, (size_t)count - i, &complete);
    if (complete) {
      answer(&one->request);
      send_answer(one);
    }
  }
}

static void welcome(int server) {
  const int found = accept(server, NULL, NULL);
  if (found < 0) {
    return;
  }
  for (int i = 0; i < CLIENTS; ++i) {
    client *one = &clients[i];
    if (one->socket < 0 && found < FD_SETSIZE) {
      fcntl(found, F_SETFL, O_NONBLOCK);
      one->socket = found;
      one->request.pixels = pixels[i];
      one->request.elements = EIM_ELEMENTS;
      one->request.channels = EIM_CHANNELS;
      eim_start(&one->request);
      return;
    }
  }
  close(found);
}

static volatile sig_atomic_t asked_to_end;

static void end(int number) {
  (void)number;
  asked_to_end = 1;
}

/* Signals come in only while it waits, so none is missed. */
static int serve(int server, const sigset_t *while_waiting) {
  for (int i = 0; i < CLIENTS; ++i) {
    clients[i].socket = -1;
  }
  while (!asked_to_end) {
    fd_set ready;
    int highest = server;
    FD_ZERO(&ready);
    FD_SET(server, &ready);
    for (int i = 0; i < CLIENTS; ++i) {
      if (clients[i].socket >= 0) {
        FD_SET(clients[i].socket, &ready);
        highest = clients[i].socket > highest ? clients[i].socket : highest;
      }
    }
    if (pselect(highest + 1, &ready, NULL, NULL, NULL, while_waiting) < 0) {
      if (errno != EINTR) {
        return -1;
      }
      continue;
    }
    for (int i = 0; i < CLIENTS; ++i) {
      if (clients[i].socket >= 0 && FD_ISSET(clients[i].socket, &ready)) {
        take(&clients[i]);
      }
    }
    if (FD_ISSET(server, &ready)) {
      welcome(server);
    }
  }
  return 0;
}

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 1;
}

/* Without shared memory the values come over the socket. */
static void share(void) {
  const size_t bytes = sizeof(float) * EIM_ELEMENTS;
  snprintf(shared_name, sizeof shared_name, "/ecx-%ld", (long)getpid());
  shm_unlink(shared_name); /* of a process that was killed */
  const int file = shm_open(shared_name, O_CREAT | O_EXCL | O_RDWR, 0600);
  if (file < 0) {
    return;
  }
  void *found = MAP_FAILED;
  if (ftruncate(file, (off_t)bytes) == 0) {
    found = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  close(file);
  if (found == MAP_FAILED) {
    shm_unlink(shared_name);
    return;
  }
  shared = found;
}

static int serve_path(const char *path) {
  struct sockaddr_un address = {0};
  if (*path == 0 || strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return fail(path);
  }
  struct sigaction ending = {0};
  sigset_t blocked, before;
  ending.sa_handler = end;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGINT);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  sigdelset(&before, SIGINT);
  sigdelset(&before, SIGTERM);
  sigaction(SIGINT, &ending, NULL);
  sigaction(SIGTERM, &ending, NULL);
  share();
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path, strlen(path));
  memcpy(socket_path, path, strlen(path) + 1);
  const int server = socket(AF_UNIX, SOCK_STREAM, 0);
  int failed = server < 0 || bind(server, (struct sockaddr *)&address, sizeof address) != 0;
  if (failed) {
    fail(path);
  } else {
    failed = listen(server, CLIENTS) != 0 || serve(server, &before) != 0;
    if (failed) {
      fail(path);
    }
    unlink(socket_path);
  }
  if (shared != NULL) {
    shm_unlink(shared_name);
  }
  return failed;
}

static int self_check(void) {
  static uint8_t gray[EIM_ELEMENTS * EIM_CHANNELS];
  memset(gray, 128, sizeof gray);
  const void *scores = run_model(gray);
  if (scores == NULL) {
    fprintf(stderr, "the model gave no result for a gray image\n");
    return 1;
  }
  printf("%s: an .eim made by edgecxr %s, for research and teaching; not a medical device\n",
         ecx_model.name, ecx_model.edgecxr);
  printf("model     %s, SHA-256 %s\n", ecx_model.precision, ecx_model.sha256);
  printf("runtime   %s, %lu bytes of working memory\n", ecx_model.runtime,
         (unsigned long)ecx_model.arena_bytes);
  printf("input     %d x %d pixels, %s\n", ecx_model.width, ecx_model.height,
         ecx_model.channels == 1 ? "gray" : "RGB");
  printf("labels    %s\n", ecx_model.labels_json);
  printf("gray image");
  for (uint32_t i = 0; i < ecx_model.outputs; ++i) {
    printf(" %s %.6f", eim.labels[i], (double)score(scores, i));
  }
  printf("\nit runs; give it the path of a new Unix socket, as Edge Impulse's SDKs do\n");
  return 0;
}

int main(int count, char **arguments) {
  min_score = eim.min_score;
  if (count == 2 && strcmp(arguments[1], "--self-check") == 0) {
    return self_check();
  }
  if (count == 2 && strcmp(arguments[1], "--print-info") == 0) {
    reply_size = 0;
    say_hello();
    printf("{%s}\n", reply);
    return 0;
  }
  if (count == 2 && arguments[1][0] != '-') {
    return serve_path(arguments[1]);
  }
  fprintf(stderr, "usage: %s SOCKET | --self-check | --print-info\n", arguments[0]);
  return 2;
}
