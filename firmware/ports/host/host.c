/* SPDX-License-Identifier: Apache-2.0
 *
 * The firmware as a program of this computer (POSIX):
 *   ecx_host                    on standard input and output
 *   ecx_host --socket PORT      on a TCP port of 127.0.0.1, one client after the other
 *   ecx_host --unix PATH        on a Unix socket, one client after the other; PATH must be new
 *   ecx_host --pty              on a new pseudo-terminal
 * With --socket (0: any free port), --unix and --pty, the first line on standard output says what
 * to open.
 */
#define _XOPEN_SOURCE 600

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "ecx_app.h"
#include "ecx_port.h"

static int input = STDIN_FILENO;
static int output = STDOUT_FILENO;
static uint8_t buffer[4096];
static size_t filled, taken;

const ecx_board *ecx_port_board(void) {
  static const ecx_board host = {"host", "us", 0, 0, 0};
  return &host;
}

int ecx_port_read(uint32_t timeout_ms) {
  if (taken == filled) {
    struct pollfd line = {input, POLLIN, 0};
    const int milliseconds = timeout_ms == ECX_FOREVER ? -1 : (int)timeout_ms;
    int found;
    do {
      found = poll(&line, 1, milliseconds);
    } while (found < 0 && errno == EINTR);
    if (found == 0) {
      return ECX_TIMED_OUT;
    }
    const ssize_t count = read(input, buffer, sizeof buffer);
    if (count <= 0) {
      return ECX_CLOSED;
    }
    filled = (size_t)count;
    taken = 0;
  }
  return buffer[taken++];
}

/* What a reader that has gone away does not take is lost, as on a wire. */
void ecx_port_write(const char *bytes, uint32_t count) {
  while (count > 0) {
    const ssize_t written = write(output, bytes, count);
    if (written < 0 && errno != EINTR) {
      return;
    }
    if (written > 0) {
      bytes += written;
      count -= (uint32_t)written;
    }
  }
}

uint64_t ecx_port_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint32_t ecx_port_stack_bytes(void) {
  return 0;
}

static int fail(const char *what) {
  fprintf(stderr, "ecx_host: %s: %s\n", what, strerror(errno));
  return 1;
}

/* One after the other. */
static int serve_clients(int server, int tcp) {
  const int yes = 1;
  for (;;) {
    const int client = accept(server, NULL, NULL);
    if (client < 0) {
      return fail("accept");
    }
    if (tcp) {
      setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
    input = output = client;
    filled = taken = 0;
    ecx_app_run();
    close(client);
  }
}

static int serve_socket(const char *port) {
  struct sockaddr_in address = {0};
  socklen_t size = sizeof address;
  char *end;
  const unsigned long number = strtoul(port, &end, 10);
  if (*port == 0 || *end != 0 || number > 65535) {
    errno = EINVAL;
    return fail(port);
  }
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)number);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  const int yes = 1;
  if (server < 0 || setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      bind(server, (struct sockaddr *)&address, sizeof address) != 0 || listen(server, 1) != 0 ||
      getsockname(server, (struct sockaddr *)&address, &size) != 0) {
    return fail("no socket");
  }
  printf("socket://127.0.0.1:%u\n", (unsigned)ntohs(address.sin_port));
  fflush(stdout);
  return serve_clients(server, 1);
}

static const char *unix_path;

/* A socket's file would outlive the program. */
static void stop(int signal_number) {
  (void)signal_number;
  unlink(unix_path);
  _exit(0);
}

static int serve_unix(const char *path) {
  struct sockaddr_un address = {0};
  if (*path == 0 || strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return fail(path);
  }
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path, strlen(path));
  const int server = socket(AF_UNIX, SOCK_STREAM, 0);
  if (server < 0 || bind(server, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(server, 1) != 0) {
    return fail(path);
  }
  unix_path = path;
  signal(SIGINT, stop);
  signal(SIGTERM, stop);
  printf("unix:%s\n", path);
  fflush(stdout);
  return serve_clients(server, 0);
}

static int serve_terminal(void) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  struct termios settings;
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
    return fail("no pseudo-terminal");
  }
  const char *path = ptsname(master);
  const int held = path == NULL ? -1 : open(path, O_RDWR | O_NOCTTY); /* so that it stays open */
  if (held < 0 || tcgetattr(held, &settings) != 0) {
    return fail("no pseudo-terminal");
  }
  settings.c_iflag = 0;
  settings.c_oflag = 0;
  settings.c_lflag = 0;
  settings.c_cflag |= CS8;
  tcsetattr(held, TCSANOW, &settings);
  printf("%s\n", path);
  fflush(stdout);
  input = output = master;
  ecx_app_run();
  return 0;
}

int main(int count, char **arguments) {
  signal(SIGPIPE, SIG_IGN);
  if (count == 1) {
    ecx_app_run();
    return 0;
  }
  if (count == 3 && strcmp(arguments[1], "--socket") == 0) {
    return serve_socket(arguments[2]);
  }
  if (count == 3 && strcmp(arguments[1], "--unix") == 0) {
    return serve_unix(arguments[2]);
  }
  if (count == 2 && strcmp(arguments[1], "--pty") == 0) {
    return serve_terminal();
  }
  fprintf(stderr, "usage: ecx_host [--socket PORT | --unix PATH | --pty]\n");
  return 2;
}
