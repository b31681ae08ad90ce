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

Napi::Object makePacket(Napi::Env env, const PacketReport& packet) {
  auto object = Napi::Object::New(env);
  object.Set("timeNs", bigint(env, packet.timeNs));
  object.Set("tuple", makeTuple(env, packet.tuple));
  object.Set("length", packet.length);
  object.Set("interfaceName", packet.interfaceName);
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
    }
    if (!reader.ok()) return {};
    answers.push_back(answer);
  }
  return answers;
}

std::pair<bastion_verdict_key, bastion_verdict> readRemembered(Reader& reader, const Napi::CallbackInfo& parts) {
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

Napi::Object makeEvents(Napi::Env env, const Napi::Function& askMaker, const Reports& reports, const QueueReport* queue) {
  auto object = Napi::Object::New(env);
  object.Set("asks", makeArray(env, reports.asks, [&](const auto& ask) { return makeAsk(env, askMaker, ask); }));
  object.Set("ended", makeArray(env, reports.ended, [&](const auto& end) { return makeEnd(env, end); }));
  object.Set("packets", makeArray(env, reports.packets, [&](const auto& packet) { return makePacket(env, packet); }));
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
  object.Set("lastTurnNs", bigint(env, counters.lastTurnNs));
  return object;
}

Napi::Object makeFeatures(Napi::Env env, const DataPath& path) {
  const KernelPart* kernel = path.kernel();
  const auto pinned = [&](const auto& name) -> Napi::Value { return Napi::String::New(env, name); };
  auto object = Napi::Object::New(env);
  object.Set("identification", kernel == nullptr ? "sock_diag" : "kernel");
  object.Set("xtAllow", kernel == nullptr ? env.Null() : pinned(kernel->xtAllow()));
  object.Set("xtRefuse", kernel == nullptr ? env.Null() : pinned(kernel->xtRefuse()));
  object.Set("missing", makeArray(env, path.missing(), [&](const auto& missing) {
    auto entry = Napi::Object::New(env);
    entry.Set("what", missing.what);
    entry.Set("why", missing.why);
    return entry;
  }));
  return object;
}

Napi::Object makeFileIdentity(Napi::Env env, const FileIdentity& identity) {
  const bastion_executable& executable = identity.executable;
  auto object = Napi::Object::New(env);
  object.Set("device", executable.device);
  object.Set("inode", bigint(env, executable.inode));
  object.Set("generation", executable.generation);
  object.Set("ctimeSec", static_cast<int64_t>(executable.ctime_sec));
  object.Set("uid", identity.uid);
  object.Set("mode", identity.mode);
  object.Set("sizeBytes", identity.sizeBytes);
  return object;
}

}  // namespace bastion
