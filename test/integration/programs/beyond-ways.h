/* Ways of ways.c that are out of scope or let pass on purpose, measured all the same; a part of that file. */
#ifndef BEYOND_WAYS_H
#define BEYOND_WAYS_H

#include <linux/if_ether.h>
#include <linux/if_packet.h>

/* Below IP: neither netfilter nor the gate sees it. Takes CAP_NET_RAW. */
static int below_ip(uint16_t protocol, const uint8_t *packet, size_t bytes) {
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_halen = ETH_ALEN};
  to.sll_ifindex = (int)if_nametoindex("eth0");
  memset(to.sll_addr, 0xff, ETH_ALEN);
  return result(sendto(socket(AF_PACKET, SOCK_DGRAM, 0), packet, bytes, 0, (struct sockaddr *)&to, sizeof to));
}

static int packet4(const struct target *to) {
  uint8_t packet[PACKET_BYTES];
  size_t length = udp_header(packet + sizeof(struct iphdr), to);
  return below_ip(ETH_P_IP, packet, header4(packet, to, OWN4, IPPROTO_UDP, 0, length));
}

static int packet6(const struct target *to) {
  uint8_t packet[PACKET_BYTES];
  size_t length = udp_header(packet + sizeof(struct ip6_hdr), to);
  return below_ip(ETH_P_IPV6, packet, header6(packet, to, IPPROTO_UDP, length));
}

/* From the port of a DHCP client, which takes CAP_NET_BIND_SERVICE, to a server nearby: an exception. */
static int dhcp(const struct target *to) {
  union address from, server;
  socklen_t bytes = parse(&from, "0.0.0.0", 68);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (bind(fd, &from.any, bytes) < 0) return errno;
  bytes = parse(&server, to->v4, 67);
  return result(sendto(fd, to->text, strlen(to->text), 0, &server.any, bytes));
}

/* To all neighbours: an exception, which takes CAP_NET_RAW and leads no further than the link. */
static int neighbour6(const struct target *to) { return solicit(to, "ff02::1"); }

#endif
