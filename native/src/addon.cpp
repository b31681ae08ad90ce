// SPDX-License-Identifier: GPL-3.0-or-later
// The module: what native/binding.ts declares.
#include <malloc.h>

#include <memory>

#include "base_rules.hpp"
#include "convert.hpp"
#include "lineage_node.hpp"
#include "link_watch_node.hpp"
#include "netfilter_watch_node.hpp"
#include "folder_lock.hpp"
#include "journal.hpp"
#include "notify.hpp"
#include "waker.hpp"

namespace bastion {

namespace {

constexpr size_t pathBytes = 4096;
constexpr size_t stateBytes = 4096;
constexpr size_t journalEntryBytes = 65'536;

struct Session;
void onEnvironmentEnd(Session* session);

/// One opened data path and its way into JavaScript. Lives as long as the environment: methods may be called after close.
struct Session {
  std::shared_ptr<Waker> waker;
  Napi::FunctionReference askMaker;
  Napi::FunctionReference flowMaker;
  Napi::Env::CleanupHook<decltype(&onEnvironmentEnd), Session> atEnd;
  std::unique_ptr<DataPath> path;
  /// What `replaceAll` will take.
  std::vector<RememberedProgram> programs;
  std::vector<RememberedFlow> flows;
};

/// Lives as long as the environment.
struct Instance {
  std::vector<std::unique_ptr<Session>> sessions;
  /// Begun by `loadAhead`, until `open` takes it.
  std::unique_ptr<KernelLoad> ahead;
};

Instance& instanceOf(Napi::Env env) { return *env.GetInstanceData<Instance>(); }

Session& sessionOf(const Napi::CallbackInfo& info) { return *static_cast<Session*>(info.Data()); }

DataPath& pathOf(const Napi::CallbackInfo& info) { return *sessionOf(info).path; }

void closeSession(Session& session, bool unpin) {
  if (session.path) session.path->close(unpin);
  if (session.waker) session.waker->close();
}

/// Runs before the environment takes its thread-safe functions down: no thread of ours may call one after that.
void onEnvironmentEnd(Session* session) { closeSession(*session, false); }

void callBack(Napi::Env env, const Session& session, const Napi::Function& callback, const Reports& reports, const QueueReport* queue) {
  const Napi::HandleScope scope(env);
  callFromLoop(env, callback, makeEvents(env, {session.askMaker.Value(), session.flowMaker.Value()}, reports, queue));
}

void deliver(Napi::Env env, const Napi::Function& callback, const Session& session) {
  if (!session.path) return;
  Reports reports = session.path->takeReports();
  if (reports.empty()) return;
  // What the queue's state was at the end of a batch is told with it; earlier changes go ahead, one call each.
  const Reports none;
  for (size_t i = 0; i + 1 < reports.queue.size(); i += 1) callBack(env, session, callback, none, &reports.queue[i]);
  callBack(env, session, callback, reports, reports.queue.empty() ? nullptr : &reports.queue.back());
}

Napi::Value answer(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const auto answers = readAnswers(reader, info[0]);
  return reader.ok() ? Napi::Value::From(info.Env(), pathOf(info).answer(answers)) : Napi::Value();
}

void remember(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const RememberedProgram entry = readProgram(reader, info);
  if (reader.ok()) pathOf(info).remember(entry);
}

void addProgram(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const RememberedProgram entry = readProgram(reader, info);
  if (reader.ok() && sessionOf(info).programs.size() < BASTION_MAX_VERDICTS) sessionOf(info).programs.push_back(entry);
}

void addFlow(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const RememberedFlow entry = readFlow(reader, info);
  if (reader.ok() && sessionOf(info).flows.size() < BASTION_MAX_FLOWS) sessionOf(info).flows.push_back(entry);
}

void replaceAll(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const auto programs = std::exchange(sessionOf(info).programs, {});
  const auto flows = std::exchange(sessionOf(info).flows, {});
  const uint64_t policy = reader.bigintOf(info[0], "policy");
  if (reader.ok()) pathOf(info).replaceAll(programs, flows, policy);
}

Napi::Value adopt(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const uint64_t policy = reader.bigintOf(info[0], "policy");
  return reader.ok() ? Napi::Value::From(info.Env(), pathOf(info).adopt(policy)) : Napi::Value();
}

void setGate(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const uint32_t flags = readGate(reader, info[0]);
  if (reader.ok()) pathOf(info).setGate(flags);
}

void setTellFlows(const Napi::CallbackInfo& info) {
  pathOf(info).setTellFlows(info[0].IsBoolean() && info[0].As<Napi::Boolean>());
}

Napi::Value leaveFlows(const Napi::CallbackInfo& info) {
  const Session& session = sessionOf(info);
  Reports reports;
  reports.flows = session.path->leaveFlows();
  return makeEvents(info.Env(), {session.askMaker.Value(), session.flowMaker.Value()}, reports, nullptr).Get("flows");
}

void setRecorder(const Napi::CallbackInfo& info) {
  pathOf(info).setRecorder(info[0].IsBoolean() && info[0].As<Napi::Boolean>());
}

Napi::Value generation(const Napi::CallbackInfo& info) { return Napi::Value::From(info.Env(), pathOf(info).generation()); }

Napi::Value hits(const Napi::CallbackInfo& info) { return makeHits(info.Env(), pathOf(info).hits()); }

Napi::Value traffic(const Napi::CallbackInfo& info) { return makeTraffic(info.Env(), pathOf(info).traffic()); }

Napi::Value processImage(const Napi::CallbackInfo& info) { return findProcessImage(info, pathOf(info)); }

Napi::Value processRecord(const Napi::CallbackInfo& info) { return findProcessRecord(info, pathOf(info)); }

void setDefaultVerdict(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const Verdict verdict = reader.verdict(info[0], "verdict");
  if (reader.ok()) pathOf(info).setDefaultVerdict(verdict);
}

void setAnswerDeadlineMs(const Napi::CallbackInfo& info) {
  const double ms = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (ms >= 1 && ms <= 24.0 * 3600 * 1000)
    pathOf(info).setAnswerDeadlineMs(static_cast<uint32_t>(ms));
  else
    Napi::RangeError::New(info.Env(), "ms: expected 1 to 86400000").ThrowAsJavaScriptException();
}

void setPacketTrace(const Napi::CallbackInfo& info) {
  pathOf(info).setPacketTrace(info[0].IsBoolean() && info[0].As<Napi::Boolean>());
}

Napi::Value counters(const Napi::CallbackInfo& info) { return makeCounters(info.Env(), pathOf(info).counters()); }

Napi::Value health(const Napi::CallbackInfo& info) { return makeHealth(info.Env(), pathOf(info).health()); }

Napi::Value lostPins(const Napi::CallbackInfo& info) {
  const auto lost = pathOf(info).lostPins();
  auto names = Napi::Array::New(info.Env(), lost.size());
  for (uint32_t i = 0; i < lost.size(); i += 1) names.Set(i, lost[i]);
  return names;
}

Napi::Value mendPins(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), pathOf(info).mendPins()); }

Napi::Value lockFolder(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const std::string path = reader.textOf(info[0], "path", pathBytes);
  if (!reader.ok()) return Napi::Value();
  std::string why;
  const bastion::FolderLock lock = bastion::lockFolder(path, why);
  if (lock == bastion::FolderLock::failed) {
    Napi::Error::New(info.Env(), why).ThrowAsJavaScriptException();
    return Napi::Value();
  }
  return Napi::Boolean::New(info.Env(), lock == bastion::FolderLock::ours);
}

void removePins(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const std::string pinPath = reader.textOf(info[0], "pinPath", pathBytes / 2);
  if (!reader.ok()) return;
  // It would make folders and pins anew.
  instanceOf(info.Env()).ahead.reset();
  KernelPart::removePins(pinPath);
}

void loadAhead(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const std::string objectPath = reader.textOf(info[0], "objectPath", pathBytes);
  const std::string pinPath = reader.textOf(info[1], "pinPath", pathBytes / 2);
  if (reader.ok()) instanceOf(info.Env()).ahead = KernelLoad::begin(objectPath, pinPath);
}

Napi::Value closePath(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const bool unpin = reader.boolean(info[0], "unpin");
  if (!reader.ok()) return {};
  auto& session = *static_cast<Session*>(info.Data());
  if (!session.atEnd.IsEmpty()) session.atEnd.Remove(info.Env());
  closeSession(session, unpin);
  const auto closed = Napi::Promise::Deferred::New(info.Env());
  closed.Resolve(info.Env().Undefined());
  return closed.Promise();
}

template <auto callback>
void setMethod(Napi::Object object, const char* name, Session* session = nullptr) {
  object.Set(name, Napi::Function::New<callback>(object.Env(), name, session));
}

Napi::Object makeDataPath(Napi::Env env, Session* session) {
  auto object = Napi::Object::New(env);
  object.Set("features", makeFeatures(env, *session->path));
  setMethod<answer>(object, "answer", session);
  setMethod<remember>(object, "remember", session);
  setMethod<addProgram>(object, "addProgram", session);
  setMethod<addFlow>(object, "addFlow", session);
  setMethod<replaceAll>(object, "replaceAll", session);
  setMethod<adopt>(object, "adopt", session);
  setMethod<setGate>(object, "setGate", session);
  setMethod<setTellFlows>(object, "setTellFlows", session);
  setMethod<leaveFlows>(object, "leaveFlows", session);
  setMethod<setRecorder>(object, "setRecorder", session);
  setMethod<generation>(object, "generation", session);
  setMethod<hits>(object, "hits", session);
  setMethod<traffic>(object, "traffic", session);
  setMethod<processImage>(object, "processImage", session);
  setMethod<processRecord>(object, "processRecord", session);
  setMethod<setDefaultVerdict>(object, "setDefaultVerdict", session);
  setMethod<setAnswerDeadlineMs>(object, "setAnswerDeadlineMs", session);
  setMethod<setPacketTrace>(object, "setPacketTrace", session);
  setMethod<counters>(object, "counters", session);
  setMethod<health>(object, "health", session);
  setMethod<lostPins>(object, "lostPins", session);
  setMethod<mendPins>(object, "mendPins", session);
  setMethod<closePath>(object, "close", session);
  return object;
}

void throwError(Napi::Env env, const char* code, const std::string& text) {
  const auto error = Napi::Error::New(env, text);
  error.Value().Set("code", code);
  error.ThrowAsJavaScriptException();
}

void throwQueueError(Napi::Env env, const QueueError& error) {
  throwError(env, error.code == EBUSY ? "EBUSY" : error.code == EPERM || error.code == EACCES ? "EPERM" : "EIO", error.text);
}

Napi::Value open(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Reader reader(env);
  const Options options = readOptions(reader, info[0]);
  const Napi::Function onEvents = reader.function(info[1], "onEvents");
  const Napi::Function askMaker = reader.function(info[2], "makeAsk");
  const Napi::Function flowMaker = reader.function(info[3], "makeFlow");
  if (!reader.ok()) return {};
  auto session = std::make_unique<Session>();
  Session* self = session.get();
  self->askMaker = Napi::Persistent(askMaker);
  self->flowMaker = Napi::Persistent(flowMaker);
  self->waker = Waker::make(
      env, onEvents, "bastion events", [self](Napi::Env loop, const Napi::Function& told) { deliver(loop, told, *self); });
  if (!self->waker) {
    throwError(env, "EIO", "cannot make the way for events");
    return {};
  }
  // The waker refers to the session until the loop has closed it.
  instanceOf(env).sessions.push_back(std::move(session));
  QueueError error;
  self->path = DataPath::open(options, std::move(instanceOf(env).ahead), [waker = self->waker.get()] { waker->wake(); }, error);
  if (!self->path) {
    closeSession(*self, false);
    throwQueueError(env, error);
    return {};
  }
  self->atEnd = env.AddCleanupHook(onEnvironmentEnd, self);
  return makeDataPath(env, self);
}

Napi::Value fileIdentity(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const std::string path = reader.textOf(info[0], "path", pathBytes);
  if (!reader.ok()) return {};
  const auto identity = identifyFile(path);
  return identity ? makeFileIdentity(info.Env(), *identity) : info.Env().Null();
}

Napi::Value bootTime(const Napi::CallbackInfo& info) { return Napi::BigInt::New(info.Env(), bootNs()); }

/// In a thread of the pool: memory in many pieces takes tens of milliseconds.
class Release : public Napi::AsyncWorker {
 public:
  explicit Release(Napi::Env env) : AsyncWorker(env), released_(Napi::Promise::Deferred::New(env)) {}
  Napi::Promise promise() const { return released_.Promise(); }

 private:
  void Execute() override { malloc_trim(0); }
  void OnOK() override { released_.Resolve(Env().Undefined()); }

  Napi::Promise::Deferred released_;
};

Napi::Value releaseMemory(const Napi::CallbackInfo& info) {
  auto* work = new Release(info.Env());
  work->Queue();
  return work->promise();
}

Napi::Value notify(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const std::string state = reader.textOf(info[0], "state", stateBytes);
  return reader.ok() ? Napi::Value::From(info.Env(), notifyManager(state)) : Napi::Value();
}

Napi::Value journal(const Napi::CallbackInfo& info) {
  Reader reader(info.Env());
  const std::string path = reader.textOf(info[0], "path", pathBytes);
  const std::string entry = reader.textOf(info[1], "entry", journalEntryBytes);
  return reader.ok() ? Napi::Value::From(info.Env(), sendToJournal(path, entry)) : Napi::Value();
}

Napi::Value namespaceCookie(const Napi::CallbackInfo& info) { return Napi::BigInt::New(info.Env(), networkNamespaceCookie()); }

Napi::Value removeBaseRules(const Napi::CallbackInfo& info) {
  std::string why;
  const BaseRules outcome = bastion::removeBaseRules(why);
  if (outcome == BaseRules::failed) {
    Napi::Error::New(info.Env(), why).ThrowAsJavaScriptException();
    return {};
  }
  return Napi::Boolean::New(info.Env(), outcome == BaseRules::removed);
}

Napi::Object start(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Instance());
  setMethod<open>(exports, "open");
  setMethod<fileIdentity>(exports, "fileIdentity");
  setMethod<bootTime>(exports, "bootNs");
  setMethod<releaseMemory>(exports, "releaseMemory");
  setMethod<notify>(exports, "notify");
  setMethod<journal>(exports, "journal");
  setMethod<namespaceCookie>(exports, "networkNamespaceCookie");
  setMethod<lockFolder>(exports, "lockFolder");
  setMethod<watchNetfilter>(exports, "watchNetfilter");
  setMethod<watchLinks>(exports, "watchLinks");
  setMethod<removeBaseRules>(exports, "removeBaseRules");
  setMethod<removePins>(exports, "removePins");
  setMethod<loadAhead>(exports, "loadAhead");
  return exports;
}

}  // namespace

NODE_API_MODULE(bastion, start)

}  // namespace bastion
