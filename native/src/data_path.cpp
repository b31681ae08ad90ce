// SPDX-License-Identifier: GPL-3.0-or-later
// What every thread may ask of the data path. The receiver's own turns are in receiver.cpp.
#include "data_path.hpp"

#include <linux/if.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

namespace bastion {

DataPath::DataPath(const Options& options, std::function<void()> notify)
    : options_(options),
      notify_(std::move(notify)),
      queue_(options.queueNumber, options.queueMaxLength),
      held_(options.limits),
      defaultVerdict_(options.defaultVerdict),
      answerDeadlineNs_(options.answerDeadlineMs * nsPerMs) {}

std::unique_ptr<DataPath> DataPath::open(const Options& options, std::unique_ptr<KernelLoad> ahead, std::function<void()> notify, QueueError& error) {
  std::unique_ptr<DataPath> path(new DataPath(options, std::move(notify)));
  // The queue comes first: a second helper must not touch the maps of the one that runs.
  const uint64_t beforeQueueNs = bootNs();
  if (!path->openHandles(error) || !path->queue_.open(error)) return nullptr;
  if (options.withKernel) path->kernel_ = KernelPart::open(options.kernel, std::move(ahead), path->missing_);
  // What came while the programs were loaded waits unread.
  if (path->kernel_) path->kernel_->setDrained(beforeQueueNs);
  path->recorder_ = path->kernel_ && !path->kernel_->discarded().empty();
  path->memory_ = std::make_unique<DecisionMemory>(path->kernel_.get());
  DataPath* self = path.get();
  KernelPart* kernel = path->kernel_.get();
  path->resolver_ = std::make_unique<Resolver>(
      networkNamespaceCookie(),
      [kernel](uint64_t cookie, bastion_owner& owner) { return kernel != nullptr && kernel->lookupOwner(cookie, owner); },
      [self](uint64_t id, Attribution attribution) { self->onResolved(id, std::move(attribution)); });
  // A queue or ring that nobody wakes for would hold packets, and look well.
  const bool watched = path->watchQueue(true) &&
                       (kernel == nullptr || (path->watch(kernel->ringFd()) && (kernel->flowsFd() < 0 || path->watch(kernel->flowsFd()))));
  if (!watched) {
    error = {errno, "cannot watch the packet queue: " + errorText(errno)};
    return nullptr;
  }
  int failed = path->reaper_.start();
  if (failed == 0) failed = path->resolver_->start();
  if (failed == 0) failed = path->thread_.start([self] { self->run(); });
  if (failed == 0) return path;
  error = {failed, "cannot start the receiver's threads: " + errorText(failed)};
  return nullptr;
}

bool DataPath::watch(int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

bool DataPath::openHandles(QueueError& error) {
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (epoll_.valid()) wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (wake_.valid()) timer_.reset(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (timer_.valid()) control_.reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!control_.valid() || !watch(wake_.get()) || !watch(timer_.get())) {
    error = {errno, "cannot make the receiver's handles: " + errorText(errno)};
    return false;
  }
  return true;
}

DataPath::~DataPath() { close(false); }

Reports DataPath::takeReports() {
  const std::scoped_lock lock(mutex_);
  announced_ = false;
  std::vector<AskReport> later;
  if (reports_.asks.size() > asksAtOnce) {
    const auto rest = reports_.asks.begin() + asksAtOnce;
    later.assign(std::make_move_iterator(rest), std::make_move_iterator(reports_.asks.end()));
    reports_.asks.erase(rest, reports_.asks.end());
  }
  for (const AskReport& ask : reports_.asks) {
    if (HeldFlow* flow = held_.byId(ask.id)) flow->state = AskState::told;
  }
  Reports taken = std::exchange(reports_, {});
  reports_.asks = std::move(later);
  if (!reports_.asks.empty()) announce();
  return taken;
}

void DataPath::announce() {
  if (announced_ || closed_) return;
  announced_ = true;
  notify_();
}

uint32_t DataPath::answer(const std::vector<Answer>& answers) {
  const std::scoped_lock lock(mutex_);
  uint32_t given = 0;
  if (closed_) return given;
  for (const Answer& answer : answers) {
    HeldFlow* flow = held_.byId(answer.id);
    if (flow == nullptr) continue;
    if (answer.hold) {
      held_.setDeadline(*flow, answer.deadlineNs);
      continue;
    }
    if (answer.rememberUntilNs) {
      const uint32_t user = flow->attribution.owner ? flow->attribution.owner->user : noUid;
      memory_->rememberFlow(flow->identity, {answer.verdict, *answer.rememberUntilNs, answer.hitSlot}, user, bootNs());
    } else if (answer.verdict == Verdict::accept) {
      letStreamGoOn(*flow);
    }
    given += giveAll(held_.take(answer.id), answer.verdict);
  }
  verdicts_.send(queue_.fd());
  armTimer();
  return given;
}

/// The gate judges every packet of a stream: the one that opens it is accepted for all of them.
void DataPath::letStreamGoOn(const HeldFlow& flow) {
  if (!kernel_ || flow.tuple.destination.protocol != IPPROTO_TCP || flow.identity.key.cookie == 0) return;
  const uint64_t nowNs = bootNs();
  const auto& owner = flow.attribution.owner;
  if (owner && memory_->recallProgram(*owner, flow.tuple.destination, flow.answersPeer, nowNs)) return;
  memory_->rememberFlow(flow.identity, {Verdict::accept, 0, 0}, owner ? owner->user : noUid, nowNs);
}

void DataPath::remember(const RememberedProgram& entry) {
  const std::scoped_lock lock(mutex_);
  if (!closed_) memory_->rememberProgram(entry.key, entry.decision);
}

void DataPath::replaceAll(const std::vector<RememberedProgram>& programs, const std::vector<RememberedFlow>& flows,
                          uint64_t policy) {
  const std::scoped_lock lock(mutex_);
  if (closed_) return;
  const uint64_t nowNs = bootNs();
  memory_->begin();
  for (const RememberedProgram& entry : programs) memory_->rememberProgram(entry.key, entry.decision);
  for (const RememberedFlow& entry : flows) {
    FlowIdentity flow;
    flow.key = entry.key;
    bastion_owner owner{};
    const bool known = kernel_ && kernel_->lookupOwner(entry.key.cookie, owner);
    // An older socket is known by its cookie alone.
    if (known && (owner.flags & BASTION_OWNER_ADOPTED) != 0) {
      flow.key = {};
      flow.key.cookie = entry.key.cookie;
      flow.key.destination = entry.key.destination;
    }
    memory_->rememberFlow(flow, entry.decision, known ? owner.user : noUid, nowNs);
  }
  memory_->end(policy);
}

bool DataPath::adopt(uint64_t policy) {
  const std::scoped_lock lock(mutex_);
  return !closed_ && memory_->adopt(policy);
}

void DataPath::setGate(uint32_t flags) {
  const std::scoped_lock lock(mutex_);
  if (!closed_ && kernel_) kernel_->setGate(flags);
}

void DataPath::setRecorder(bool there) {
  const std::scoped_lock lock(mutex_);
  recorder_ = there;
}

void DataPath::setTellFlows(bool on) {
  const std::scoped_lock lock(mutex_);
  if (!closed_ && kernel_) kernel_->setTellFlows(on);
}

uint32_t DataPath::generation() {
  const std::scoped_lock lock(mutex_);
  return closed_ || !kernel_ ? 0 : kernel_->generation();
}

std::vector<uint64_t> DataPath::hits() {
  const std::scoped_lock lock(mutex_);
  return closed_ || !kernel_ ? std::vector<uint64_t>{} : kernel_->hits();
}

std::vector<Traffic> DataPath::traffic() {
  const std::scoped_lock lock(mutex_);
  std::vector<Traffic> all;
  if (closed_ || !kernel_) return all;
  for (const TrafficRow& row : traffic_.read(kernel_->trafficFd())) {
    const std::string* path = kernel_->pathOf(row.key.executable);
    all.push_back({row, path == nullptr ? "" : *path});
  }
  return all;
}

std::optional<bastion_process> DataPath::process(uint32_t pid, uint64_t startNs) {
  const std::scoped_lock lock(mutex_);
  if (closed_ || !kernel_ || kernel_->lineage() == nullptr) return std::nullopt;
  return kernel_->lineage()->process(pid, startNs);
}

std::optional<std::string> DataPath::knownPath(const ImageRecord& image, uint64_t nowNs) {
  if (auto told = kernel_->toldPath(image)) return told;
  const FoundPath* found = found_.find(image.key);
  return found != nullptr && nowNs < found->untilNs ? std::optional(found->path) : std::nullopt;
}

std::optional<ProcessHistory> DataPath::processRecord(uint32_t pid, uint64_t startNs, const bastion_executable* ran) {
  const uint64_t nowNs = bootNs();
  std::vector<std::optional<std::string>> known;
  ProcessHistory history;
  {
    const std::scoped_lock lock(mutex_);
    if (closed_ || !kernel_ || kernel_->lineage() == nullptr) return std::nullopt;
    auto record = kernel_->lineage()->find(pid, startNs, ran);
    if (!record) return std::nullopt;
    // What was executed just now has its path in the ring still.
    takeRings();
    if (record->image) known.push_back(knownPath(*record->image, nowNs));
    for (const ImageRecord& ancestor : record->ancestors) known.push_back(knownPath(ancestor, nowNs));
    history.record = std::move(*record);
  }
  // Without the lock: no verdict may wait for a file system.
  std::vector<std::pair<bastion_image_key, std::string>> found;
  auto next = known.begin();
  const auto pathOf = [&](const ImageRecord& image) {
    if (auto& path = *next++) return std::move(*path);
    return found.emplace_back(image.key, findPath(image)).second;
  };
  if (history.record.image) history.path = pathOf(*history.record.image);
  for (const ImageRecord& ancestor : history.record.ancestors) history.paths.push_back(pathOf(ancestor));
  if (found.empty()) return history;
  const std::scoped_lock lock(mutex_);
  for (auto& [key, path] : found) found_.put(key, {std::move(path), nowNs + pathsLastNs});
  return history;
}

void DataPath::setDefaultVerdict(Verdict verdict) {
  const std::scoped_lock lock(mutex_);
  defaultVerdict_ = verdict;
}

void DataPath::setAnswerDeadlineMs(uint32_t ms) {
  const std::scoped_lock lock(mutex_);
  answerDeadlineNs_ = ms * nsPerMs;
}

void DataPath::setPacketTrace(bool on) {
  const std::scoped_lock lock(mutex_);
  trace_ = on;
}

Counters DataPath::counters() {
  Counters counters;
  {
    const std::scoped_lock lock(mutex_);
    counters = counters_;
    counters.held = held_.packets();
    if (closed_) return counters;
  }
  readQueueStatus(options_.queueNumber, counters.queue);
  if (kernel_) counters.kernel = kernel_->counters();
  counters.reaper = reaper_.counters();
  return counters;
}

Health DataPath::health() {
  Health health;
  uint32_t port = 0;
  {
    const std::scoped_lock lock(mutex_);
    health.lastTurnNs = counters_.lastTurnNs;
    if (closed_) return health;
    port = queue_.portId();
  }
  QueueStatus queue;
  errno = 0;
  const bool listed = readQueueStatus(options_.queueNumber, queue);
  health.queue = port != 0 && (listed ? queue.portId == port : isShortage());
  if (kernel_) health.kernelFault = kernel_->fault();
  return health;
}

// Without the lock, which verdicts wait for: what these look at never changes, and only the caller's thread closes.
std::vector<std::string> DataPath::lostPins() { return kernel_ ? kernel_->lostPins() : std::vector<std::string>{}; }

std::string DataPath::mendPins() {
  std::string why;
  return !kernel_ || kernel_->mendPins(why) ? "" : why;
}

void DataPath::close(bool unpin) {
  stopping_ = true;
  if (wake_.valid()) eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
  if (resolver_) resolver_->stop();
  reaper_.stop();
  const std::scoped_lock lock(mutex_);
  if (!closed_) {
    closed_ = true;
    for (const uint64_t id : held_.all()) giveAll(held_.take(id), defaultVerdict_);
    verdicts_.send(queue_.fd());
    queue_.close();
    reports_ = {};
    if (kernel_) {
      kernel_->setTurned(0);
      kernel_->tellPathsAgain();
    }
    memory_.reset();
    kernel_.reset();
  }
  if (unpin && options_.withKernel) KernelPart::removePins(options_.kernel.pinPath);
}

std::string DataPath::interfaceName(uint32_t index) {
  if (index == 0) return "";
  // An interface may be renamed, and its number may come back for another one.
  const uint64_t nowNs = bootNs();
  if (nowNs - namesReadNs_ > namesLastNs) names_.clear();
  if (names_.empty()) namesReadNs_ = nowNs;
  const auto known = names_.find(index);
  if (known != names_.end()) return known->second;
  ifreq request{};
  request.ifr_ifindex = static_cast<int>(index);
  std::string name = ioctl(control_.get(), SIOCGIFNAME, &request) == 0 ? request.ifr_name : "";
  if (names_.size() < namesLimit) names_.emplace(index, name);
  return name;
}

}  // namespace bastion
