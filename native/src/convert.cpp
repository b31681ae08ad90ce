// SPDX-License-Identifier: GPL-3.0-or-later
#include "convert.hpp"

#include <arpa/inet.h>
#include <climits>

namespace bastion {

namespace {

constexpr size_t addressBytes = 64;
constexpr uint32_t largestHeld = 1 << 20;
constexpr uint32_t largestDeadlineMs = 24 * 3600 * 1000;

std::string_view commandOf(const bastion_owner& owner) { return {owner.command, strnlen(owner.command, sizeof owner.command)}; }

napi_value makeTuple(const Maker& make, const bastion_tuple& tuple) {
  const bastion_destination& to = tuple.destination;
  const napi_value object = make.object();
  make.set(object, "family", make.number(to.family));
  make.set(object, "protocol", make.number(to.protocol));
  make.set(object, "sourceAddress", make.text(addressText(to.family, tuple.source)));
  make.set(object, "sourcePort", make.number(ntohs(tuple.source_port)));
  make.set(object, "destinationAddress", make.text(addressText(to.family, to.address)));
  make.set(object, "destinationPort", make.number(ntohs(to.port)));
  return object;
}

void setExecutable(const Maker& make, napi_value object, const bastion_executable& executable) {
  make.set(object, "device", make.number(executable.device));
  make.set(object, "inode", make.bigint(executable.inode));
  make.set(object, "generation", make.number(executable.generation));
  make.set(object, "ctimeSec", make.number(static_cast<double>(static_cast<int64_t>(executable.ctime_sec))));
}

const char* evidenceText(Evidence evidence) {
  switch (evidence) {
    case Evidence::kernel: return "kernel";
    case Evidence::sockDiag: return "sock_diag";
    case Evidence::none: break;
  }
  return "none";
}

/// One call with everything in its place: an object made property by property would cost several times as much.
napi_value makeAsk(const Maker& make, napi_value maker, const AskReport& ask) {
  const Attribution& who = ask.attribution;
  const bastion_destination& to = ask.tuple.destination;
  const bastion_owner none{};
  const bastion_owner& owner = who.owner ? *who.owner : none;
  const bastion_executable& executable = owner.executable;
  return make.call(maker, {
      make.number(static_cast<double>(ask.id)),
      make.number(to.family),
      make.number(to.protocol),
      make.text(addressText(to.family, ask.tuple.source)),
      make.number(ntohs(ask.tuple.source_port)),
      make.text(addressText(to.family, to.address)),
      make.number(ntohs(to.port)),
      make.text(evidenceText(who.evidence)),
      who.path.empty() ? make.null() : make.text(who.path),
      make.number(ask.interfaceIndex),
      make.text(ask.interfaceName),
      make.number(ask.length),
      ask.payload.empty() ? make.null() : make.bytes(ask.payload),
      make.bigint(ask.heldAtNs),
      make.boolean(ask.answersPeer),
      make.boolean(who.owner.has_value()),
      make.bigint(owner.cookie),
      make.number(owner.pid),
      make.bigint(owner.start_ns),
      make.number(owner.uid),
      make.number(owner.gid),
      make.number(owner.mount_namespace),
      make.bigint(owner.network_namespace),
      make.bigint(owner.cgroup),
      make.text(commandOf(owner)),
      make.number(executable.device),
      make.bigint(executable.inode),
      make.number(executable.generation),
      make.number(static_cast<double>(static_cast<int64_t>(executable.ctime_sec))),
  });
}

napi_value makePacket(const Maker& make, const PacketReport& packet) {
  const napi_value object = make.object();
  make.set(object, "timeNs", make.bigint(packet.timeNs));
  make.set(object, "tuple", makeTuple(make, packet.tuple));
  make.set(object, "length", make.number(packet.length));
  make.set(object, "interfaceName", make.text(packet.interfaceName));
  return object;
}

}  // namespace

Options readOptions(Reader& reader, napi_value value) {
  Options options;
  options.queueNumber = static_cast<uint16_t>(reader.number(value, "queueNumber", 0, UINT16_MAX));
  options.queueMaxLength = reader.number(value, "queueMaxLength", 1, largestHeld);
  options.limits.total = reader.number(value, "maxHeld", 1, largestHeld);
  options.limits.perFlow = reader.number(value, "maxHeldPerFlow", 1, largestHeld);
  options.limits.perUid = reader.number(value, "maxHeldPerUid", 1, largestHeld);
  options.answerDeadlineMs = reader.number(value, "answerDeadlineMs", 1, largestDeadlineMs);
  options.defaultVerdict = reader.verdict(reader.property(value, "defaultVerdict"), "defaultVerdict");
  options.refuseMark = reader.number(value, "refuseMark", 1, UINT32_MAX);
  if (reader.ok() && (options.refuseMark & (options.refuseMark - 1)) != 0) reader.fail("refuseMark: one bit is expected");
  const napi_value kernel = reader.property(value, "kernel");
  if (!reader.ok() || reader.isNullish(kernel)) return options;
  options.withKernel = true;
  options.kernel.objectPath = reader.text(kernel, "objectPath", PATH_MAX);
  options.kernel.cgroupPath = reader.text(kernel, "cgroupPath", PATH_MAX);
  options.kernel.pinPath = reader.text(kernel, "pinPath", PATH_MAX / 2);
  if (!reader.isNullish(reader.property(kernel, "decideInThread"))) options.kernel.decideInThread = reader.boolean(kernel, "decideInThread");
  return options;
}

std::vector<Answer> readAnswers(Reader& reader, napi_value value) {
  std::vector<Answer> answers;
  for (const napi_value element : reader.elements(value, "answers")) {
    Answer answer;
    answer.id = reader.integer(element, "id");
    const napi_value verdict = reader.property(element, "verdict");
    answer.hold = reader.textOf(verdict, "verdict", 16) == "hold";
    if (answer.hold) {
      answer.deadlineNs = reader.bigint(element, "deadlineNs");
    } else {
      answer.verdict = reader.verdict(verdict, "verdict");
      if (!reader.isNullish(reader.property(element, "rememberUntilNs")))
        answer.rememberUntilNs = reader.bigint(element, "rememberUntilNs");
    }
    if (!reader.ok()) return {};
    answers.push_back(answer);
  }
  return answers;
}

std::pair<bastion_verdict_key, bastion_verdict> readRemembered(Reader& reader, const RememberedParts& parts) {
  bastion_verdict_key key{};
  bastion_verdict verdict{};
  size_t at = 0;
  key.executable.device = reader.numberOf(parts[at++], "device", 0, UINT32_MAX);
  key.executable.inode = reader.bigintOf(parts[at++], "inode");
  key.executable.generation = reader.numberOf(parts[at++], "generation", 0, UINT32_MAX);
  key.executable.ctime_sec = reader.integerOf(parts[at++], "ctimeSec");
  key.uid = reader.numberOf(parts[at++], "uid", 0, UINT32_MAX);
  key.network_namespace = reader.bigintOf(parts[at++], "networkNamespace");
  const uint32_t family = reader.numberOf(parts[at++], "family", 4, 6);
  key.destination.family = static_cast<uint8_t>(family);
  key.destination.protocol = static_cast<uint8_t>(reader.numberOf(parts[at++], "protocol", 0, UINT8_MAX));
  const std::string address = reader.textOf(parts[at++], "destinationAddress", addressBytes);
  if (reader.ok() && (family == 5 || !parseAddress(key.destination.family, address, key.destination.address)))
    reader.fail("destinationAddress: not an address of its family");
  key.destination.port = htons(static_cast<uint16_t>(reader.numberOf(parts[at++], "destinationPort", 0, UINT16_MAX)));
  verdict.verdict = static_cast<uint32_t>(reader.verdict(parts[at++], "verdict"));
  verdict.until_ns = reader.bigintOf(parts[at++], "untilNs");
  return {key, verdict};
}

napi_value makeEvents(const Maker& make, napi_value askMaker, const Reports& reports, const QueueReport* queue) {
  const napi_value asks = make.array(reports.asks.size());
  const napi_value ended = make.array(reports.ended.size());
  const napi_value packets = make.array(reports.packets.size());
  for (size_t i = 0; i < reports.asks.size(); i += 1) make.setElement(asks, i, makeAsk(make, askMaker, reports.asks[i]));
  for (size_t i = 0; i < reports.packets.size(); i += 1) make.setElement(packets, i, makePacket(make, reports.packets[i]));
  for (size_t i = 0; i < reports.ended.size(); i += 1) {
    const napi_value end = make.object();
    make.set(end, "id", make.number(static_cast<double>(reports.ended[i].id)));
    make.set(end, "why", make.text(reports.ended[i].queueFailed ? "queue-failed" : "deadline"));
    make.setElement(ended, i, end);
  }
  const napi_value object = make.object();
  make.set(object, "asks", asks);
  make.set(object, "ended", ended);
  make.set(object, "packets", packets);
  if (queue != nullptr) {
    make.set(object, "queueReady", make.boolean(queue->ready));
    make.set(object, "message", make.text(queue->message));
  }
  return object;
}

napi_value makeCounters(const Maker& make, const Counters& counters) {
  const napi_value object = make.object();
  const auto set = [&](const char* name, uint64_t value) { make.set(object, name, make.number(static_cast<double>(value))); };
  set("packets", counters.packets);
  set("asks", counters.asks);
  set("accepted", counters.accepted);
  set("refused", counters.refused);
  set("dropped", counters.dropped);
  set("defaultVerdicts", counters.defaultVerdicts);
  set("limitDrops", counters.limitDrops);
  set("unidentified", counters.unidentified);
  set("remembered", counters.remembered);
  set("queueLength", counters.queue.length);
  set("queueDropped", counters.queue.dropped);
  set("queueUserDropped", counters.queue.userDropped);
  set("overruns", counters.overruns);
  set("held", counters.held);
  set("kernelAllowed", counters.kernel[BASTION_COUNT_ALLOWED]);
  set("kernelRefused", counters.kernel[BASTION_COUNT_REFUSED]);
  set("ringLost", counters.kernel[BASTION_COUNT_RING_LOST]);
  set("traceLost", counters.traceLost);
  set("malformed", counters.malformed);
  make.set(object, "lastTurnNs", make.bigint(counters.lastTurnNs));
  return object;
}

napi_value makeFeatures(const Maker& make, const DataPath& path) {
  const KernelPart* kernel = path.kernel();
  const napi_value missing = make.array(path.missing().size());
  for (size_t i = 0; i < path.missing().size(); i += 1) {
    const napi_value entry = make.object();
    make.set(entry, "what", make.text(path.missing()[i].what));
    make.set(entry, "why", make.text(path.missing()[i].why));
    make.setElement(missing, i, entry);
  }
  const napi_value object = make.object();
  make.set(object, "identification", make.text(kernel == nullptr ? "sock_diag" : "kernel"));
  make.set(object, "xtAllow", kernel == nullptr ? make.null() : make.text(kernel->xtAllow()));
  make.set(object, "xtRefuse", kernel == nullptr ? make.null() : make.text(kernel->xtRefuse()));
  make.set(object, "missing", missing);
  return object;
}

napi_value makeFileIdentity(const Maker& make, const FileIdentity& identity) {
  const napi_value object = make.object();
  setExecutable(make, object, identity.executable);
  make.set(object, "uid", make.number(identity.uid));
  make.set(object, "mode", make.number(identity.mode));
  make.set(object, "sizeBytes", make.number(static_cast<double>(identity.sizeBytes)));
  return object;
}

}  // namespace bastion
