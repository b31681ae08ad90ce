// SPDX-License-Identifier: GPL-3.0-or-later
#include "lineage_node.hpp"

#include "convert.hpp"

namespace bastion {

namespace {

Napi::Value textOrNull(Napi::Env env, const std::string& text) {
  return text.empty() ? env.Null() : Napi::String::New(env, text);
}

Napi::Value makeExec(Napi::Env env, const std::optional<ExecRecord>& exec) {
  if (!exec) return env.Null();
  auto given = Napi::Array::New(env, exec->arguments.size());
  for (uint32_t i = 0; i < exec->arguments.size(); i += 1) given.Set(i, exec->arguments[i]);
  auto object = Napi::Object::New(env);
  object.Set("filename", textOrNull(env, exec->filename));
  object.Set("interpreter", textOrNull(env, exec->interpreter));
  object.Set("isScript", exec->isScript);
  object.Set("arguments", given);
  object.Set("truncated", exec->truncated);
  object.Set("workingDirectory", textOrNull(env, exec->workingDirectory));
  return object;
}

Napi::Object makeImage(Napi::Env env, const ImageRecord& image, const std::string& path) {
  auto object = Napi::Object::New(env);
  object.Set("pid", image.pid);
  object.Set("startNs", Napi::BigInt::New(env, image.startNs));
  object.Set("executable", makeExecutable(env, image.executable));
  object.Set("path", textOrNull(env, path));
  object.Set("command", image.command);
  object.Set("adopted", image.adopted);
  object.Set("exec", makeExec(env, image.exec));
  return object;
}

}  // namespace

Napi::Value findProcessImage(const Napi::CallbackInfo& info, DataPath& path) {
  Reader reader(info.Env());
  const uint32_t pid = reader.numberOf(info[0], "pid", 0, UINT32_MAX);
  const uint64_t startNs = reader.bigintOf(info[1], "startNs");
  if (!reader.ok()) return {};
  const auto process = path.process(pid, startNs);
  if (!process) return info.Env().Null();
  const bool gap = (process->flags & BASTION_PROCESS_GAP) != 0;
  return Napi::String::New(info.Env(), std::to_string(process->image.time_ns) + "/" + std::to_string(process->image.pid) + (gap ? "?" : ""));
}

Napi::Value findProcessRecord(const Napi::CallbackInfo& info, DataPath& path) {
  Napi::Env env = info.Env();
  Reader reader(env);
  const uint32_t pid = reader.numberOf(info[0], "pid", 0, UINT32_MAX);
  const uint64_t startNs = reader.bigintOf(info[1], "startNs");
  const bool withExecutable = info.Length() > 2;
  const bastion_executable ran = withExecutable ? readExecutable(reader, info, 2) : bastion_executable{};
  if (!reader.ok()) return {};
  const auto found = path.processRecord(pid, startNs, withExecutable ? &ran : nullptr);
  if (!found) return env.Null();
  auto ancestors = Napi::Array::New(env, found->record.ancestors.size());
  for (uint32_t i = 0; i < found->record.ancestors.size(); i += 1)
    ancestors.Set(i, makeImage(env, found->record.ancestors[i], found->paths[i]));
  auto object = Napi::Object::New(env);
  object.Set("image", found->record.image ? makeImage(env, *found->record.image, found->path) : env.Null());
  object.Set("ancestors", ancestors);
  object.Set("complete", found->record.complete);
  return object;
}

}  // namespace bastion
