/*
 * Sends what no ordinary program sends, for tests of the firewall's exceptions.
 *
 * attack reflect6 SOURCE OWN PORT TEXT   UDP to this machine's address OWN, from an address that is not ours, so that the
 *                                        kernel's own ICMPv6 error carries TEXT to SOURCE; needs no privilege
 * attack reply4 TO TEXT                  an ICMP echo reply that nobody asked for, from a raw socket
 * attack reply6 TO TEXT
 * attack udp TO FROM_PORT PORT TEXT      one datagram, IPv4 or IPv6; FROM_PORT 0 leaves the choice to the kernel
 * attack mark MARK TO PORT TEXT          one datagram with a firewall mark
 *
 * Exit status 0 when it was sent, 1 with the system's error name on stdout when it was refused.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

static int refused(void) {
  puts(strerrorname_np(errno));
  return 1;
}

static socklen_t parse(union address *to, const char *text, int port) {
  memset(to, 0, sizeof *to);
  if (inet_pton(AF_INET, text, &to->v4.sin_addr) == 1) {
    to->v4.sin_family = AF_INET;
    to->v4.sin_port = htons((uint16_t)port);
    return sizeof to->v4;
  }
  if (inet_pton(AF_INET6, text, &to->v6.sin6_addr) != 1) exit(2);
  to->v6.sin6_family = AF_INET6;
  to->v6.sin6_port = htons((uint16_t)port);
  return sizeof to->v6;
}

static int send_text(int fd, const char *to_text, int port, const char *text) {
  union address to;
  socklen_t bytes = parse(&to, to_text, port);
  return sendto(fd, text, strlen(text), 0, &to.any, bytes) < 0 ? refused() : 0;
}

static int datagram(const char *to_text, int from_port, int port, const char *text) {
  union address to, from = {0};
  socklen_t bytes = parse(&to, to_text, port);
  int fd = socket(to.any.sa_family, SOCK_DGRAM, 0);
  from.any.sa_family = to.any.sa_family;
  if (to.any.sa_family == AF_INET) from.v4.sin_port = htons((uint16_t)from_port);
  else from.v6.sin6_port = htons((uint16_t)from_port);
  if (from_port != 0 && bind(fd, &from.any, bytes) < 0) return refused();
  return send_text(fd, to_text, port, text);
}

static int reflect6(const char *source, const char *own, int port, const char *text) {
  union address from;
  socklen_t bytes = parse(&from, source, 0);
  int fd = socket(AF_INET6, SOCK_DGRAM, 0), yes = 1;
  if (setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &yes, sizeof yes) < 0) return refused();
  if (bind(fd, &from.any, bytes) < 0) return refused();
  return send_text(fd, own, port, text);
}

static int reply(const char *to, int six, const char *text) {
  int fd = six ? socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6) : socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  if (fd < 0) return refused();
  uint8_t packet[256] = {six ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY};
  size_t length = strlen(text);
  if (length > sizeof packet - 8) return 2;
  memcpy(packet + 8, text, length);
  union address address;
  socklen_t bytes = parse(&address, to, 0);
  return sendto(fd, packet, 8 + length, 0, &address.any, bytes) < 0 ? refused() : 0;
}

static int marked(uint32_t mark, const char *to_text, int port, const char *text) {
  union address to;
  parse(&to, to_text, port);
  int fd = socket(to.any.sa_family, SOCK_DGRAM, 0);
  if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0) return refused();
  return send_text(fd, to_text, port, text);
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "reflect6") == 0 && argc == 6) return reflect6(argv[2], argv[3], atoi(argv[4]), argv[5]);
  if (strcmp(what, "reply4") == 0 && argc == 4) return reply(argv[2], 0, argv[3]);
  if (strcmp(what, "reply6") == 0 && argc == 4) return reply(argv[2], 1, argv[3]);
  if (strcmp(what, "udp") == 0 && argc == 6) return datagram(argv[2], atoi(argv[3]), atoi(argv[4]), argv[5]);
  if (strcmp(what, "mark") == 0 && argc == 6) return marked((uint32_t)strtoul(argv[2], NULL, 0), argv[3], atoi(argv[4]), argv[5]);
  return 2;
}
