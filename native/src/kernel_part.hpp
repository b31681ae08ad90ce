// SPDX-License-Identifier: GPL-3.0-or-later
// The BPF programs, maps and links: loading, pinning, adopting what an earlier helper left, reading and writing.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "bounded.hpp"

struct bpf_object;
struct bpf_program;
struct ring_buffer;

namespace bastion {

struct Missing {
  std::string what;
  std::string why;
};

struct KernelPaths {
  std::string objectPath;
  std::string cgroupPath;
  std::string pinPath;
  bool decideInThread = false;
};

using KernelCounters = std::array<uint64_t, BASTION_COUNTERS>;

class KernelPart {
 public:
  /// Nothing if the owner hooks cannot be had; `missing` says what was, also where the rest works.
  static std::unique_ptr<KernelPart> open(const KernelPaths& paths, std::vector<Missing>& missing);
  /// Removes pins of maps, programs and links, which detaches the hooks.
  static void removePins(const std::string& pinPath);
  ~KernelPart();
  KernelPart(const KernelPart&) = delete;
  KernelPart& operator=(const KernelPart&) = delete;

  const std::string& xtAllow() const { return xtAllow_; }
  const std::string& xtRefuse() const { return xtRefuse_; }

  uint32_t generation() const;
  void bumpGeneration();
  void setDrained(uint64_t ns);

  bool lookupPending(const bastion_tuple& tuple, bastion_pending& entry) const;
  bool lookupOwner(uint64_t cookie, bastion_owner& owner) const;
  void writeFlow(const bastion_flow_key& key, const bastion_verdict& verdict);
  void writeVerdict(const bastion_verdict_key& key, const bastion_verdict& verdict);
  void deleteVerdict(const bastion_verdict_key& key);

  int ringFd() const;
  /// Takes every path that was told since the last call. One thread only.
  void consumePaths();
  /// The path in the machine's own mount namespace before any other. nullptr if the kernel never told it; then it is asked
  /// to tell again.
  const std::string* pathOf(const bastion_executable& executable);
  KernelCounters counters() const;

 private:
  KernelPart() = default;
  bool load(const KernelPaths& paths, bool optionalParts, bool reuse, std::string& why);
  bool attach(const KernelPaths& paths, bool reuse, bool optionalParts, std::vector<Missing>& missing);
  bool start(const KernelPaths& paths, std::string& why);
  void forgetOldDecisions();
  static int onPath(void* context, void* data, size_t size);
  bool isHome(uint32_t mountNamespace) const;

  bpf_object* object_ = nullptr;
  ring_buffer* ring_ = nullptr;
  bastion_settings* settings_ = nullptr;
  int pending_ = -1;
  int owners_ = -1;
  int flows_ = -1;
  int verdicts_ = -1;
  int seen_ = -1;
  int counters_ = -1;
  std::string xtAllow_;
  std::string xtRefuse_;
  /// The machine's mount namespace and this process's, which a hardened unit has for itself.
  std::array<uint32_t, 2> homeNamespaces_{};
  BoundedTable<bastion_executable, std::string> paths_{2 * BASTION_MAX_SEEN};
  /// What was told from other mount namespaces: containers, and whatever a user arranged.
  BoundedTable<bastion_executable, std::string> otherPaths_{2 * BASTION_MAX_SEEN};
};

}  // namespace bastion
