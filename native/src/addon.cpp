// SPDX-License-Identifier: GPL-3.0-or-later
// The module: what native/binding.ts declares.
#include <memory>

#include "convert.hpp"
#include "notify.hpp"

namespace bastion {

namespace {

constexpr size_t pathBytes = 4096;
constexpr size_t stateBytes = 4096;

/// One opened data path and its way into JavaScript. Lives as long as the environment: methods may be called after close.
struct Session {
  napi_env env = nullptr;
  napi_threadsafe_function tell = nullptr;
  napi_ref askMaker = nullptr;
  std::unique_ptr<DataPath> path;
};

using Sessions = std::vector<std::unique_ptr<Session>>;

struct Call {
  Session* session = nullptr;
  napi_value argument = nullptr;
};

void closeSession(Session& session, bool unpin) {
  if (session.path) session.path->close(unpin);
  if (session.tell != nullptr) napi_release_threadsafe_function(session.tell, napi_tsfn_abort);
  session.tell = nullptr;
}

/// Runs before the environment takes its thread-safe functions down: no thread of ours may call one after that.
void onEnvironmentEnd(void* data) { closeSession(*static_cast<Session*>(data), false); }

void callBack(napi_env env, const Session& session, napi_value callback, const Reports& reports, const QueueReport* queue) {
  napi_handle_scope scope = nullptr;
  napi_value askMaker = nullptr;
  napi_open_handle_scope(env, &scope);
  napi_get_reference_value(env, session.askMaker, &askMaker);
  const Maker make(env);
  make.call(callback, {makeEvents(make, askMaker, reports, queue)});
  bool thrown = false;
  if (napi_is_exception_pending(env, &thrown) == napi_ok && thrown) {
    napi_value error = nullptr;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

void deliver(napi_env env, napi_value callback, void* context, void*) {
  auto* session = static_cast<Session*>(context);
  if (env == nullptr || callback == nullptr || !session->path) return;
  Reports reports = session->path->takeReports();
  if (reports.empty()) return;
  // What the queue's state was at the end of a batch is told with it; earlier changes go ahead, one call each.
  const Reports none;
  for (size_t i = 0; i + 1 < reports.queue.size(); i += 1) callBack(env, *session, callback, none, &reports.queue[i]);
  callBack(env, *session, callback, reports, reports.queue.empty() ? nullptr : &reports.queue.back());
}

Call callOf(napi_env env, napi_callback_info info) {
  Call call;
  size_t count = 1;
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, &call.argument, nullptr, &data);
  call.session = static_cast<Session*>(data);
  return call;
}

napi_value answer(napi_env env, napi_callback_info info) {
  const Call call = callOf(env, info);
  Reader reader(env);
  const auto answers = readAnswers(reader, call.argument);
  return reader.ok() ? Maker(env).number(call.session->path->answer(answers)) : nullptr;
}

napi_value remember(napi_env env, napi_callback_info info) {
  RememberedParts parts{};
  size_t count = parts.size();
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, parts.data(), nullptr, &data);
  Reader reader(env);
  const auto [key, verdict] = readRemembered(reader, parts);
  if (reader.ok()) static_cast<Session*>(data)->path->remember(key, verdict);
  return nullptr;
}

napi_value forgetAll(napi_env env, napi_callback_info info) {
  callOf(env, info).session->path->forgetAll();
  return nullptr;
}

napi_value setDefaultVerdict(napi_env env, napi_callback_info info) {
  const Call call = callOf(env, info);
  Reader reader(env);
  const Verdict verdict = reader.verdict(call.argument, "verdict");
  if (reader.ok()) call.session->path->setDefaultVerdict(verdict);
  return nullptr;
}

napi_value setAnswerDeadlineMs(napi_env env, napi_callback_info info) {
  const Call call = callOf(env, info);
  double ms = 0;
  if (napi_get_value_double(env, call.argument, &ms) != napi_ok || !(ms >= 1 && ms <= 24.0 * 3600 * 1000))
    napi_throw_range_error(env, nullptr, "ms: expected 1 to 86400000");
  else
    call.session->path->setAnswerDeadlineMs(static_cast<uint32_t>(ms));
  return nullptr;
}

napi_value setPacketTrace(napi_env env, napi_callback_info info) {
  const Call call = callOf(env, info);
  bool on = false;
  napi_get_value_bool(env, call.argument, &on);
  call.session->path->setPacketTrace(on);
  return nullptr;
}

napi_value counters(napi_env env, napi_callback_info info) {
  return makeCounters(Maker(env), callOf(env, info).session->path->counters());
}

napi_value closePath(napi_env env, napi_callback_info info) {
  const Call call = callOf(env, info);
  Reader reader(env);
  const bool unpin = reader.boolean(call.argument, "unpin");
  if (!reader.ok()) return nullptr;
  if (call.session->tell != nullptr) napi_remove_env_cleanup_hook(env, onEnvironmentEnd, call.session);
  closeSession(*call.session, unpin);
  napi_deferred deferred = nullptr;
  napi_value promise = nullptr;
  napi_value undefined = nullptr;
  napi_create_promise(env, &deferred, &promise);
  napi_get_undefined(env, &undefined);
  napi_resolve_deferred(env, deferred, undefined);
  return promise;
}

void setMethod(napi_env env, napi_value object, const char* name, napi_callback callback, void* data) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, data, &function);
  napi_set_named_property(env, object, name, function);
}

napi_value makeDataPath(napi_env env, Session* session) {
  const napi_value object = Maker(env).object();
  napi_set_named_property(env, object, "features", makeFeatures(Maker(env), *session->path));
  setMethod(env, object, "answer", answer, session);
  setMethod(env, object, "remember", remember, session);
  setMethod(env, object, "forgetAll", forgetAll, session);
  setMethod(env, object, "setDefaultVerdict", setDefaultVerdict, session);
  setMethod(env, object, "setAnswerDeadlineMs", setAnswerDeadlineMs, session);
  setMethod(env, object, "setPacketTrace", setPacketTrace, session);
  setMethod(env, object, "counters", counters, session);
  setMethod(env, object, "close", closePath, session);
  return object;
}

void throwQueueError(napi_env env, const QueueError& error) {
  const char* code = error.code == EBUSY ? "EBUSY" : error.code == EPERM || error.code == EACCES ? "EPERM" : "EIO";
  napi_throw_error(env, code, error.text.c_str());
}

napi_value open(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value arguments[3] = {};
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
  Reader reader(env);
  const Options options = readOptions(reader, arguments[0]);
  reader.function(arguments[1], "onEvents");
  reader.function(arguments[2], "makeAsk");
  if (!reader.ok()) return nullptr;
  auto session = std::make_unique<Session>();
  Session* self = session.get();
  self->env = env;
  napi_create_reference(env, arguments[2], 1, &self->askMaker);
  if (napi_create_threadsafe_function(env, arguments[1], nullptr, Maker(env).text("bastion events"), 0, 1, nullptr, nullptr, self,
                                      deliver, &self->tell) != napi_ok) {
    napi_throw_error(env, "EIO", "cannot make the way for events");
    return nullptr;
  }
  napi_unref_threadsafe_function(env, self->tell);
  QueueError error;
  self->path = DataPath::open(options, [self] { napi_call_threadsafe_function(self->tell, nullptr, napi_tsfn_nonblocking); }, error);
  if (!self->path) {
    closeSession(*self, false);
    // The thread-safe function still refers to the session until the loop has closed it.
    static_cast<Sessions*>(data)->push_back(std::move(session));
    throwQueueError(env, error);
    return nullptr;
  }
  napi_add_env_cleanup_hook(env, onEnvironmentEnd, self);
  static_cast<Sessions*>(data)->push_back(std::move(session));
  return makeDataPath(env, self);
}

napi_value fileIdentity(napi_env env, napi_callback_info info) {
  const Call call = callOf(env, info);
  Reader reader(env);
  const std::string path = reader.textOf(call.argument, "path", pathBytes);
  if (!reader.ok()) return nullptr;
  const auto identity = identifyFile(path);
  return identity ? makeFileIdentity(Maker(env), *identity) : Maker(env).null();
}

napi_value bootTime(napi_env env, napi_callback_info) { return Maker(env).bigint(bootNs()); }

napi_value notify(napi_env env, napi_callback_info info) {
  const Call call = callOf(env, info);
  Reader reader(env);
  const std::string state = reader.textOf(call.argument, "state", stateBytes);
  return reader.ok() ? Maker(env).boolean(notifyManager(state)) : nullptr;
}

napi_value namespaceCookie(napi_env env, napi_callback_info) { return Maker(env).bigint(networkNamespaceCookie()); }

}  // namespace

}  // namespace bastion

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */) {
  using namespace bastion;
  auto* sessions = new Sessions();
  napi_set_instance_data(env, sessions, [](napi_env, void* data, void*) { delete static_cast<Sessions*>(data); }, nullptr);
  setMethod(env, exports, "open", open, sessions);
  setMethod(env, exports, "fileIdentity", fileIdentity, sessions);
  setMethod(env, exports, "bootNs", bootTime, sessions);
  setMethod(env, exports, "notify", notify, sessions);
  setMethod(env, exports, "networkNamespaceCookie", namespaceCookie, sessions);
  return exports;
}
