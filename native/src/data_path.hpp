// SPDX-License-Identifier: GPL-3.0-or-later
// The receiver: takes packets, joins them with their owners, repeats what is remembered, holds what is not.
#pragma once

#include <memory>
#include <thread>

#include "held.hpp"
#include "packet.hpp"
#include "network_namespace.hpp"
#include "queue_socket.hpp"
#include "socket_reaper.hpp"
#include "traffic.hpp"

namespace bastion {

struct Options {
  uint16_t queueNumber = 0;
  uint32_t queueMaxLength = 0;
  HeldLimits limits;
  uint32_t answerDeadlineMs = 0;
  Verdict defaultVerdict = Verdict::refuse;
  uint32_t refuseMark = 0;
  bool withKernel = false;
  KernelPaths kernel;
};

struct AskReport {
  uint64_t id = 0;
  bastion_tuple tuple{};
  Attribution attribution;
  uint32_t interfaceIndex = 0;
  std::string interfaceName;
  uint32_t length = 0;
  std::vector<uint8_t> payload;
  uint64_t heldAtNs = 0;
  bool answersPeer = false;
  Origin origin = Origin::process;
  bool held = true;
};

struct EndReport {
  uint64_t id = 0;
  bool queueFailed = false;
};

struct PacketReport {
  uint64_t timeNs = 0;
  bastion_tuple tuple{};
  uint32_t length = 0;
  std::string interfaceName;
};

struct QueueReport {
  bool ready = false;
  std::string message;
};

struct Reports {
  std::vector<AskReport> asks;
  std::vector<EndReport> ended;
  std::vector<PacketReport> packets;
  std::vector<DnsMessage> dns;
  std::vector<QueueReport> queue;
  bool empty() const { return asks.empty() && ended.empty() && packets.empty() && dns.empty() && queue.empty(); }
};

struct Answer {
  uint64_t id = 0;
  bool hold = false;
  Verdict verdict = Verdict::refuse;
  uint64_t deadlineNs = 0;
  std::optional<uint64_t> rememberUntilNs;
  uint32_t hitSlot = 0;
};

struct RememberedProgram {
  bastion_verdict_key key{};
  Decision decision;
};

struct RememberedFlow {
  bastion_flow_key key{};
  Decision decision;
};

struct Traffic {
  TrafficRow row;
  /// Empty if the kernel has not told it.
  std::string path;
};

struct Counters {
  uint64_t packets = 0;
  uint64_t asks = 0;
  uint64_t accepted = 0;
  uint64_t refused = 0;
  uint64_t dropped = 0;
  uint64_t defaultVerdicts = 0;
  uint64_t limitDrops = 0;
  uint64_t unidentified = 0;
  uint64_t remembered = 0;
  uint64_t overruns = 0;
  uint64_t traceLost = 0;
  uint64_t malformed = 0;
  uint64_t dnsLost = 0;
  uint64_t held = 0;
  uint64_t lastTurnNs = 0;
  QueueStatus queue;
  KernelCounters kernel{};
  ReaperCounters reaper;
};

/// Every method may be called from any thread.
class DataPath {
 public:
  /// `notify` says that reports wait; it is called with the lock held, must not call back, and is called once until
  /// `takeReports` was. Nothing with `error` set if the queue cannot be had.
  static std::unique_ptr<DataPath> open(const Options& options, std::function<void()> notify, QueueError& error);
  ~DataPath();
  DataPath(const DataPath&) = delete;
  DataPath& operator=(const DataPath&) = delete;

  const KernelPart* kernel() const { return kernel_.get(); }
  const std::vector<Missing>& missing() const { return missing_; }

  Reports takeReports();
  uint32_t answer(const std::vector<Answer>& answers);
  void remember(const RememberedProgram& entry);
  /// See helper/ports.ts.
  void replaceAll(const std::vector<RememberedProgram>& programs, const std::vector<RememberedFlow>& flows, uint64_t policy);
  bool adopt(uint64_t policy);
  /// BASTION_GATE_ flags.
  void setGate(uint32_t flags);
  std::vector<uint64_t> hits();
  std::vector<Traffic> traffic();
  void setDefaultVerdict(Verdict verdict);
  void setAnswerDeadlineMs(uint32_t ms);
  void setPacketTrace(bool on);
  Counters counters();
  void close(bool unpin);

 private:
  struct Subject;

  DataPath(const Options& options, std::function<void()> notify);
  bool openHandles(QueueError& error);
  void run();
  void turn();
  void receive();
  void onPacket(const QueuedPacket& packet);
  Subject identify(const bastion_tuple& tuple, const QueuedPacket& packet);
  void hold(const QueuedPacket& packet, const ParsedPacket& parsed, Subject subject);
  HeldFlow flowOf(const bastion_tuple& tuple, Subject subject);
  void onReport(const bastion_report& report);
  void takeRings();
  void onResolved(uint64_t id, Attribution attribution);
  void letStreamGoOn(const HeldFlow& flow);
  void tellAsk(HeldFlow& flow);
  void announce();
  void give(uint32_t id, uint32_t mark, Verdict verdict);
  uint32_t giveAll(const HeldFlow& flow, Verdict verdict);
  void expire();
  void armTimer();
  void failQueue(const std::string& why);
  void reopenQueue();
  void watchQueue(bool on);
  /// Asked of the kernel once a second for each.
  std::string interfaceName(uint32_t index);
  Verdict undecidable() const { return defaultVerdict_ == Verdict::accept ? Verdict::accept : Verdict::drop; }

  Options options_;
  std::function<void()> notify_;
  std::vector<Missing> missing_;
  std::unique_ptr<KernelPart> kernel_;

  std::mutex mutex_;
  QueueSocket queue_;
  HeldTable held_;
  std::unique_ptr<DecisionMemory> memory_;
  VerdictBatch verdicts_;
  Reports reports_;
  Counters counters_;
  Verdict defaultVerdict_;
  uint64_t answerDeadlineNs_;
  bool trace_ = false;
  bool announced_ = false;
  bool closed_ = false;
  /// A packet came with a record of the xt_bpf program: where one is missing later, it was evicted, not never written.
  bool recorderSeen_ = false;
  uint64_t armedNs_ = 0;

  UniqueFd epoll_;
  UniqueFd wake_;
  UniqueFd timer_;
  UniqueFd control_;
  std::atomic<bool> stopping_{false};
  std::vector<QueuedPacket> batch_;
  bool settling_ = false;
  static constexpr uint64_t namesLastNs = nsPerSecond;
  static constexpr size_t namesLimit = 256;
  uint64_t namesReadNs_ = 0;
  std::unordered_map<uint32_t, std::string> names_;
  TrafficTable traffic_;
  SocketReaper reaper_;
  std::unique_ptr<Resolver> resolver_;
  std::thread thread_;
};

}  // namespace bastion
