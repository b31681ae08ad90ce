// SPDX-License-Identifier: GPL-3.0-or-later
// Between the data path's structures and the shapes of native/binding.ts.
#pragma once

#include "data_path.hpp"
#include "file_identity.hpp"
#include "values.hpp"

namespace bastion {

Options readOptions(Reader& reader, Napi::Value value);
std::vector<Answer> readAnswers(Reader& reader, Napi::Value value);
/// In the order of `RememberedParts` in native/binding.ts.
RememberedProgram readProgram(Reader& reader, const Napi::CallbackInfo& info);
RememberedFlow readFlow(Reader& reader, const Napi::CallbackInfo& info);
/// Its four parts, from argument number `first` on.
bastion_executable readExecutable(Reader& reader, const Napi::CallbackInfo& info, size_t first);
/// BASTION_GATE_ flags.
uint32_t readGate(Reader& reader, Napi::Value value);
Napi::Object makeExecutable(Napi::Env env, const bastion_executable& executable);
Napi::Value makeHits(Napi::Env env, const std::vector<uint64_t>& hits);
Napi::Value makeTraffic(Napi::Env env, const std::vector<Traffic>& traffic);

/// Make an ask, or an event of a connection, out of its parts.
struct Makers {
  Napi::Function ask;
  Napi::Function flow;
};

/// At most one report of the queue's state goes into one batch: it is the batch's last event.
Napi::Object makeEvents(Napi::Env env, const Makers& makers, const Reports& reports, const QueueReport* queue);
Napi::Object makeCounters(Napi::Env env, const Counters& counters);
Napi::Object makeHealth(Napi::Env env, const Health& health);
Napi::Object makeFeatures(Napi::Env env, const DataPath& path);
Napi::Object makeFileIdentity(Napi::Env env, const FileIdentity& identity);

}  // namespace bastion
