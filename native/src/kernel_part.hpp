// SPDX-License-Identifier: GPL-3.0-or-later
// The BPF programs, maps and links: loading, pinning, adopting what an earlier helper left, reading and writing.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bounded.hpp"
#include "kernel_load.hpp"
#include "lineage.hpp"

struct bpf_object;
struct bpf_program;
struct ring_buffer;

namespace bastion {

struct PinFolders;

struct KernelPaths {
  std::string objectPath;
  std::string cgroupPath;
  std::string pinPath;
  bool decideInThread = false;
  uint32_t refuseMark = 0;
};

struct DnsMessage {
  bastion_owner owner{};
  bastion_tuple tuple{};
  uint64_t timeNs = 0;
  uint32_t sequence = 0;
  bool received = false;
  std::vector<uint8_t> payload;
};

using KernelCounters = std::array<uint64_t, BASTION_COUNTERS>;

class KernelPart {
 public:
  /// Goes on with what was loaded `ahead` (may be null) for the same paths. Nothing if the owner hooks cannot be had; `missing`
  /// says what was, also where the rest works.
  static std::unique_ptr<KernelPart> open(const KernelPaths& paths, std::unique_ptr<KernelLoad> ahead, std::vector<Missing>& missing);
  /// Removes pins of maps, programs and links, which detaches the hooks.
  static void removePins(const std::string& pinPath);
  ~KernelPart();
  KernelPart(const KernelPart&) = delete;
  KernelPart& operator=(const KernelPart&) = delete;

  /// What an earlier helper had pinned and this one could not go on with: of another layout, or refused by the kernel; else empty.
  const std::string& discarded() const { return discarded_; }
  /// Names of the pins, maps and attachments that are not as this helper left them: somebody else took them away. Cheap.
  std::vector<std::string> lostPins() const;
  /// Pins and attaches what was lost, in the order of the start. False with the system's words if that fails.
  bool mendPins(std::string& why);

  /// Where a program that netfilter asks is pinned: `xt_allow`, `xt_refuse`, `xt_hold`, `xt_reply`.
  std::string pinOf(const char* program) const { return programs_ + "/" + program; }

  uint32_t generation() const;
  void setGeneration(uint32_t generation);
  uint64_t policy() const;
  void setPolicy(uint64_t policy);
  void setDrained(uint64_t ns);
  /// The receiver thread has turned (`wakingNs`); 0: it leaves.
  void setTurned(uint64_t ns);
  /// Each path is told again, for whoever reads next: what happens until then is of programs that he has not heard of.
  void tellPathsAgain();
  /// BASTION_GATE_ flags.
  void setGate(uint32_t flags);
  /// Are connections told of? Those that are open when it begins are not.
  void setTellFlows(bool on);

  bool lookupPending(const bastion_tuple& tuple, bastion_pending& entry) const;
  bool lookupOwner(uint64_t cookie, bastion_owner& owner) const;
  /// For sockets that are older than the hooks; a record that is there stays. False if the table is full.
  bool writeOwner(const bastion_owner& owner);
  void writeFlow(const bastion_flow_key& key, const bastion_verdict& verdict);
  void deleteFlow(const bastion_flow_key& key);
  void writeVerdict(const bastion_verdict_key& key, const bastion_verdict& verdict);
  void deleteVerdict(const bastion_verdict_key& key);
  void emptyDecisions();
  /// Entries of the current generation.
  void eachFlow(const std::function<void(const bastion_flow_key&, const bastion_verdict&)>& visit) const;
  void eachVerdict(const std::function<void(const bastion_verdict_key&, const bastion_verdict&)>& visit) const;
  /// Uses counted by slot, from 0 up to the highest slot that was ever written.
  std::vector<uint64_t> hits() const;
  int trafficFd() const { return traffic_; }

  int ringFd() const;
  /// Takes what the programs told since the last call: paths stay here, the rest waits in `reports` and `dns`. One thread only.
  void consumeRings();
  std::vector<bastion_report> takeReports() { return std::exchange(reports_, {}); }
  std::vector<DnsMessage> takeDns() { return std::exchange(dns_, {}); }
  /// Readable when many events wait.
  int flowsFd() const;
  /// At most `limit` events of connections, the oldest first. One thread only.
  std::vector<bastion_flow_event> takeFlows(size_t limit);
  /// The path in the machine's own mount namespace before any other. nullptr if the kernel never told it; then it is asked
  /// to tell again.
  const std::string* pathOf(const bastion_executable& executable);
  KernelCounters counters() const;
  /// Why the map that programs and this process share does not answer; empty if it does. Pins: `lostPins`.
  std::string fault() const;
  /// nullptr if the kernel does not tell of forks and execs.
  const Lineage* lineage() const { return lineage_.get(); }
  /// Where the kernel told that the executable is; empty outside the machine's own mount namespace. Nothing if an earlier helper
  /// was told it.
  std::optional<std::string> toldPath(const ImageRecord& image);

 private:
  KernelPart() = default;
  static std::unique_ptr<KernelPart> open(const KernelPaths& paths, LoadedKernel loaded, std::vector<Missing>& missing);
  /// What the programs have to know from the first packet on. Without it the gate takes every socket for another namespace's.
  bool settle(const KernelPaths& paths, std::string& why);
  bool attach(const KernelPaths& paths, bool reuse, OptionalParts& parts, std::vector<Missing>& missing);
  /// Only the gate, or all but the gate.
  bool attachPrograms(int cgroup, const PinFolders& folders, bool reuse, bool optionalParts, bool gate, std::vector<Missing>& missing);
  /// Ends what an earlier helper attached, which went on recording and judging until all of this one's was there.
  bool takePlaces(const PinFolders& folders, const OptionalParts& parts, std::vector<Missing>& missing);
  void attachTracing(const PinFolders& folders, OptionalParts& parts, std::vector<Missing>& missing);
  bool putBack(const std::vector<std::string>& lost, const PinFolders& folders, std::vector<Missing>& missing);
  bool pinMaps(const PinFolders& folders, std::vector<Missing>& missing);
  bool start(const KernelPaths& paths, const OptionalParts& parts, std::string& why);
  static int onPath(void* context, void* data, size_t size);
  static int onReport(void* context, void* data, size_t size);
  static int onDns(void* context, void* data, size_t size);
  static int onFlow(void* context, void* data, size_t size);
  bool isHome(uint32_t mountNamespace) const;

  KernelPaths where_;
  OptionalParts parts_;
  /// The guarded cgroup; held open, so that a folder of the same name does not pass for it.
  UniqueFd cgroup_;
  std::string discarded_;
  /// What was not there from the start, because the kernel refused it or nobody pins it.
  std::vector<std::string> absent_;
  bpf_object* object_ = nullptr;
  ring_buffer* ring_ = nullptr;
  /// nullptr if the kernel does not tell of connections.
  ring_buffer* flowRing_ = nullptr;
  bastion_settings* settings_ = nullptr;
  int pending_ = -1;
  int owners_ = -1;
  int flows_ = -1;
  int verdicts_ = -1;
  int seen_ = -1;
  int counters_ = -1;
  int hits_ = -1;
  int traffic_ = -1;
  uint32_t highestSlot_ = 0;
  /// What one turn may bring; more is counted by nobody but asked about again.
  static constexpr size_t reportLimit = 1024;
  static constexpr size_t dnsLimit = 256;
  std::vector<bastion_report> reports_;
  std::vector<DnsMessage> dns_;
  std::vector<bastion_flow_event> flowEvents_;
  size_t flowEventLimit_ = 0;
  uint64_t dnsLost_ = 0;
  std::string programs_;
  std::unique_ptr<Lineage> lineage_;
  /// The machine's mount namespace and this process's, which a hardened unit has for itself.
  std::array<uint32_t, 2> homeNamespaces_{};
  BoundedTable<bastion_executable, std::string> paths_{size_t{2} * BASTION_MAX_SEEN};
  /// What was told from other mount namespaces: containers, and whatever a user arranged.
  BoundedTable<bastion_executable, std::string> otherPaths_{size_t{2} * BASTION_MAX_SEEN};
};

}  // namespace bastion
