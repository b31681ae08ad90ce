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
/// BASTION_GATE_ flags.
uint32_t readGate(Reader& reader, Napi::Value value);
Napi::Value makeHits(Napi::Env env, const std::vector<uint64_t>& hits);
Napi::Value makeTraffic(Napi::Env env, const std::vector<Traffic>& traffic);

/// `askMaker` makes an ask out of its parts. At most one report of the queue's state goes into one batch: it is the batch's last event.
Napi::Object makeEvents(Napi::Env env, const Napi::Function& askMaker, const Reports& reports, const QueueReport* queue);
Napi::Object makeCounters(Napi::Env env, const Counters& counters);
Napi::Object makeFeatures(Napi::Env env, const DataPath& path);
Napi::Object makeFileIdentity(Napi::Env env, const FileIdentity& identity);

}  // namespace bastion
