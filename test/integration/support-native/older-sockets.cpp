// Sockets of this program and of its children, looked at and ended by the addon's own code. Runs in a network namespace of its
// own. Prints one line for each thing that it saw: a name and words.
#include <arpa/inet.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <vector>

#include "../../../native/src/adoption.hpp"
#include "../../../native/src/network_namespace.hpp"
#include "../../../native/src/socket_reaper.hpp"

using namespace bastion;

namespace {

constexpr int patienceMs = 5000;
/// For what is not to come.
constexpr int silenceMs = 300;

[[noreturn]] void fail(const char* what) {
  perror(what);
  exit(1);
}

int must(int result, const char* what) {
  if (result < 0) fail(what);
  return result;
}

sockaddr_in6 address(const char* text, uint16_t port, int family) {
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  if (family == AF_INET6 && inet_pton(AF_INET6, text, &six.sin6_addr) == 1) return six;
  auto* four = reinterpret_cast<sockaddr_in*>(&six);
  *four = {};
  four->sin_family = AF_INET;
  four->sin_port = htons(port);
  if (inet_pton(AF_INET, text, &four->sin_addr) != 1) fail(text);
  return six;
}

struct Kind {
  int family = AF_INET;
  int type = SOCK_STREAM;
  int protocol = 0;
};

int bound(const Kind& kind, const char* text, uint16_t port) {
  const int fd = must(socket(kind.family, kind.type | SOCK_CLOEXEC, kind.protocol), "socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in6 to = address(text, port, kind.family);
  must(bind(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), "bind");
  return fd;
}

int listening(const Kind& kind, const char* text, uint16_t port) {
  const int fd = bound(kind, text, port);
  must(listen(fd, 4096), "listen");
  return fd;
}

int connected(int fd, int family, const char* text, uint16_t port) {
  const sockaddr_in6 to = address(text, port, family);
  must(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
  return fd;
}

int opened(const Kind& kind, const char* text, uint16_t port) {
  return connected(must(socket(kind.family, kind.type | SOCK_CLOEXEC, kind.protocol), "socket"), kind.family, text, port);
}

int accepted(int fd) { return must(accept4(fd, nullptr, nullptr, SOCK_CLOEXEC), "accept"); }

uint64_t cookieOf(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  must(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size), "SO_COOKIE");
  return cookie;
}

void fillEnd(const sockaddr_in6& end, uint8_t* bytes, uint16_t& port, uint8_t& family) {
  port = end.sin6_port;
  family = end.sin6_family == AF_INET || IN6_IS_ADDR_V4MAPPED(&end.sin6_addr) ? 4 : 6;
  if (end.sin6_family == AF_INET) memcpy(bytes, &reinterpret_cast<const sockaddr_in*>(&end)->sin_addr, 4);
  else if (family == 4) memcpy(bytes, end.sin6_addr.s6_addr + 12, 4);
  else memcpy(bytes, &end.sin6_addr, 16);
}

/// As its packets say it: a mapped address is IPv4.
bastion_tuple tupleOf(int fd, uint8_t protocol) {
  sockaddr_in6 here{};
  sockaddr_in6 there{};
  socklen_t size = sizeof here;
  getsockname(fd, reinterpret_cast<sockaddr*>(&here), &size);
  size = sizeof there;
  getpeername(fd, reinterpret_cast<sockaddr*>(&there), &size);
  bastion_tuple tuple{};
  tuple.destination.protocol = protocol;
  fillEnd(here, tuple.source, tuple.source_port, tuple.destination.family);
  if (there.sin6_family != 0) fillEnd(there, tuple.destination.address, tuple.destination.port, tuple.destination.family);
  return tuple;
}

const char* nameOf(int error) { return error == 0 ? "ok" : strerrorname_np(error); }

/// Does what one end says arrive at the other?
bool speaks(int from, int to, int waitMs = patienceMs) {
  char byte = 'x';
  if (send(from, &byte, 1, MSG_NOSIGNAL) != 1) return false;
  pollfd waiting{to, POLLIN, 0};
  return poll(&waiting, 1, waitMs) == 1 && recv(to, &byte, 1, 0) == 1;
}

const char* whatItHears(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  char byte = 0;
  if (poll(&waiting, 1, patienceMs) != 1) return "nothing";
  return nameOf(recv(fd, &byte, 1, 0) < 0 ? errno : 0);
}

/// Ends one end of a conversation, after trying with a cookie that nobody has.
void endOne(const char* name, int client, int server, uint8_t protocol) {
  SockDiag diag;
  const bastion_tuple tuple = tupleOf(client, protocol);
  const int wrong = endSocket(diag, tuple, cookieOf(client) + (1ULL << 40));
  const bool goesOn = speaks(client, server);
  const int error = endSocket(diag, tuple, cookieOf(client));
  printf("%s: wrong %s, then %s, ended %s, heard %s\n", name, nameOf(wrong), goesOn ? "speaks" : "silent", nameOf(error), whatItHears(client));
  close(client);
  close(server);
}

void endStream(const char* name, const Kind& kind, const char* serverText, const char* clientText, uint16_t port) {
  const int listener = listening({kind.family == AF_INET6 && strchr(clientText, '.') == nullptr ? AF_INET6 : AF_INET}, serverText, port);
  const int client = opened(kind, clientText, port);
  endOne(name, client, accepted(listener), IPPROTO_TCP);
  close(listener);
}

void endDatagram(const char* name, const Kind& kind, const Kind& serverKind, const char* serverText, const char* clientText, uint16_t port) {
  const int server = bound(serverKind, serverText, port);
  endOne(name, opened(kind, clientText, port), server, static_cast<uint8_t>(kind.protocol));
}

int endBoundToDevice(const Kind& kind, uint16_t port) {
  const int client = must(socket(kind.family, kind.type | SOCK_CLOEXEC, kind.protocol), "socket");
  must(setsockopt(client, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), "SO_BINDTODEVICE");
  return connected(client, kind.family, "127.0.0.1", port);
}

/// Nobody answers there, and the program waits.
void endConnecting(uint16_t port) {
  const int client = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
  const sockaddr_in6 to = address("198.51.100.9", port, AF_INET);
  if (connect(client, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 || errno != EINPROGRESS) fail("connect");
  bastion_tuple tuple = tupleOf(client, IPPROTO_TCP);
  tuple.destination.port = htons(port);
  memcpy(tuple.destination.address, &reinterpret_cast<const sockaddr_in*>(&to)->sin_addr, 4);
  SockDiag diag;
  const int error = endSocket(diag, tuple, cookieOf(client));
  printf("connecting: ended %s, heard %s\n", nameOf(error), whatItHears(client));
}

/// The first subflow of an MPTCP connection: the only socket of it that packets and the kernel's list of TCP know.
void endSubflow(uint16_t port) {
  const Kind multipath{AF_INET, SOCK_STREAM, IPPROTO_MPTCP};
  const int listener = listening(multipath, "127.0.0.1", port);
  const int client = opened(multipath, "127.0.0.1", port);
  const int server = accepted(listener);
  if (!speaks(client, server)) fail("MPTCP");
  bastion_tuple tuple = tupleOf(client, IPPROTO_TCP);
  uint64_t cookie = 0;
  SockDiag diag;
  const DiagQuery query{.family = 4, .protocol = IPPROTO_TCP, .localPort = tuple.source_port};
  diag.list(query, [&](const DiagSocket& socket) { cookie = socket.cookie; });
  const int error = endSocket(diag, tuple, cookie);
  printf("MPTCP subflow: ended %s, then %s\n", nameOf(error), speaks(client, server, silenceMs) ? "speaks" : "silent");
}

void refusals() {
  SockDiag diag;
  const int server = listening({}, "127.0.0.1", 7100);
  const int first = endSocket(diag, tupleOf(server, IPPROTO_TCP), cookieOf(server));
  const int client = opened({}, "127.0.0.1", 7100);
  printf("listening: %s, then %s\n", nameOf(first), speaks(client, accepted(server)) ? "speaks" : "silent");
  const int many = bound({AF_INET, SOCK_DGRAM}, "127.0.0.1", 7101);
  const int other = opened({AF_INET, SOCK_DGRAM}, "127.0.0.1", 7101);
  bastion_tuple tuple = tupleOf(many, IPPROTO_UDP);
  tuple.destination = {{127, 0, 0, 1}, htons(7109), IPPROTO_UDP, 4};
  const int second = endSocket(diag, tuple, cookieOf(many));
  printf("unconnected: %s, then %s\n", nameOf(second), speaks(other, many) ? "speaks" : "silent");
}

void ends() {
  endStream("tcp4", {AF_INET}, "127.0.0.1", "127.0.0.1", 7001);
  endStream("tcp6", {AF_INET6}, "::1", "::1", 7002);
  endStream("tcp mapped", {AF_INET6}, "127.0.0.1", "::ffff:127.0.0.1", 7003);
  const Kind udp{AF_INET, SOCK_DGRAM, IPPROTO_UDP};
  const Kind udp6{AF_INET6, SOCK_DGRAM, IPPROTO_UDP};
  endDatagram("udp4", udp, udp, "127.0.0.1", "127.0.0.1", 7004);
  endDatagram("udp6", udp6, udp6, "::1", "::1", 7005);
  endDatagram("udp mapped", udp6, udp, "127.0.0.1", "::ffff:127.0.0.1", 7006);
  const int listener = listening({}, "127.0.0.1", 7007);
  const int client = endBoundToDevice({}, 7007);
  endOne("tcp on a device", client, accepted(listener), IPPROTO_TCP);
  const int server = bound(udp, "127.0.0.1", 7008);
  endOne("udp on a device", endBoundToDevice(udp, 7008), server, IPPROTO_UDP);
  endConnecting(7009);
  endSubflow(7010);
  refusals();
}

/// Another program that holds a descriptor of ours until we end.
pid_t heldBy(const char* program, int fd) {
  int ready[2];
  must(pipe(ready), "pipe");
  const pid_t child = must(fork(), "fork");
  if (child == 0) {
    must(dup2(ready[1], 1), "dup2");
    must(dup2(fd, 5), "dup2");
    execl(program, program, "hold", nullptr);
    fail(program);
  }
  close(ready[1]);
  char byte = 0;
  if (read(ready[0], &byte, 1) != 1) fail("hold");
  return child;
}

void show(const char* name, uint64_t cookie, pid_t expected, const OlderSockets& older) {
  for (const bastion_owner& owner : older.owners) {
    if (owner.cookie != cookie) continue;
    const char* whose = owner.pid == 0 ? "nobody's" : owner.pid == static_cast<uint32_t>(expected) ? "its own" : "another's";
    const bool whole = owner.pid == 0 || (owner.cgroup != 0 && owner.user == owner.uid && owner.executable.inode != 0);
    const bool here = owner.network_namespace == networkNamespaceCookie() && (owner.flags & BASTION_OWNER_ADOPTED) != 0;
    printf("%s: %s%s%s%s\n", name, whose, (owner.flags & BASTION_OWNER_INBOUND) != 0 ? ", inbound" : "", whole ? "" : ", parts missing", here ? "" : ", elsewhere");
    return;
  }
  printf("%s: not there\n", name);
}

void older(const char* other) {
  const pid_t self = getpid();
  const int listener = listening({}, "127.0.0.1", 7200);
  const int client = opened({}, "127.0.0.1", 7200);
  const int server = accepted(listener);
  const int dual = listening({AF_INET6}, "::", 7201);
  const int mapped = opened({}, "127.0.0.1", 7201);
  const int mappedServer = accepted(dual);
  const int waiting = listening({}, "127.0.0.1", 7202);
  const int early = opened({}, "127.0.0.1", 7202);
  const uint64_t earlyCookie = cookieOf(early);
  // The very number that a server uses, on another address.
  const int samePort = connected(bound({}, "127.0.0.3", 7200), AF_INET, "127.0.0.1", 7201);
  const int samePortServer = accepted(dual);
  // An outgoing connection whose own program listens on its port, too.
  const int outgoing = connected(bound({}, "127.0.0.4", 7203), AF_INET, "127.0.0.1", 7201);
  const int outgoingListener = listening({}, "127.0.0.5", 7203);
  const int multipath = listening({AF_INET, SOCK_STREAM, IPPROTO_MPTCP}, "127.0.0.1", 7204);
  const int multipathClient = opened({AF_INET, SOCK_STREAM, IPPROTO_MPTCP}, "127.0.0.1", 7204);
  const int shared = opened({}, "127.0.0.1", 7201);
  const pid_t sharer = heldBy(other, shared);
  const int passed = opened({}, "127.0.0.1", 7201);
  const uint64_t passedCookie = cookieOf(passed);
  const pid_t holder = heldBy(other, passed);
  close(passed);
  speaks(client, server);
  speaks(server, client);
  const OlderSockets found = findOlderSockets();
  show("listening", cookieOf(listener), self, found);
  show("opened", cookieOf(client), self, found);
  show("accepted", cookieOf(server), self, found);
  show("accepted over both families", cookieOf(mappedServer), self, found);
  show("opened over both families", cookieOf(mapped), self, found);
  show("opened from a server's port number", cookieOf(samePort), self, found);
  show("opened from a port that its program listens on", cookieOf(outgoing), self, found);
  show("opened, not accepted yet", earlyCookie, self, found);
  show("waiting to be accepted", cookieOf(accepted(waiting)), self, found);
  show("MPTCP", cookieOf(multipathClient), self, found);
  show("held by two programs", cookieOf(shared), self, found);
  show("passed on", passedCookie, holder, found);
  printf("twice: %s\n", findOlderSockets().owners.size() == found.owners.size() ? "the same" : "different");
  for (const int fd : {samePortServer, outgoingListener, multipath}) close(fd);
  for (const pid_t child : {sharer, holder}) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
}

void many(size_t count) {
  const int listener = listening({}, "127.0.0.1", 7300);
  std::vector<int> open;
  for (size_t i = 0; i < count / 2; i += 1) {
    open.push_back(opened({}, "127.0.0.1", 7300));
    open.push_back(accepted(listener));
  }
  const uint64_t start = bootNs();
  const OlderSockets all = findOlderSockets();
  const uint64_t tookNs = bootNs() - start;
  size_t inbound = 0;
  for (const bastion_owner& owner : all.owners) inbound += (owner.flags & BASTION_OWNER_INBOUND) != 0;
  const OlderSockets some = findOlderSockets(10);
  printf("found: %zu inbound %zu\nms: %llu\nlimited: %zu left out %zu\n", all.owners.size(), inbound,
         static_cast<unsigned long long>(tookNs / nsPerMs), some.owners.size(), some.leftOut);
}

/// More than the queue takes, of sockets that are not there, and one that is.
void reap() {
  SocketReaper reaper;
  if (reaper.start() != 0) return;
  const int listener = listening({}, "127.0.0.1", 7400);
  const int client = opened({}, "127.0.0.1", 7400);
  const bastion_tuple tuple = tupleOf(client, IPPROTO_TCP);
  reaper.submit(tuple, cookieOf(client));
  const char* heard = whatItHears(client);
  constexpr uint64_t count = 5000;
  for (uint64_t i = 0; i < count; i += 1) reaper.submit(tuple, i + (1ULL << 40));
  ReaperCounters counters = reaper.counters();
  const uint64_t deadline = bootNs() + 10 * nsPerSecond;
  while (counters.gone + counters.left < count && bootNs() < deadline) {
    poll(nullptr, 0, 1);
    counters = reaper.counters();
  }
  printf("heard: %s\ncounts: ended %llu, failed %llu, %s, %s\n", heard, static_cast<unsigned long long>(counters.ended),
         static_cast<unsigned long long>(counters.failed), counters.gone + counters.left == count ? "all counted" : "some lost",
         counters.left > 0 && counters.gone >= 1024 ? "the queue has an end" : "no end");
  for (uint64_t i = 0; i < 1024; i += 1) reaper.submit(tuple, i + (1ULL << 41));
  reaper.stop();
  reaper.submit(tuple, cookieOf(listener));
  puts("stop: clean");
}

}  // namespace

int main(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  if (what == "hold") {
    if (write(1, "\n", 1) != 1) return 1;
    pause();
  }
  if (what == "ends") ends();
  if (what == "older" && count > 2) older(arguments[2]);
  if (what == "many" && count > 2) many(strtoul(arguments[2], nullptr, 10));
  if (what == "reap") reap();
  return 0;
}
