/*
 * The link-local business of IPv6 that programs do and not the kernel.
 *
 * usage:
 *   neighbour router INTERFACE PREFIX   answers each router solicitation with an advertisement of the prefix; prints "ready",
 *                                       runs until it is killed
 *   neighbour solicit INTERFACE         sends a router solicitation from a raw socket, as NetworkManager and systemd-networkd do
 *   neighbour dhcp INTERFACE            sends a DHCPv6 request for information, from port 546 to all servers on the link
 * Exit status: 0 sent, 1 refused.
 * Source: RFC 4861 (4.1, 4.2, 4.6.2), RFC 4862, RFC 8415 (8, 18.2.6).
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { HOPS = 255, PREFIX_BITS = 64, LIFETIME_S = 1800, DHCP_CLIENT_PORT = 546, DHCP_SERVER_PORT = 547 };

struct advertisement {
  struct nd_router_advert head;
  struct nd_opt_prefix_info prefix;
};

static int open_socket(const char *interface) {
  int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6), hops = HOPS;
  struct icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &filter);
  struct ipv6_mreq all_routers = {.ipv6mr_interface = if_nametoindex(interface)};
  inet_pton(AF_INET6, "ff02::2", &all_routers.ipv6mr_multiaddr);
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0 ||
      setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) < 0 ||
      setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops) < 0 ||
      setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &all_routers, sizeof all_routers) < 0)
    return -1;
  return fd;
}

static struct sockaddr_in6 on_link(const char *interface, const char *address, int port) {
  struct sockaddr_in6 to = {
      .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_scope_id = if_nametoindex(interface)};
  inet_pton(AF_INET6, address, &to.sin6_addr);
  return to;
}

static int answer_solicitations(const char *interface, const char *prefix) {
  struct advertisement answer = {
      .head = {.nd_ra_type = ND_ROUTER_ADVERT, .nd_ra_curhoplimit = 64, .nd_ra_router_lifetime = htons(LIFETIME_S)},
      .prefix = {.nd_opt_pi_type = ND_OPT_PREFIX_INFORMATION,
                 .nd_opt_pi_len = sizeof answer.prefix / 8,
                 .nd_opt_pi_prefix_len = PREFIX_BITS,
                 .nd_opt_pi_flags_reserved = ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO,
                 .nd_opt_pi_valid_time = htonl(LIFETIME_S),
                 .nd_opt_pi_preferred_time = htonl(LIFETIME_S)},
  };
  int fd = open_socket(interface);
  if (fd < 0 || inet_pton(AF_INET6, prefix, &answer.prefix.nd_opt_pi_prefix) != 1) return 1;
  puts("ready");
  fflush(stdout);
  struct sockaddr_in6 to = on_link(interface, "ff02::1", 0);
  char question[1500];
  while (recv(fd, question, sizeof question, 0) >= 0)
    sendto(fd, &answer, sizeof answer, 0, (struct sockaddr *)&to, sizeof to);
  return 1;
}

static int solicit(const char *interface) {
  struct nd_router_solicit question = {.nd_rs_type = ND_ROUTER_SOLICIT};
  struct sockaddr_in6 to = on_link(interface, "ff02::2", 0);
  int fd = open_socket(interface);
  return fd < 0 || sendto(fd, &question, sizeof question, 0, (struct sockaddr *)&to, sizeof to) < 0;
}

static int ask_dhcp(const char *interface) {
  static const uint8_t information_request[] = {11, 0, 0, 1};
  struct sockaddr_in6 from = on_link(interface, "::", DHCP_CLIENT_PORT), to = on_link(interface, "ff02::1:2", DHCP_SERVER_PORT);
  int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) < 0 ||
         sendto(fd, information_request, sizeof information_request, 0, (struct sockaddr *)&to, sizeof to) < 0;
}

int main(int count, char **arguments) {
  const char *mode = count > 2 ? arguments[1] : "";
  int status = 2;
  if (!strcmp(mode, "router") && count == 4) status = answer_solicitations(arguments[2], arguments[3]);
  if (!strcmp(mode, "solicit")) status = solicit(arguments[2]);
  if (!strcmp(mode, "dhcp")) status = ask_dhcp(arguments[2]);
  if (status == 1) perror(mode);
  return status;
}
