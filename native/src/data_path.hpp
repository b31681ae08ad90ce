// SPDX-License-Identifier: GPL-3.0-or-later
// The receiver: takes packets, joins them with their owners, repeats what is remembered, holds what is not.
#pragma once

#include <memory>

#include "held.hpp"
#include "packet.hpp"
#include "network_namespace.hpp"
#include "queue_socket.hpp"
#include "socket_reaper.hpp"
#include "traffic.hpp"
#include "thread.hpp"

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

struct FlowReport {
  bastion_flow_event event{};
  /// Empty if the kernel has not told it.
  std::string path;
  std::string interfaceName;
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
  std::vector<FlowReport> flows;
  std::vector<QueueReport> queue;
  bool empty() const { return asks.empty() && ended.empty() && packets.empty() && dns.empty() && flows.empty() && queue.empty(); }
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

/// With the paths as the kernel told them, in this machine's own mount namespace; empty where it has not.
struct ProcessHistory {
  LineageRecord record;
  std::string path;
  std::vector<std::string> paths;
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
  uint64_t flowsLost = 0;
  uint64_t held = 0;
  uint64_t lastTurnNs = 0;
  QueueStatus queue;
  KernelCounters kernel{};
  ReaperCounters reaper;
};

/// What answered just now.
struct Health {
  uint64_t lastTurnNs = 0;
  /// The kernel names our socket as the one that has the queue.
  bool queue = false;
  /// What is wrong with the pinned maps and programs; empty if nothing is, or without kernel programs.
  std::string kernelFault;
};

/// Every method may be called from any thread.
class DataPath {
 public:
  /// Questions told in one call, of which the waker allows a few in each turn of the event loop: a storm of them does not keep it
  /// from its sockets and timers.
  static constexpr size_t asksAtOnce = 32;

  /// `ahead`: see KernelPart::open. `notify` says that reports wait; it is called with the lock held, must not call back, and is
  /// called once until `takeReports` was. Nothing with `error` set if the queue cannot be had.
  static std::unique_ptr<DataPath> open(const Options& options, std::unique_ptr<KernelLoad> ahead, std::function<void()> notify, QueueError& error);
  ~DataPath();
  DataPath(const DataPath&) = delete;
  DataPath& operator=(const DataPath&) = delete;

  const KernelPart* kernel() const { return kernel_.get(); }
  const std::vector<Missing>& missing() const { return missing_; }

  /// At most `asksAtOnce` questions: what is left is announced again.
  Reports takeReports();
  uint32_t answer(const std::vector<Answer>& answers);
  void remember(const RememberedProgram& entry);
  /// See helper/ports.ts.
  void replaceAll(const std::vector<RememberedProgram>& programs, const std::vector<RememberedFlow>& flows, uint64_t policy);
  bool adopt(uint64_t policy);
  /// BASTION_GATE_ flags.
  void setGate(uint32_t flags);
  void setTellFlows(bool on);
  /// What was taken of the ring of connections, or is in it, up to `maxFlows`, and was not told; from here on the rings are left
  /// to the next helper, with the paths of programs told anew.
  std::vector<FlowReport> leaveFlows();
  /// Do the rules in force note who sends what they hold? Else it is looked up.
  void setRecorder(bool there);
  /// What `hitSlot` of later entries belongs to.
  uint32_t generation();
  std::vector<uint64_t> hits();
  std::vector<Traffic> traffic();
  /// See Lineage::find.
  /// Nothing where `processRecord` tells nothing.
  std::optional<bastion_process> process(uint32_t pid, uint64_t startNs);
  std::optional<ProcessHistory> processRecord(uint32_t pid, uint64_t startNs, const bastion_executable* ran);
  void setDefaultVerdict(Verdict verdict);
  void setAnswerDeadlineMs(uint32_t ms);
  void setPacketTrace(bool on);
  Counters counters();
  /// Asks the kernel, of what this object holds and of what is pinned.
  Health health();
  /// What of the kernel's part somebody else took away; empty without one.
  std::vector<std::string> lostPins();
  /// Puts it back: empty, or why that failed.
  std::string mendPins();
  void close(bool unpin);

 private:
  static constexpr uint64_t pathsLastNs = nsPerSecond;
  struct Subject;

  DataPath(const Options& options, std::function<void()> notify);
  bool openHandles(QueueError& error);
  void run();
  void turn();
  void receive();
  void onPacket(const QueuedPacket& packet);
  Subject identify(const bastion_tuple& tuple, const QueuedPacket& packet);
  void hold(const QueuedPacket& packet, const ParsedPacket& parsed, Subject subject);
  std::optional<std::string> knownPath(const ImageRecord& image, uint64_t nowNs);
  HeldFlow flowOf(const bastion_tuple& tuple, Subject subject);
  void onReport(const bastion_report& report);
  void takeRings();
  void takeFlows(uint64_t nowNs);
  int patienceMs() const;
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
  /// False where that failed, with errno.
  bool watch(int fd);
  bool watchQueue(bool on);
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
  /// The rules note who sends what they hold. What came without a note is then nobody's: it was evicted, or it was held by the
  /// rules of an earlier helper, whose notes are in its own tables; who holds the socket now may not be who sent.
  bool recorder_ = false;
  uint64_t armedNs_ = 0;

  UniqueFd epoll_;
  UniqueFd wake_;
  UniqueFd timer_;
  UniqueFd control_;
  std::atomic<bool> stopping_{false};
  std::vector<QueuedPacket> batch_;
  bool settling_ = false;
  static constexpr unsigned maxOverrunsInARow = 100;
  unsigned overrunsInARow_ = 0;
  /// Events of connections: when they were last taken, and whether there were some, or more than one turn takes.
  enum class Flows { none, some, more } flows_ = Flows::none;
  uint64_t flowsTakenNs_ = 0;
  bool ringsLeft_ = false;
  static constexpr uint64_t namesLastNs = nsPerSecond;
  static constexpr size_t namesLimit = 256;
  uint64_t namesReadNs_ = 0;
  std::unordered_map<uint32_t, std::string> names_;
  TrafficTable traffic_;
  /// Of images whose path the kernel has not told: a program asks for the same ancestors with each of its flows.
  struct FoundPath {
    std::string path;
    uint64_t untilNs;
  };
  BoundedTable<bastion_image_key, FoundPath> found_{4096};
  SocketReaper reaper_;
  std::unique_ptr<Resolver> resolver_;
  Thread thread_;
};

}  // namespace bastion
