// SPDX-License-Identifier: GPL-3.0-or-later
#include "resolver.hpp"

namespace bastion {

namespace {

bool sameSockets(const std::vector<FoundSocket>& a, const std::vector<FoundSocket>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i += 1) {
    if (a[i].inode != b[i].inode || a[i].uid != b[i].uid) return false;
  }
  return true;
}

}  // namespace

Resolver::Resolver(uint64_t networkNamespace, KernelOwner kernelOwner, Done done)
    : networkNamespace_(networkNamespace), kernelOwner_(std::move(kernelOwner)), done_(std::move(done)) {}

Resolver::~Resolver() { stop(); }

bool Resolver::submit(const ResolveJob& job) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_ || jobs_.size() >= maxJobs) return false;
    jobs_.push_back(job);
  }
  wake_.notify_one();
  return true;
}

void Resolver::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    jobs_.clear();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Resolver::run() {
  pthread_setname_np(pthread_self(), "bastion-resolve");
  for (;;) {
    std::deque<ResolveJob> jobs;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      jobs.swap(jobs_);
    }
    resolveAll(jobs);
  }
}

/// One search through /proc serves everything that waits.
void Resolver::resolveAll(const std::deque<ResolveJob>& jobs) {
  std::vector<Candidates> all;
  std::vector<uint64_t> unknown;
  for (const ResolveJob& job : jobs) {
    Candidates& candidates = all.emplace_back();
    candidates.sockets = findSockets(job.tuple, job.cookie, job.interfaceIndex);
    for (const FoundSocket& socket : candidates.sockets) {
      auto& known = candidates.known.emplace_back(socket.inode == 0 ? std::nullopt : holders_.fromCache(socket.inode));
      if (!known && socket.inode != 0) unknown.push_back(socket.inode);
    }
  }
  const SocketHoldings holdings = holders_.search(unknown);
  for (size_t i = 0; i < jobs.size() && !stopping_; i += 1) done_(jobs[i].askId, resolve(jobs[i], all[i], holdings));
}

/// Every socket that could have sent the packet must belong to one program, and look the same when asked again.
std::optional<ProcessRecord> Resolver::holderOf(const ResolveJob& job, const Candidates& candidates,
                                                const SocketHoldings& holdings, uint64_t& cookie) {
  std::optional<ProcessRecord> holder;
  for (size_t i = 0; i < candidates.sockets.size(); i += 1) {
    const FoundSocket& socket = candidates.sockets[i];
    auto record = candidates.known[i];
    const auto found = holdings.find(socket.inode);
    if (!record && found != holdings.end()) record = holders_.agree(socket.inode, found->second);
    if (!record) return std::nullopt;
    if (holder && (holder->uid != record->uid || !sameExecutable(holder->executable, record->executable))) return std::nullopt;
    if (holder) continue;
    holder = record;
    cookie = socket.cookie;
  }
  if (!holder || !sameSockets(candidates.sockets, findSockets(job.tuple, job.cookie, job.interfaceIndex))) return std::nullopt;
  auto again = readProcess(holder->pid);
  if (!again || !sameProcess(*holder, *again)) return std::nullopt;
  return again;
}

Attribution Resolver::resolve(const ResolveJob& job, const Candidates& candidates, const SocketHoldings& holdings) {
  Attribution attribution;
  uint64_t cookie = 0;
  const auto holder = holderOf(job, candidates, holdings, cookie);
  if (!holder) return attribution;
  bastion_owner recorded{};
  if (job.cookie == 0 && cookie != 0 && kernelOwner_(cookie, recorded) && recorded.pid != 0) {
    attribution.owner = recorded;
    attribution.evidence = Evidence::kernel;
  } else {
    attribution.owner = ownerOf(*holder);
    attribution.owner->cookie = job.cookie;
    attribution.owner->network_namespace = networkNamespace_;
    attribution.evidence = Evidence::sockDiag;
  }
  attribution.path = holder->path;
  return attribution;
}

}  // namespace bastion
