// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * bastion-probe: one attempt to reach an address, for `bastionctl selftest`. It needs no rights and does nothing else.
 *
 *   bastion-probe KIND ADDRESS PORT TIMEOUT_MS
 *
 *   tcp        connects
 *   udp, dns   sends one datagram; dns: a question for selftest.invalid
 *   ping       sends one echo request on a ping socket, without a port
 *   raw        the same on a raw socket, which only root may open
 *   namespace  connects from a network namespace of its own
 *
 * Prints one line: "answered WHAT" when anything came back from the other side, "reset" for a TCP reset, which this machine's
 * firewall sends too, "refused ERRNO" when this machine said no, "silent" when nothing came back in time, "unable ERRNO" when it
 * could not be tried here. Status 0, or 2 for wrong usage.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_TIMEOUT_MS = 10000, ICMP_BYTES = 16, BUFFER_BYTES = 512 };

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

static union address peer;
static socklen_t peer_bytes;
static int timeout_ms;

/* Source: RFC 1035, 4.1: id, recursion desired, one question; selftest.invalid (RFC 6761: never exists), A, IN. */
static const char dns_question[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x08selftest\x07invalid\x00\x00\x01\x00\x01";

static int say(const char *what, const char *detail) {
  printf("%s%s%s\n", what, *detail ? " " : "", detail);
  return 0;
}

/* Of a datagram, only a closed port of the other side is told so. */
static int tell_error(int error, int is_stream) {
  if (error == ECONNREFUSED) return is_stream ? say("reset", "") : say("answered", "ECONNREFUSED");
  return say("refused", strerrorname_np(error));
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 1 when something is there by `end`, 0 when not. */
static int wait_for(int fd, short events, int64_t end) {
  struct pollfd one = {.fd = fd, .events = events};
  int64_t left = end - now_ms();
  return left > 0 && poll(&one, 1, (int)left) > 0;
}

static int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

static int try_tcp(void) {
  int fd = socket(peer.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;
  if (fd < 0) return say("unable", strerrorname_np(errno));
  if (connect(fd, &peer.any, peer_bytes) == 0) return say("answered", "connected");
  if (errno != EINPROGRESS) return tell_error(errno, 1);
  if (!wait_for(fd, POLLOUT, now_ms() + timeout_ms)) return say("silent", "");
  error = pending_error(fd);
  return error ? tell_error(error, 1) : say("answered", "connected");
}

/* Another's answer to another's echo also comes to a raw socket: it counts only if its number is ours. */
static int is_ours(const uint8_t *bytes, ssize_t size, int raw, uint16_t number) {
  int v4 = peer.any.sa_family == AF_INET;
  ssize_t head = raw && v4 && size > 0 ? (bytes[0] & 15) * 4 : 0;
  uint16_t found;
  if (size < head + 8 || bytes[head] != (v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY)) return 0;
  memcpy(&found, bytes + head + 6, sizeof found);
  return found == number;
}

static int await(int fd, int echo, int raw, uint16_t number) {
  int64_t end = now_ms() + timeout_ms;
  uint8_t bytes[BUFFER_BYTES];
  while (wait_for(fd, POLLIN, end)) {
    ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size < 0 && errno != EAGAIN) return tell_error(errno, 0);
    if (size >= 0 && (!echo || is_ours(bytes, size, raw, number))) return say("answered", echo ? "echo reply" : "datagram");
  }
  return say("silent", "");
}

static int try_datagram(const char *bytes, size_t size) {
  int fd = socket(peer.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return say("unable", strerrorname_np(errno));
  if (connect(fd, &peer.any, peer_bytes) < 0 || send(fd, bytes, size, 0) < 0) return tell_error(errno, 0);
  return await(fd, 0, 0, 0);
}

/* Source: RFC 792; RFC 4443: the kernel adds the checksum for IPv6, and for ping sockets. */
static uint16_t checksum(const uint8_t *bytes, size_t size) {
  uint32_t sum = 0;
  for (size_t at = 0; at + 1 < size; at += 2) sum += (uint32_t)(bytes[at] << 8 | bytes[at + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons((uint16_t)~sum);
}

static int try_echo(int raw) {
  int v4 = peer.any.sa_family == AF_INET;
  int fd = socket(peer.any.sa_family, (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC, v4 ? IPPROTO_ICMP : (int)IPPROTO_ICMPV6);
  uint16_t number = (uint16_t)getpid(), sum;
  uint8_t bytes[ICMP_BYTES] = {v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST};
  if (fd < 0) return say("unable", strerrorname_np(errno));
  memcpy(bytes + 4, &number, sizeof number);
  memcpy(bytes + 6, &number, sizeof number);
  sum = checksum(bytes, sizeof bytes);
  if (raw && v4) memcpy(bytes + 2, &sum, sizeof sum);
  if (v4) peer.v4.sin_port = 0;
  else peer.v6.sin6_port = 0;
  if (connect(fd, &peer.any, peer_bytes) < 0 || send(fd, bytes, sizeof bytes, 0) < 0) return tell_error(errno, 0);
  return await(fd, 1, raw, number);
}

static int try_namespace(void) {
  if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) return say("unable", strerrorname_np(errno));
  return try_tcp();
}

static int usage(void) {
  fputs("usage: bastion-probe tcp|udp|dns|ping|raw|namespace ADDRESS PORT TIMEOUT_MS\n", stderr);
  return 2;
}

/* -1 for what is no number from 0 to `most`. */
static int number_of(const char *text, int most) {
  char *end;
  long value = strtol(text, &end, 10);
  return *text && !*end && value >= 0 && value <= most ? (int)value : -1;
}

int main(int count, char **words) {
  int port = count == 5 ? number_of(words[3], 65535) : -1;
  timeout_ms = count == 5 ? number_of(words[4], MOST_TIMEOUT_MS) : -1;
  if (port < 0 || timeout_ms < 0) return usage();
  if (inet_pton(AF_INET, words[2], &peer.v4.sin_addr) == 1) {
    peer.v4.sin_family = AF_INET;
    peer.v4.sin_port = htons((uint16_t)port);
    peer_bytes = sizeof peer.v4;
  } else if (inet_pton(AF_INET6, words[2], &peer.v6.sin6_addr) == 1) {
    peer.v6.sin6_family = AF_INET6;
    peer.v6.sin6_port = htons((uint16_t)port);
    peer_bytes = sizeof peer.v6;
  } else {
    return usage();
  }
  if (!strcmp(words[1], "tcp")) return try_tcp();
  if (!strcmp(words[1], "udp")) return try_datagram("bastion selftest", strlen("bastion selftest"));
  if (!strcmp(words[1], "dns")) return try_datagram(dns_question, sizeof dns_question - 1);
  if (!strcmp(words[1], "ping")) return try_echo(0);
  if (!strcmp(words[1], "raw")) return try_echo(1);
  if (!strcmp(words[1], "namespace")) return try_namespace();
  return usage();
}
