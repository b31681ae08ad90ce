// SPDX-License-Identifier: GPL-3.0-or-later
// What JavaScript gives, with checks.
#pragma once

#include <napi.h>
#include <string>

#include "common.hpp"

namespace bastion {

/// Reads properties; the first wrong one throws a TypeError in JavaScript and makes every later read void.
class Reader {
 public:
  explicit Reader(Napi::Env env) : env_(env) {}
  bool ok() const { return ok_; }

  Napi::Value property(Napi::Value object, const char* name);
  uint32_t number(Napi::Value object, const char* name, uint32_t smallest, uint32_t largest);
  uint32_t numberOf(Napi::Value value, const char* name, uint32_t smallest, uint32_t largest);
  uint64_t integer(Napi::Value object, const char* name);
  uint64_t integerOf(Napi::Value value, const char* name);
  uint64_t bigint(Napi::Value object, const char* name);
  uint64_t bigintOf(Napi::Value value, const char* name);
  bool boolean(Napi::Value object, const char* name);
  std::string text(Napi::Value object, const char* name, size_t limitBytes);
  std::string textOf(Napi::Value value, const char* name, size_t limitBytes);
  Verdict verdict(Napi::Value value, const char* name);
  Napi::Function function(Napi::Value value, const char* name);
  Napi::Array array(Napi::Value value, const char* name);
  void fail(const std::string& message);

 private:
  Napi::Env env_;
  bool ok_ = true;
};

/// Undefined, null, or a read that failed.
inline bool isNullish(const Napi::Value& value) { return value.IsUndefined() || value.IsNull(); }

}  // namespace bastion
