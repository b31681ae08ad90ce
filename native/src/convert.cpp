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

Napi::BigInt bigint(Napi::Env env, uint64_t value) { return Napi::BigInt::New(env, value); }

Napi::Value textOrNull(Napi::Env env, const std::string& text) {
  return text.empty() ? env.Null() : Napi::String::New(env, text);
}

Napi::Value bytesOrNull(Napi::Env env, const std::vector<uint8_t>& bytes) {
  if (bytes.empty()) return env.Null();
  auto array = Napi::Uint8Array::New(env, bytes.size());
  memcpy(array.Data(), bytes.data(), bytes.size());
  return array;
}

Napi::Object makeTuple(Napi::Env env, const bastion_tuple& tuple) {
  const bastion_destination& to = tuple.destination;
  auto object = Napi::Object::New(env);
  object.Set("family", to.family);
  object.Set("protocol", to.protocol);
  object.Set("sourceAddress", addressText(to.family, tuple.source));
  object.Set("sourcePort", ntohs(tuple.source_port));
  object.Set("destinationAddress", addressText(to.family, to.address));
  object.Set("destinationPort", ntohs(to.port));
  return object;
}

const char* evidenceText(Evidence evidence) {
  switch (evidence) {
    case Evidence::kernel: return "kernel";
    case Evidence::sockDiag: return "sock_diag";
    case Evidence::none: break;
  }
  return "none";
}

const char* originText(Origin origin) {
  switch (origin) {
    case Origin::kernel: return "kernel";
    case Origin::forwarded: return "forwarded";
    case Origin::process: break;
  }
  return "process";
}

/// One call with everything in its place: an object made property by property would cost several times as much.
Napi::Value makeAsk(Napi::Env env, const Napi::Function& maker, const AskReport& ask) {
  const Attribution& who = ask.attribution;
  const bastion_destination& to = ask.tuple.destination;
  const bastion_owner none{};
  const bastion_owner& owner = who.owner ? *who.owner : none;
  const bastion_executable& executable = owner.executable;
  const auto value = [&](const auto& part) { return Napi::Value::From(env, part); };
  return maker.Call({
      value(ask.id),
      value(to.family),
      value(to.protocol),
      value(addressText(to.family, ask.tuple.source)),
      value(ntohs(ask.tuple.source_port)),
      value(addressText(to.family, to.address)),
      value(ntohs(to.port)),
      value(evidenceText(who.evidence)),
      textOrNull(env, who.path),
      value(ask.interfaceIndex),
      value(ask.interfaceName),
      value(ask.length),
      bytesOrNull(env, ask.payload),
      bigint(env, ask.heldAtNs),
      value(ask.answersPeer),
      value(originText(ask.origin)),
      value(ask.held),
      value(who.owner.has_value()),
      bigint(env, owner.cookie),
      value(owner.pid),
      bigint(env, owner.start_ns),
      value(owner.uid),
      value(owner.gid),
      value(owner.mount_namespace),
      bigint(env, owner.network_namespace),
      bigint(env, owner.cgroup),
      Napi::String::New(env, commandOf(owner)),
      value(executable.device),
      bigint(env, executable.inode),
      value(executable.generation),
      value(static_cast<int64_t>(executable.ctime_sec)),
  });
}

/// As makeAsk.
Napi::Value makeFlow(Napi::Env env, const Napi::Function& maker, const FlowReport& report) {
  const bastion_flow_event& event = report.event;
  const bastion_destination& to = event.tuple.destination;
  const bastion_owner& owner = event.owner;
  const bastion_executable& executable = owner.executable;
  const auto value = [&](const auto& part) { return Napi::Value::From(env, part); };
  return maker.Call({
      value(event.kind),
      value(to.family),
      value(to.protocol),
      value(addressText(to.family, event.tuple.source)),
      value(ntohs(event.tuple.source_port)),
      value(addressText(to.family, to.address)),
      value(ntohs(to.port)),
      bigint(env, event.cookie),
      value((event.flags & BASTION_FLOW_INBOUND) != 0),
      value((owner.flags & BASTION_OWNER_KERNEL) != 0),
      value((owner.flags & BASTION_OWNER_ADOPTED) != 0),
      textOrNull(env, report.path),
      value(report.interfaceName),
      value(event.length),
      bigint(env, event.begun_ns),
      bigint(env, event.time_ns),
      value(event.sent.bytes),
      value(event.sent.packets),
      value(event.received.bytes),
      value(event.received.packets),
      value(event.generation),
      value(event.hit_slot),
      bigint(env, owner.cookie),
      value(owner.pid),
      bigint(env, owner.start_ns),
      value(owner.uid),
      value(owner.gid),
      value(owner.mount_namespace),
      bigint(env, owner.network_namespace),
      bigint(env, owner.cgroup),
      Napi::String::New(env, commandOf(owner)),
      value(executable.device),
      bigint(env, executable.inode),
      value(executable.generation),
      value(static_cast<int64_t>(executable.ctime_sec)),
  });
}

Napi::Object makePacket(Napi::Env env, const PacketReport& packet) {
  auto object = Napi::Object::New(env);
  object.Set("timeNs", bigint(env, packet.timeNs));
  object.Set("tuple", makeTuple(env, packet.tuple));
  object.Set("length", packet.length);
  object.Set("interfaceName", packet.interfaceName);
  return object;
}

Napi::Object makeDns(Napi::Env env, const DnsMessage& message) {
  const bastion_tuple& tuple = message.tuple;
  const bastion_destination& to = tuple.destination;
  auto object = Napi::Object::New(env);
  object.Set("sent", !message.received);
  object.Set("protocol", to.protocol);
  object.Set("cookie", bigint(env, message.owner.cookie));
  object.Set("pid", message.owner.pid);
  object.Set("uid", message.owner.uid);
  object.Set("executable", makeExecutable(env, message.owner.executable));
  object.Set("serverAddress", addressText(to.family, message.received ? tuple.source : to.address));
  object.Set("serverPort", ntohs(message.received ? tuple.source_port : to.port));
  object.Set("localPort", ntohs(message.received ? to.port : tuple.source_port));
  object.Set("sequence", message.sequence);
  auto payload = Napi::Uint8Array::New(env, message.payload.size());
  if (!message.payload.empty()) memcpy(payload.Data(), message.payload.data(), message.payload.size());
  object.Set("payload", payload);
  object.Set("timeNs", bigint(env, message.timeNs));
  return object;
}

Napi::Object makeEnd(Napi::Env env, const EndReport& end) {
  auto object = Napi::Object::New(env);
  object.Set("id", end.id);
  object.Set("why", end.queueFailed ? "queue-failed" : "deadline");
  return object;
}

template <typename Report, typename Make>
Napi::Array makeArray(Napi::Env env, const std::vector<Report>& reports, Make make) {
  auto array = Napi::Array::New(env, reports.size());
  for (uint32_t i = 0; i < reports.size(); i += 1) array.Set(i, make(reports[i]));
  return array;
}

}  // namespace

Napi::Object makeExecutable(Napi::Env env, const bastion_executable& executable) {
  auto object = Napi::Object::New(env);
  object.Set("device", executable.device);
  object.Set("inode", bigint(env, executable.inode));
  object.Set("generation", executable.generation);
  object.Set("ctimeSec", static_cast<int64_t>(executable.ctime_sec));
  return object;
}

Options readOptions(Reader& reader, Napi::Value value) {
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
  const Napi::Value kernel = reader.property(value, "kernel");
  if (!reader.ok() || isNullish(kernel)) return options;
  options.withKernel = true;
  options.kernel.objectPath = reader.text(kernel, "objectPath", PATH_MAX);
  options.kernel.cgroupPath = reader.text(kernel, "cgroupPath", PATH_MAX);
  options.kernel.pinPath = reader.text(kernel, "pinPath", PATH_MAX / 2);
  options.kernel.refuseMark = options.refuseMark;
  if (!isNullish(reader.property(kernel, "decideInThread"))) options.kernel.decideInThread = reader.boolean(kernel, "decideInThread");
  return options;
}

std::vector<Answer> readAnswers(Reader& reader, Napi::Value value) {
  std::vector<Answer> answers;
  const Napi::Array elements = reader.array(value, "answers");
  const uint32_t length = reader.ok() ? elements.Length() : 0;
  for (uint32_t i = 0; i < length; i += 1) {
    const Napi::HandleScope scope(elements.Env());
    const Napi::Value element = elements.Get(i);
    Answer answer;
    answer.id = reader.integer(element, "id");
    const Napi::Value verdict = reader.property(element, "verdict");
    answer.hold = reader.textOf(verdict, "verdict", 16) == "hold";
    if (answer.hold) {
      answer.deadlineNs = reader.bigint(element, "deadlineNs");
    } else {
      answer.verdict = reader.verdict(verdict, "verdict");
      if (!isNullish(reader.property(element, "rememberUntilNs")))
        answer.rememberUntilNs = reader.bigint(element, "rememberUntilNs");
      if (!isNullish(reader.property(element, "hitSlot")))
        answer.hitSlot = reader.number(element, "hitSlot", 0, BASTION_HIT_SLOTS - 1);
    }
    if (!reader.ok()) return {};
    answers.push_back(answer);
  }
  return answers;
}

namespace {

/// Reads one part after the other.
class Parts {
 public:
  Parts(Reader& reader, const Napi::CallbackInfo& parts, size_t first = 0) : reader_(reader), parts_(parts), at_(first) {}

  uint32_t number(const char* name, uint32_t largest) { return reader_.numberOf(parts_[at_++], name, 0, largest); }
  uint64_t bigint(const char* name) { return reader_.bigintOf(parts_[at_++], name); }
  std::string text(const char* name) { return reader_.textOf(parts_[at_++], name, addressBytes); }
  bool flag(const char* name) { return number(name, 1) == 1; }

  bastion_executable executable() {
    bastion_executable executable{};
    executable.device = number("device", UINT32_MAX);
    executable.inode = bigint("inode");
    executable.generation = number("generation", UINT32_MAX);
    executable.ctime_sec = reader_.integerOf(parts_[at_++], "ctimeSec");
    return executable;
  }

  /// `withAddress` false: the text is empty.
  bastion_destination destination(bool withAddress, bool withPort) {
    bastion_destination to{};
    to.family = static_cast<uint8_t>(number("family", 6));
    to.protocol = static_cast<uint8_t>(number("protocol", UINT8_MAX));
    const std::string address = text("destinationAddress");
    to.port = htons(static_cast<uint16_t>(number("destinationPort", UINT16_MAX)));
    if (reader_.ok() && withAddress && ((to.family != 4 && to.family != 6) || !parseAddress(to.family, address, to.address)))
      reader_.fail("destinationAddress: not an address of its family");
    if (!withAddress) to.family = 0;
    if (!withPort) to.port = to.protocol = 0;
    return to;
  }

  Decision decision() {
    Decision decision;
    decision.verdict = reader_.verdict(parts_[at_++], "verdict");
    decision.untilNs = bigint("untilNs");
    decision.hitSlot = number("hitSlot", BASTION_HIT_SLOTS - 1);
    return decision;
  }

 private:
  Reader& reader_;
  const Napi::CallbackInfo& parts_;
  size_t at_;
};

}  // namespace

RememberedProgram readProgram(Reader& reader, const Napi::CallbackInfo& info) {
  Parts parts(reader, info);
  RememberedProgram entry;
  const uint32_t form = parts.number("form", BASTION_FORM_PROGRAM);
  entry.key.form = form | (parts.flag("reply") ? BASTION_FORM_REPLY : 0);
  entry.key.executable = parts.executable();
  entry.key.uid = parts.number("uid", UINT32_MAX);
  entry.key.network_namespace = parts.bigint("networkNamespace");
  entry.key.destination = parts.destination(form == BASTION_FORM_EXACT || form == BASTION_FORM_ANY_PORT,
                                            form == BASTION_FORM_EXACT || form == BASTION_FORM_ANY_ADDRESS);
  entry.decision = parts.decision();
  return entry;
}

RememberedFlow readFlow(Reader& reader, const Napi::CallbackInfo& info) {
  Parts parts(reader, info);
  RememberedFlow entry;
  entry.key.cookie = parts.bigint("cookie");
  entry.key.pid = parts.number("pid", UINT32_MAX);
  entry.key.start_ns = parts.bigint("startNs");
  entry.key.executable = parts.executable();
  entry.key.destination = parts.destination(true, true);
  entry.decision = parts.decision();
  return entry;
}

bastion_executable readExecutable(Reader& reader, const Napi::CallbackInfo& info, size_t first) {
  return Parts(reader, info, first).executable();
}

uint32_t readGate(Reader& reader, Napi::Value value) {
  const auto passes = [&](const char* name) { return reader.text(value, name, 16) == "pass"; };
  return (passes("undecided") ? BASTION_GATE_UNDECIDED : 0) | (passes("whenAway") ? BASTION_GATE_WHEN_AWAY : 0) |
         (passes("untracked") ? BASTION_GATE_UNTRACKED : 0);
}

Napi::Value makeHits(Napi::Env env, const std::vector<uint64_t>& hits) {
  return makeArray(env, hits, [&](uint64_t count) { return Napi::Value::From(env, count); });
}

Napi::Value makeTraffic(Napi::Env env, const std::vector<Traffic>& traffic) {
  return makeArray(env, traffic, [&](const Traffic& one) {
    const bastion_traffic& amounts = one.row.amounts;
    auto object = Napi::Object::New(env);
    object.Set("executable", makeExecutable(env, one.row.key.executable));
    object.Set("path", textOrNull(env, one.path));
    object.Set("uid", one.row.key.uid);
    object.Set("sentBytes", amounts.sent.bytes);
    object.Set("sentPackets", amounts.sent.packets);
    object.Set("receivedBytes", amounts.received.bytes);
    object.Set("receivedPackets", amounts.received.packets);
    return object;
  });
}

Napi::Object makeEvents(Napi::Env env, const Makers& makers, const Reports& reports, const QueueReport* queue) {
  auto object = Napi::Object::New(env);
  object.Set("asks", makeArray(env, reports.asks, [&](const auto& ask) { return makeAsk(env, makers.ask, ask); }));
  object.Set("ended", makeArray(env, reports.ended, [&](const auto& end) { return makeEnd(env, end); }));
  object.Set("packets", makeArray(env, reports.packets, [&](const auto& packet) { return makePacket(env, packet); }));
  object.Set("flows", makeArray(env, reports.flows, [&](const auto& flow) {
    Napi::EscapableHandleScope scope(env);
    return scope.Escape(makeFlow(env, makers.flow, flow));
  }));
  object.Set("dns", makeArray(env, reports.dns, [&](const auto& message) { return makeDns(env, message); }));
  if (queue != nullptr) {
    object.Set("queueReady", queue->ready);
    object.Set("message", queue->message);
  }
  return object;
}

Napi::Object makeCounters(Napi::Env env, const Counters& counters) {
  auto object = Napi::Object::New(env);
  object.Set("packets", counters.packets);
  object.Set("asks", counters.asks);
  object.Set("accepted", counters.accepted);
  object.Set("refused", counters.refused);
  object.Set("dropped", counters.dropped);
  object.Set("defaultVerdicts", counters.defaultVerdicts);
  object.Set("limitDrops", counters.limitDrops);
  object.Set("unidentified", counters.unidentified);
  object.Set("remembered", counters.remembered);
  object.Set("queueLength", counters.queue.length);
  object.Set("queueDropped", counters.queue.dropped);
  object.Set("queueUserDropped", counters.queue.userDropped);
  object.Set("overruns", counters.overruns);
  object.Set("held", counters.held);
  object.Set("kernelAllowed", counters.kernel[BASTION_COUNT_ALLOWED]);
  object.Set("kernelRefused", counters.kernel[BASTION_COUNT_REFUSED]);
  object.Set("ringLost", counters.kernel[BASTION_COUNT_RING_LOST]);
  object.Set("traceLost", counters.traceLost);
  object.Set("malformed", counters.malformed);
  object.Set("gateUndecided", counters.kernel[BASTION_COUNT_GATE_UNDECIDED]);
  object.Set("gateRefused", counters.kernel[BASTION_COUNT_GATE_REFUSED]);
  object.Set("gateUntracked", counters.kernel[BASTION_COUNT_GATE_UNTRACKED]);
  object.Set("gateLost", counters.kernel[BASTION_COUNT_GATE_LOST]);
  object.Set("dnsLost", counters.dnsLost + counters.kernel[BASTION_COUNT_DNS_LOST]);
  object.Set("flowsLost", counters.flowsLost + counters.kernel[BASTION_COUNT_FLOWS_LOST]);
  object.Set("overBudget", counters.kernel[BASTION_COUNT_OVER_BUDGET]);
  object.Set("lineageLost", counters.kernel[BASTION_COUNT_LINEAGE_LOST]);
  object.Set("socketsEnded", counters.reaper.ended);
  object.Set("socketsNotEnded", counters.reaper.failed + counters.reaper.left);
  object.Set("lastTurnNs", bigint(env, counters.lastTurnNs));
  return object;
}

Napi::Object makeHealth(Napi::Env env, const Health& health) {
  auto object = Napi::Object::New(env);
  object.Set("lastTurnNs", bigint(env, health.lastTurnNs));
  object.Set("queue", health.queue);
  object.Set("kernelFault", health.kernelFault);
  return object;
}

Napi::Object makeFeatures(Napi::Env env, const DataPath& path) {
  const KernelPart* kernel = path.kernel();
  auto object = Napi::Object::New(env);
  object.Set("identification", kernel == nullptr ? "sock_diag" : "kernel");
  if (kernel == nullptr) {
    object.Set("xtPrograms", env.Null());
  } else {
    auto programs = Napi::Object::New(env);
    programs.Set("allow", kernel->pinOf("xt_allow"));
    programs.Set("refuse", kernel->pinOf("xt_refuse"));
    programs.Set("hold", kernel->pinOf("xt_hold"));
    programs.Set("reply", kernel->pinOf("xt_reply"));
    object.Set("xtPrograms", programs);
  }
  object.Set("discarded", kernel == nullptr ? "" : kernel->discarded());
  object.Set("missing", makeArray(env, path.missing(), [&](const auto& missing) {
    auto entry = Napi::Object::New(env);
    entry.Set("what", missing.what);
    entry.Set("why", missing.why);
    return entry;
  }));
  return object;
}

Napi::Object makeFileIdentity(Napi::Env env, const FileIdentity& identity) {
  auto object = makeExecutable(env, identity.executable);
  object.Set("uid", identity.uid);
  object.Set("mode", identity.mode);
  object.Set("sizeBytes", identity.sizeBytes);
  return object;
}

}  // namespace bastion
