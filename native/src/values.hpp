// SPDX-License-Identifier: GPL-3.0-or-later
// Node-API values: reading what JavaScript gives with checks, making what it gets.
#pragma once

#include <initializer_list>
#include <node_api.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common.hpp"

namespace bastion {

/// Reads properties; the first wrong one throws a TypeError in JavaScript and makes every later read void.
class Reader {
 public:
  explicit Reader(napi_env env) : env_(env) {}
  bool ok() const { return ok_; }

  napi_value property(napi_value object, const char* name);
  bool isNullish(napi_value value);
  uint32_t number(napi_value object, const char* name, uint32_t smallest, uint32_t largest);
  uint32_t numberOf(napi_value value, const char* name, uint32_t smallest, uint32_t largest);
  uint64_t integer(napi_value object, const char* name);
  uint64_t integerOf(napi_value value, const char* name);
  uint64_t bigint(napi_value object, const char* name);
  uint64_t bigintOf(napi_value value, const char* name);
  bool boolean(napi_value object, const char* name);
  std::string text(napi_value object, const char* name, size_t limitBytes);
  std::string textOf(napi_value value, const char* name, size_t limitBytes);
  Verdict verdict(napi_value value, const char* name);
  void function(napi_value value, const char* name);
  /// Elements of an array, or nothing.
  std::vector<napi_value> elements(napi_value array, const char* name);
  void fail(const std::string& message);

 private:
  napi_env env_;
  bool ok_ = true;
};

/// Makes objects.
class Maker {
 public:
  explicit Maker(napi_env env) : env_(env) {}

  napi_value object() const;
  napi_value array(size_t length) const;
  napi_value number(double value) const;
  napi_value bigint(uint64_t value) const;
  napi_value text(std::string_view value) const;
  napi_value boolean(bool value) const;
  napi_value undefined() const;
  napi_value null() const;
  napi_value bytes(const std::vector<uint8_t>& value) const;
  /// Nothing if the function threw.
  napi_value call(napi_value function, std::initializer_list<napi_value> arguments) const;
  void set(napi_value object, const char* name, napi_value value) const;
  void setElement(napi_value array, size_t index, napi_value value) const;

 private:
  napi_env env_;
};

}  // namespace bastion
