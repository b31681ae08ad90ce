// SPDX-License-Identifier: GPL-3.0-or-later
// What every target needs. libFuzzer hands over each input in memory of exactly its length, so one byte too far is found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/socket.h>
#include <unistd.h>

/// Ends the program with a stack where what was read is not what may come out.
inline void require(bool holds) {
  if (!holds) __builtin_trap();
}

/// The input at the beginning of memory that ends at a multiple of 4 bytes, as all buffers do into which netlink messages are
/// read: libmnl looks for attributes up to there.
class Padded {
 public:
  Padded(const uint8_t* data, size_t size) : bytes_(new char[(size + 3) / 4 * 4]()) { memcpy(bytes_.get(), data, size); }
  char* get() const { return bytes_.get(); }

 private:
  std::unique_ptr<char[]> bytes_;
};

/// A pair of datagram sockets: what was read from the kernel comes from the other end. Nothing waits. Such a datagram has no
/// sender, which for netlink is the kernel.
struct Datagrams {
  int ours = -1;
  int theirs = -1;

  Datagrams() {
    int ends[2];
    require(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    ours = ends[0];
    theirs = ends[1];
  }

  void put(const uint8_t* data, size_t size) const { require(send(ours, data, size, 0) == static_cast<ssize_t>(size)); }
};
