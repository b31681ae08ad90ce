/* Ways of ways.c that write headers themselves; a part of that file. */
#ifndef RAW_WAYS_H
#define RAW_WAYS_H

static size_t udp_header(uint8_t *packet, const struct target *to) {
  struct udphdr *udp = (void *)packet;
  size_t length = strlen(to->text);
  *udp = (struct udphdr){.source = htons(FROM_PORT), .dest = htons((uint16_t)to->port), .len = htons((uint16_t)(sizeof *udp + length))};
  memcpy(packet + sizeof *udp, to->text, length);
  return sizeof *udp + length;
}

static size_t tcp_header(uint8_t *packet, const struct target *to, const char *flags, int with_text) {
  struct tcphdr *tcp = (void *)packet;
  size_t length = with_text ? strlen(to->text) : 0;
  *tcp = (struct tcphdr){.source = htons(FROM_PORT), .dest = htons((uint16_t)to->port), .doff = 5, .seq = htonl(1), .window = htons(1024)};
  tcp->syn = strchr(flags, 'S') != NULL;
  tcp->ack = strchr(flags, 'A') != NULL;
  tcp->rst = strchr(flags, 'R') != NULL;
  memcpy(packet + sizeof *tcp, to->text, length);
  return sizeof *tcp + length;
}

static size_t header4(uint8_t *packet, const struct target *to, const char *from, int protocol, int offset, size_t length) {
  struct iphdr *ip = (void *)packet;
  *ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .id = htons(7), .protocol = (uint8_t)protocol};
  ip->frag_off = htons((uint16_t)offset);
  ip->tot_len = htons((uint16_t)(sizeof *ip + length));
  if (from != NULL) inet_pton(AF_INET, from, &ip->saddr);
  inet_pton(AF_INET, to->v4, &ip->daddr);
  return sizeof *ip + length;
}

static size_t header6(uint8_t *packet, const struct target *to, int next, size_t length) {
  struct ip6_hdr *ip = (void *)packet;
  memset(ip, 0, sizeof *ip);
  ip->ip6_flow = htonl(6u << 28);
  ip->ip6_plen = htons((uint16_t)length);
  ip->ip6_nxt = (uint8_t)next;
  ip->ip6_hlim = 64;
  inet_pton(AF_INET6, OWN6, &ip->ip6_src);
  inet_pton(AF_INET6, to->v6, &ip->ip6_dst);
  return sizeof *ip + length;
}

static int raw(int protocol, const char *address, const uint8_t *packet, size_t bytes) {
  union address peer;
  socklen_t length = parse(&peer, address, 0);
  int fd = socket(peer.any.sa_family, SOCK_RAW, protocol);
  return fd < 0 ? errno : result(sendto(fd, packet, bytes, 0, &peer.any, length));
}

static int raw_udp4(const struct target *to) {
  uint8_t packet[PACKET_BYTES];
  return raw(IPPROTO_UDP, to->v4, packet, udp_header(packet, to));
}

static int raw_udp6(const struct target *to) {
  uint8_t packet[PACKET_BYTES];
  return raw(IPPROTO_UDP, to->v6, packet, udp_header(packet, to));
}

static int header_udp4(const struct target *to) {
  uint8_t packet[PACKET_BYTES];
  size_t length = udp_header(packet + sizeof(struct iphdr), to);
  return raw(IPPROTO_RAW, to->v4, packet, header4(packet, to, NULL, IPPROTO_UDP, 0, length));
}

static int header_udp6(const struct target *to) {
  uint8_t packet[PACKET_BYTES];
  size_t length = udp_header(packet + sizeof(struct ip6_hdr), to);
  return raw(IPPROTO_RAW, to->v6, packet, header6(packet, to, IPPROTO_UDP, length));
}

static int header_tcp(const struct target *to, const char *flags, int with_text) {
  uint8_t packet[PACKET_BYTES];
  size_t length = tcp_header(packet + sizeof(struct iphdr), to, flags, with_text);
  return raw(IPPROTO_RAW, to->v4, packet, header4(packet, to, NULL, IPPROTO_TCP, 0, length));
}

static int header_syn(const struct target *to) { return header_tcp(to, "S", 0); }
static int header_ack(const struct target *to) { return header_tcp(to, "A", 1); }
static int header_reset(const struct target *to) { return header_tcp(to, "R", 1); }
static int bare_reset(const struct target *to) { return header_tcp(to, "R", 0); }

/* No transport header: nobody can say which flow it belongs to. */
static int later_fragment4(const struct target *to) {
  uint8_t packet[PACKET_BYTES];
  size_t length = strlen(to->text);
  memcpy(packet + sizeof(struct iphdr), to->text, length);
  return raw(IPPROTO_RAW, to->v4, packet, header4(packet, to, NULL, IPPROTO_UDP, LATER_OFFSET, length));
}

static int later_fragment6(const struct target *to) {
  uint8_t packet[PACKET_BYTES];
  struct ip6_frag *fragment = (void *)(packet + sizeof(struct ip6_hdr));
  size_t length = strlen(to->text);
  *fragment = (struct ip6_frag){.ip6f_nxt = IPPROTO_UDP, .ip6f_offlg = htons(LATER_OFFSET << 3), .ip6f_ident = htonl(7)};
  memcpy(fragment + 1, to->text, length);
  return raw(IPPROTO_RAW, to->v6, packet, header6(packet, to, IPPROTO_FRAGMENT, sizeof *fragment + length));
}

static int experiment4(const struct target *to) { return raw(EXPERIMENT, to->v4, (const uint8_t *)to->text, strlen(to->text)); }
static int experiment6(const struct target *to) { return raw(EXPERIMENT, to->v6, (const uint8_t *)to->text, strlen(to->text)); }

static int tunnel4(const struct target *to) {
  uint8_t packet[PACKET_BYTES], *inner = packet + sizeof(struct iphdr);
  size_t length = header4(inner, to, OWN4, IPPROTO_UDP, 0, udp_header(inner + sizeof(struct iphdr), to));
  return raw(IPPROTO_RAW, to->v4, packet, header4(packet, to, NULL, IPPROTO_IPIP, 0, length));
}

static int tunnel6(const struct target *to) {
  uint8_t packet[PACKET_BYTES], *inner = packet + sizeof(struct ip6_hdr);
  size_t length = header6(inner, to, IPPROTO_UDP, udp_header(inner + sizeof(struct ip6_hdr), to));
  return raw(IPPROTO_RAW, to->v6, packet, header6(packet, to, IPPROTO_IPV6, length));
}

/* Hop-by-hop, destination and routing headers, in that order, all of them the program's own. Source: RFC 8200 section 4.1. */
static int extensions6(const struct target *to) {
  uint8_t packet[PACKET_BYTES] = {0}, *at = packet + sizeof(struct ip6_hdr);
  static const uint8_t padding[8] = {0, 0, 1, 4};
  memcpy(at, padding, 8);
  at[0] = IPPROTO_DSTOPTS;
  memcpy(at + 8, padding, 8);
  at[8] = IPPROTO_ROUTING;
  size_t length = 16 + routing_header(at + 16, IPPROTO_UDP, to->v6);
  length += udp_header(at + length, to);
  return raw(IPPROTO_RAW, to->v6, packet, header6(packet, to, IPPROTO_HOPOPTS, length));
}

/* The same, by options of an ordinary socket. */
static int sticky6(const struct target *to) {
  static const uint8_t padding[8] = {0, 0, 1, 4};
  int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  if (setsockopt(fd, IPPROTO_IPV6, IPV6_HOPOPTS, padding, sizeof padding) < 0) return errno;
  if (setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, padding, sizeof padding) < 0) return errno;
  return send_text(fd, to, to->v6);
}

static int foreign_source(const struct target *to) {
  uint8_t packet[PACKET_BYTES];
  size_t length = udp_header(packet + sizeof(struct iphdr), to);
  return raw(IPPROTO_RAW, to->v4, packet, header4(packet, to, FOREIGN4, IPPROTO_UDP, 0, length));
}

/* To this machine itself: the kernel's error goes to the source that the packet names. */
static int reflected4(const struct target *to) {
  uint8_t packet[PACKET_BYTES];
  struct target own = *to;
  own.v4 = OWN4;
  size_t length = udp_header(packet + sizeof(struct iphdr), to);
  return raw(IPPROTO_RAW, OWN4, packet, header4(packet, &own, FOREIGN4, IPPROTO_UDP, 0, length));
}

static int transparent(const struct target *to) {
  union address from;
  socklen_t bytes = parse(&from, FOREIGN4, FROM_PORT);
  int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
  if (setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) < 0 || bind(fd, &from.any, bytes) < 0) return errno;
  return send_text(fd, to, to->v4);
}

static int marked(const struct target *to) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0), every = -1;
  return setsockopt(fd, SOL_SOCKET, SO_MARK, &every, sizeof every) < 0 ? errno : send_text(fd, to, to->v4);
}

static int raw_echo4(const struct target *to) {
  uint8_t packet[PACKET_BYTES] = {8};
  memcpy(packet + 8, to->text, strlen(to->text));
  return raw(IPPROTO_ICMP, to->v4, packet, 8 + strlen(to->text));
}

static int raw_echo6(const struct target *to) {
  uint8_t packet[PACKET_BYTES] = {128};
  memcpy(packet + 8, to->text, strlen(to->text));
  return raw(IPPROTO_ICMPV6, to->v6, packet, 8 + strlen(to->text));
}

/* "Port unreachable", as the kernel would say it. */
static int raw_error4(const struct target *to) {
  uint8_t packet[PACKET_BYTES] = {3, 3};
  memcpy(packet + 8, to->text, strlen(to->text));
  return raw(IPPROTO_ICMP, to->v4, packet, 8 + strlen(to->text));
}

/* Protocols by their number, also where the kernel has no sockets of them. */
static int raw_text(const struct target *to, int protocol) { return raw(protocol, to->v4, (const uint8_t *)to->text, strlen(to->text)); }
static int raw_sctp(const struct target *to) { return raw_text(to, IPPROTO_SCTP); }
static int raw_dccp(const struct target *to) { return raw_text(to, IPPROTO_DCCP); }
static int raw_igmp(const struct target *to) { return raw_text(to, IPPROTO_IGMP); }
static int raw_gre(const struct target *to) { return raw_text(to, IPPROTO_GRE); }
static int raw_esp(const struct target *to) { return raw_text(to, IPPROTO_ESP); }

/* Loose source routing by the peer itself, as an option of an ordinary socket. Source: RFC 791 section 3.1. */
static int source_route(const struct target *to) {
  uint8_t options[8] = {IPOPT_NOP, IPOPT_LSRR, 7, 4};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  inet_pton(AF_INET, to->v4, options + 4);
  return setsockopt(fd, IPPROTO_IP, IP_OPTIONS, options, sizeof options) < 0 ? errno : send_text(fd, to, to->v4);
}

/* A neighbour solicitation with the text in place of its options. Source: RFC 4861 section 4.3. */
static int solicit(const struct target *to, const char *address) {
  uint8_t packet[PACKET_BYTES] = {135};
  union address peer;
  socklen_t bytes = parse(&peer, address, 0);
  int fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), hops = 255;
  peer.v6.sin6_scope_id = address == to->v6 ? 0 : if_nametoindex("eth0");
  inet_pton(AF_INET6, to->v6, packet + 8);
  memcpy(packet + 24, to->text, strlen(to->text));
  if (setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops) < 0) return errno;
  if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops) < 0) return errno;
  return result(sendto(fd, packet, 24 + strlen(to->text), 0, &peer.any, bytes));
}

static int far_neighbour6(const struct target *to) { return solicit(to, to->v6); }

#endif
