/* An address of either family from text, and a socket of it, for the programs here. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

/* Ends the program with status 2 when the text is no address. */
static inline socklen_t parse(union address *to, const char *text, int port) {
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

#endif
