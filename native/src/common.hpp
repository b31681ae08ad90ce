// SPDX-License-Identifier: GPL-3.0-or-later
// Small things that every part of the addon needs.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>
#include <unistd.h>
#include <utility>

#include "../bpf/wire.h"

namespace bastion {

/// Owns a file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

constexpr uint64_t nsPerSecond = 1'000'000'000;
constexpr uint64_t nsPerMs = 1'000'000;

inline uint64_t clockNs(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * nsPerSecond + static_cast<uint64_t>(now.tv_nsec);
}

inline uint64_t bootNs() { return clockNs(CLOCK_BOOTTIME); }

/// Stands still while the machine sleeps.
inline uint64_t wakingNs() { return clockNs(CLOCK_MONOTONIC); }

/// The uid of nobody.
constexpr uint32_t noUid = ~0U;

/// The system's words for an error number, positive or negative.
inline std::string errorText(int error) {
  char buffer[128];
  return strerror_r(error < 0 ? -error : error, buffer, sizeof buffer);
}

/// Of errno: for want of descriptors or memory nothing can be looked at, which says nothing about what is there.
inline bool isShortage() { return errno == EMFILE || errno == ENFILE || errno == ENOMEM; }

enum class Verdict : uint32_t { accept = BASTION_ACCEPT, refuse = BASTION_REFUSE, drop = BASTION_DROP };

enum class Evidence { kernel, sockDiag, none };

/// A hash that a sender of packets cannot aim at: the seed is random for each process.
uint64_t seededHash(const void* data, size_t size);

/// For keys that the kernel compares byte by byte too: no padding, or padding that is always zero.
template <class Key>
struct ByteHash {
  size_t operator()(const Key& key) const { return seededHash(&key, sizeof key); }
};

template <class Key>
struct ByteEqual {
  bool operator()(const Key& a, const Key& b) const { return memcmp(&a, &b, sizeof a) == 0; }
};

inline bool sameExecutable(const bastion_executable& a, const bastion_executable& b) { return memcmp(&a, &b, sizeof a) == 0; }

}  // namespace bastion
