// SPDX-License-Identifier: GPL-3.0-or-later
// The receiver thread's turns.
#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "data_path.hpp"

namespace bastion {

namespace {

constexpr int reopenMs = 100;
// An idle thread looks after its socket and shows that it lives.
constexpr int idleMs = 1000;
// After the last packet, once: tells the recorder that nothing waits, so that a tuple may change hands.
constexpr int settleMs = 105;
constexpr size_t maxTrace = 1024;
constexpr size_t maxQueueReports = 16;
constexpr size_t maxPayload = 512;
constexpr size_t maxDns = 256;
/// Events of connections: taken in one turn, so that verdicts do not wait; that wait for JavaScript; how often they are looked at.
constexpr size_t flowsAtOnce = 256;
constexpr size_t maxFlows = 4096;
constexpr int flowsMs = 100;
constexpr uint16_t dnsPort = 53;
constexpr int maxEvents = 8;

/// Recorded by the hooks themselves?
bool isKnown(const bastion_owner& owner) { return owner.pid != 0 && (owner.flags & BASTION_OWNER_ADOPTED) == 0; }

/// What joins packets to one flow.
FlowIdentity joinOf(const FlowIdentity& identity, const bastion_tuple& tuple) {
  FlowIdentity join = identity;
  memcpy(join.source, tuple.source, sizeof join.source);
  join.sourcePort = tuple.source_port;
  return join;
}

}  // namespace

/// What is known of a packet's sender before anybody looks into /proc.
struct DataPath::Subject {
  enum class Next { decide, resolve } next = Next::decide;
  Attribution attribution;
  FlowIdentity identity;
  uint64_t cookie = 0;
  uint32_t uid = noUid;
  bool answersPeer = false;
  Origin origin = Origin::process;
};

void DataPath::run() {
  pthread_setname_np(pthread_self(), "bastion-queue");
  while (!stopping_) turn();
}

void DataPath::turn() {
  epoll_event events[maxEvents];
  const uint64_t beforeNs = bootNs();
  const int count = epoll_wait(epoll_.get(), events, maxEvents, patienceMs());
  if (stopping_) return;
  const std::scoped_lock lock(mutex_);
  counters_.lastTurnNs = bootNs();
  if (kernel_) kernel_->setTurned(wakingNs());
  if (!queue_.isOpen()) return reopenQueue();
  bool packets = count == 0 && settling_;
  // Nothing was there to read when the wait began.
  if (count == 0 && kernel_ && !settling_) kernel_->setDrained(beforeNs);
  if (count == 0 && !queue_.healthy()) return failQueue("the packet queue's socket is gone");
  for (int i = 0; i < count; i += 1) {
    const int fd = events[i].data.fd;
    uint64_t ticks = 0;
    if (fd == queue_.fd()) {
      packets = true;
    } else if (fd == wake_.get()) {
      eventfd_read(fd, &ticks);
    } else if (fd == timer_.get()) {
      if (read(fd, &ticks, sizeof ticks) > 0) armedNs_ = 0;
    } else if (kernel_ && fd == kernel_->flowsFd()) {
      if (!ringsLeft_) flows_ = Flows::more;
    } else if (kernel_) {
      takeRings();
    }
  }
  if (packets) receive();
  expire();
  verdicts_.send(queue_.fd());
  armTimer();
  takeFlows(counters_.lastTurnNs);
}

int DataPath::patienceMs() const {
  if (flows_ == Flows::more) return 0;
  if (!queue_.isOpen()) return reopenMs;
  if (settling_) return settleMs;
  return flows_ == Flows::some ? flowsMs : idleMs;
}

/// After the verdicts of a turn. Programs that are told of connections do not wake this thread but for many of them.
void DataPath::takeFlows(uint64_t nowNs) {
  if (!kernel_ || ringsLeft_ || (flows_ != Flows::more && nowNs - flowsTakenNs_ < flowsMs * nsPerMs)) return;
  flowsTakenNs_ = nowNs;
  const std::vector<bastion_flow_event> events = kernel_->takeFlows(flowsAtOnce);
  flows_ = events.size() >= flowsAtOnce ? Flows::more : events.empty() ? Flows::none : Flows::some;
  if (events.empty()) return;
  // A short-lived program's path is in the ring of paths still.
  takeRings();
  timespec monotonic{};
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  // The programs have no coarse clock that counts sleep.
  const uint64_t sleptNs = bootNs() - (static_cast<uint64_t>(monotonic.tv_sec) * nsPerSecond + static_cast<uint64_t>(monotonic.tv_nsec));
  for (bastion_flow_event event : events) {
    event.begun_ns += sleptNs;
    event.time_ns += sleptNs;
    if (reports_.flows.size() >= maxFlows) {
      counters_.flowsLost += 1;
      continue;
    }
    const std::string* path = event.owner.pid == 0 ? nullptr : kernel_->pathOf(event.owner.executable);
    reports_.flows.push_back({event, path == nullptr ? "" : *path, interfaceName(event.interface_index)});
  }
  announce();
}

std::vector<FlowReport> DataPath::leaveFlows() {
  const std::scoped_lock lock(mutex_);
  if (closed_ || !kernel_ || ringsLeft_) return {};
  // No more than there is room for: the rest is safe in the ring.
  flows_ = Flows::more;
  while (flows_ == Flows::more && reports_.flows.size() + flowsAtOnce <= maxFlows) takeFlows(bootNs());
  ringsLeft_ = true;
  flows_ = Flows::none;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, kernel_->ringFd(), nullptr);
  if (kernel_->flowsFd() >= 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, kernel_->flowsFd(), nullptr);
  kernel_->tellPathsAgain();
  return std::exchange(reports_.flows, {});
}

void DataPath::receive() {
  const uint64_t before = bootNs();
  bool drained = false;
  const QueueSocket::Read result = queue_.receive(batch_, drained);
  if (result == QueueSocket::Read::failed) return failQueue("the packet queue failed: " + errorText(queue_.lastError()));
  if (result == QueueSocket::Read::overrun) counters_.overruns += 1;
  overrunsInARow_ = result == QueueSocket::Read::overrun ? overrunsInARow_ + 1 : 0;
  // What was lost is followed by what was not, or else nothing can be read at all.
  if (overrunsInARow_ >= maxOverrunsInARow) return failQueue("the packet queue cannot be read: " + errorText(queue_.lastError()));
  settling_ = !batch_.empty() || !drained;
  if (batch_.empty()) {
    if (drained && kernel_) kernel_->setDrained(before);
    return;
  }
  if (kernel_) takeRings();
  for (const QueuedPacket& packet : batch_) onPacket(packet);
  if (drained && kernel_) kernel_->setDrained(before);
}

DataPath::Subject DataPath::identify(const bastion_tuple& tuple, const QueuedPacket& packet) {
  Subject subject;
  subject.uid = packet.uid;
  subject.identity = flowIdentity(tuple, nullptr, packet.uid);
  if (packet.forwarded) {
    subject.origin = Origin::forwarded;
    return subject;
  }
  bastion_pending entry{};
  if (!kernel_ || !kernel_->lookupPending(tuple, entry)) {
    if (!kernel_ || !recorder_) subject.next = Subject::Next::resolve;
    return subject;
  }
  recorder_ = true;
  if ((entry.owner.flags & BASTION_OWNER_KERNEL) != 0) {
    subject.origin = Origin::kernel;
    subject.uid = 0;
    subject.attribution = {entry.owner, Evidence::kernel, ""};
    return subject;
  }
  if ((entry.flags & BASTION_PENDING_AMBIGUOUS) != 0 || entry.owner.cookie == 0) return subject;
  subject.cookie = entry.owner.cookie;
  subject.identity = flowIdentity(tuple, &entry.owner, packet.uid);
  subject.answersPeer = (entry.flags & BASTION_PENDING_REPLY) != 0;
  if (!isKnown(entry.owner)) {
    subject.next = Subject::Next::resolve;
    return subject;
  }
  subject.uid = entry.owner.uid;
  subject.attribution.owner = entry.owner;
  subject.attribution.evidence = Evidence::kernel;
  return subject;
}

void DataPath::onPacket(const QueuedPacket& packet) {
  counters_.packets += 1;
  const auto parsed = parsePacket({packet.data, packet.size});
  if (!parsed) {
    counters_.malformed += 1;
    return give(packet.id, packet.mark, undecidable());
  }
  const uint64_t nowNs = bootNs();
  if (trace_) {
    if (reports_.packets.size() >= maxTrace) counters_.traceLost += 1;
    else reports_.packets.push_back({nowNs, parsed->tuple, packet.length, interfaceName(packet.interfaceIndex)});
    announce();
  }
  Subject subject = identify(parsed->tuple, packet);
  auto verdict = memory_->recallFlow(subject.identity, nowNs);
  if (!verdict && subject.attribution.owner)
    verdict = memory_->recallProgram(*subject.attribution.owner, parsed->tuple.destination, subject.answersPeer, nowNs);
  if (verdict) {
    counters_.remembered += 1;
    return give(packet.id, packet.mark, *verdict);
  }
  hold(packet, *parsed, std::move(subject));
}

HeldFlow DataPath::flowOf(const bastion_tuple& tuple, Subject subject) {
  HeldFlow flow;
  flow.identity = subject.identity;
  flow.join = joinOf(subject.identity, tuple);
  flow.tuple = tuple;
  flow.attribution = std::move(subject.attribution);
  flow.limitUid = subject.uid;
  flow.answersPeer = subject.answersPeer;
  flow.origin = subject.origin;
  flow.heldAtNs = bootNs();
  flow.deadlineNs = flow.heldAtNs + answerDeadlineNs_;
  return flow;
}

void DataPath::hold(const QueuedPacket& packet, const ParsedPacket& parsed, Subject subject) {
  HeldFlow* known = held_.byJoin(joinOf(subject.identity, parsed.tuple));
  const uint32_t uid = known == nullptr ? subject.uid : known->limitUid;
  if (!held_.hasRoom(uid) || (known != nullptr && !held_.addPacket(*known, {packet.id, packet.mark}))) {
    counters_.limitDrops += 1;
    return give(packet.id, packet.mark, Verdict::drop);
  }
  if (known != nullptr) return;
  const bool resolve = subject.next == Subject::Next::resolve;
  const uint64_t cookie = subject.cookie;
  HeldFlow flow = flowOf(parsed.tuple, std::move(subject));
  flow.interfaceIndex = packet.interfaceIndex;
  flow.length = packet.length;
  const bastion_destination& to = parsed.tuple.destination;
  if (to.protocol == IPPROTO_UDP && ntohs(to.port) == dnsPort) {
    const auto kept = parsed.payload.first(std::min(parsed.payload.size(), maxPayload));
    flow.payload.assign(kept.begin(), kept.end());
  }
  HeldFlow& stored = held_.insert(std::move(flow));
  if (!held_.addPacket(stored, {packet.id, packet.mark})) {
    held_.take(stored.id);
    counters_.limitDrops += 1;
    return give(packet.id, packet.mark, Verdict::drop);
  }
  if (resolve && resolver_->submit({stored.id, parsed.tuple, cookie, packet.interfaceIndex}))
    stored.state = AskState::resolving;
  else
    tellAsk(stored);
}

void DataPath::takeRings() {
  if (ringsLeft_) return;
  kernel_->consumeRings();
  for (const bastion_report& report : kernel_->takeReports()) onReport(report);
  for (DnsMessage& message : kernel_->takeDns()) {
    if (reports_.dns.size() >= maxDns) counters_.dnsLost += 1;
    else reports_.dns.push_back(std::move(message));
    announce();
  }
}

/// The gate dropped a packet: what was refused is told to its program, what nobody decided is asked about.
void DataPath::onReport(const bastion_report& report) {
  if (report.why == BASTION_REPORT_REFUSED) {
    reaper_.submit(report.tuple, report.cookie);
    return;
  }
  Subject subject;
  subject.cookie = report.owner.cookie;
  subject.answersPeer = (report.flags & BASTION_PENDING_REPLY) != 0;
  if ((report.owner.flags & BASTION_OWNER_KERNEL) != 0) {
    subject.origin = Origin::kernel;
    subject.uid = 0;
    subject.identity = flowIdentity(report.tuple, nullptr, 0);
    subject.attribution = {report.owner, Evidence::kernel, ""};
  } else {
    subject.identity = flowIdentity(report.tuple, &report.owner, noUid);
    if (isKnown(report.owner)) {
      subject.uid = report.owner.uid;
      subject.attribution = {report.owner, Evidence::kernel, ""};
    } else {
      subject.next = Subject::Next::resolve;
    }
  }
  // Decided meanwhile, or asked about already.
  const uint64_t nowNs = bootNs();
  if (memory_->recallFlow(subject.identity, nowNs) || held_.byJoin(joinOf(subject.identity, report.tuple)) != nullptr) return;
  if (subject.attribution.owner &&
      memory_->recallProgram(*subject.attribution.owner, report.tuple.destination, subject.answersPeer, nowNs))
    return;
  if (!held_.hasGateRoom(subject.uid)) {
    counters_.limitDrops += 1;
    return;
  }
  const bool resolve = subject.next == Subject::Next::resolve;
  HeldFlow flow = flowOf(report.tuple, std::move(subject));
  flow.fromGate = true;
  flow.interfaceIndex = report.interface_index;
  flow.length = report.length;
  HeldFlow& stored = held_.insert(std::move(flow));
  if (resolve && resolver_->submit({stored.id, report.tuple, report.cookie}))
    stored.state = AskState::resolving;
  else
    tellAsk(stored);
}

void DataPath::onResolved(uint64_t id, Attribution attribution) {
  const std::scoped_lock lock(mutex_);
  HeldFlow* flow = held_.byId(id);
  if (closed_ || flow == nullptr) return;
  flow->attribution = std::move(attribution);
  std::optional<Verdict> verdict;
  if (flow->attribution.owner) {
    // From now on the gate knows whose socket it is, and judges its packets by what was decided for it.
    if (kernel_ && flow->attribution.evidence == Evidence::sockDiag && flow->attribution.owner->cookie != 0) {
      bastion_owner adopted = *flow->attribution.owner;
      adopted.flags |= BASTION_OWNER_ADOPTED;
      kernel_->writeOwner(adopted);
    }
    verdict = memory_->recallProgram(*flow->attribution.owner, flow->tuple.destination, flow->answersPeer, bootNs());
  }
  if (!verdict) return tellAsk(*flow);
  counters_.remembered += flow->packets.size();
  giveAll(held_.take(id), *verdict);
  verdicts_.send(queue_.fd());
}

void DataPath::tellAsk(HeldFlow& flow) {
  flow.state = AskState::waiting;
  Attribution& who = flow.attribution;
  if (!who.owner) counters_.unidentified += flow.packets.size();
  if (who.evidence == Evidence::kernel && who.path.empty() && flow.origin == Origin::process) {
    const std::string* path = kernel_->pathOf(who.owner->executable);
    // A socket from before this helper: its program's path was told to the helper before.
    who.path = path != nullptr ? *path : runningPath(who.owner->pid, who.owner->executable);
  }
  counters_.asks += 1;
  reports_.asks.push_back({flow.id, flow.tuple, who, flow.interfaceIndex, interfaceName(flow.interfaceIndex), flow.length,
                           flow.payload, flow.heldAtNs, flow.answersPeer, flow.origin, !flow.fromGate});
  announce();
}

void DataPath::give(uint32_t id, uint32_t mark, Verdict verdict) {
  if (verdict == Verdict::accept) counters_.accepted += 1;
  else if (verdict == Verdict::refuse) counters_.refused += 1;
  else counters_.dropped += 1;
  const bool refuse = verdict == Verdict::refuse;
  verdicts_.add(queue_.fd(), options_.queueNumber, id, verdict != Verdict::drop, refuse, mark | options_.refuseMark);
}

uint32_t DataPath::giveAll(const HeldFlow& flow, Verdict verdict) {
  for (const HeldPacket& packet : flow.packets) give(packet.id, packet.mark, verdict);
  return static_cast<uint32_t>(flow.packets.size());
}

void DataPath::expire() {
  const uint64_t next = held_.nextDeadlineNs();
  const uint64_t nowNs = bootNs();
  if (next == 0 || next > nowNs) return;
  for (const uint64_t id : held_.expired(nowNs)) {
    const HeldFlow flow = held_.take(id);
    if (defaultVerdict_ == Verdict::accept) letStreamGoOn(flow);
    counters_.defaultVerdicts += giveAll(flow, defaultVerdict_);
    if (flow.state == AskState::told) reports_.ended.push_back({id, false});
  }
  // What was never told needs no end either.
  std::erase_if(reports_.asks, [this](const AskReport& ask) { return held_.byId(ask.id) == nullptr; });
  if (!reports_.ended.empty()) announce();
}

void DataPath::armTimer() {
  const uint64_t next = held_.nextDeadlineNs();
  if (next == 0 || (armedNs_ != 0 && armedNs_ <= next)) return;
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(next / nsPerSecond);
  when.it_value.tv_nsec = static_cast<long>(next % nsPerSecond);
  // Zero would disarm the timer instead of firing at once.
  if (when.it_value.tv_sec == 0 && when.it_value.tv_nsec == 0) when.it_value.tv_nsec = 1;
  if (timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr) == 0) armedNs_ = next;
}

bool DataPath::watchQueue(bool on) {
  return on ? watch(queue_.fd()) : epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, queue_.fd(), nullptr) == 0;
}

void DataPath::failQueue(const std::string& why) {
  // The kernel drops what waits in a queue that closes, and everything that comes while nobody listens.
  watchQueue(false);
  queue_.close();
  verdicts_.clear();
  overrunsInARow_ = 0;
  for (const uint64_t id : held_.all()) {
    const HeldFlow flow = held_.take(id);
    counters_.dropped += flow.packets.size();
    if (flow.state == AskState::told) reports_.ended.push_back({id, true});
  }
  reports_.asks.clear();
  settling_ = false;
  if (reports_.queue.size() < maxQueueReports) reports_.queue.push_back({false, why});
  announce();
}

void DataPath::reopenQueue() {
  QueueError error;
  const uint64_t beforeNs = bootNs();
  if (!queue_.open(error)) return;
  // Tried again with the next turn.
  if (!watchQueue(true)) return queue_.close();
  if (kernel_) kernel_->setDrained(beforeNs);
  if (reports_.queue.size() < maxQueueReports) reports_.queue.push_back({true, "the packet queue works again"});
  announce();
}

}  // namespace bastion
