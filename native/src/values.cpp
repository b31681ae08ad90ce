// SPDX-License-Identifier: GPL-3.0-or-later
#include "values.hpp"

#include <cmath>

namespace bastion {

namespace {

constexpr double largestSafeInteger = 9007199254740991.0;

}  // namespace

/// What a getter threw stays: it is pending, and the TypeError gives way to it.
void Reader::fail(const std::string& message) {
  if (ok_) Napi::TypeError::New(env_, message).ThrowAsJavaScriptException();
  ok_ = false;
}

Napi::Value Reader::property(Napi::Value object, const char* name) {
  if (!ok_) return {};
  const Napi::Value value = object.Type() == napi_object ? object.As<Napi::Object>().Get(name) : Napi::Value();
  if (value.IsEmpty()) fail(std::string(name) + ": an object is expected");
  return value;
}

uint64_t Reader::integer(Napi::Value object, const char* name) { return integerOf(property(object, name), name); }

uint64_t Reader::integerOf(Napi::Value given, const char* name) {
  if (!ok_) return 0;
  const double value = given.IsNumber() ? given.As<Napi::Number>().DoubleValue() : -1;
  if (!(value >= 0 && value <= largestSafeInteger) || value != std::floor(value)) {
    fail(std::string(name) + ": a whole number is expected");
    return 0;
  }
  return static_cast<uint64_t>(value);
}

uint32_t Reader::number(Napi::Value object, const char* name, uint32_t smallest, uint32_t largest) {
  return numberOf(property(object, name), name, smallest, largest);
}

uint32_t Reader::numberOf(Napi::Value given, const char* name, uint32_t smallest, uint32_t largest) {
  const uint64_t value = integerOf(given, name);
  if (ok_ && (value < smallest || value > largest))
    fail(std::string(name) + ": expected " + std::to_string(smallest) + " to " + std::to_string(largest));
  return ok_ ? static_cast<uint32_t>(value) : 0;
}

uint64_t Reader::bigint(Napi::Value object, const char* name) { return bigintOf(property(object, name), name); }

uint64_t Reader::bigintOf(Napi::Value given, const char* name) {
  if (!ok_) return 0;
  bool lossless = false;
  const uint64_t value = given.IsBigInt() ? given.As<Napi::BigInt>().Uint64Value(&lossless) : 0;
  if (!lossless) fail(std::string(name) + ": a bigint of 64 bits without sign is expected");
  return ok_ ? value : 0;
}

bool Reader::boolean(Napi::Value object, const char* name) {
  const Napi::Value given = property(object, name);
  if (ok_ && !given.IsBoolean()) fail(std::string(name) + ": true or false is expected");
  return ok_ && given.As<Napi::Boolean>();
}

std::string Reader::text(Napi::Value object, const char* name, size_t limitBytes) {
  return textOf(property(object, name), name, limitBytes);
}

std::string Reader::textOf(Napi::Value value, const char* name, size_t limitBytes) {
  if (!ok_) return "";
  const bool isText = value.IsString();
  std::string text = isText ? value.As<Napi::String>().Utf8Value() : "";
  if (!isText || text.size() > limitBytes) {
    fail(std::string(name) + ": a text of at most " + std::to_string(limitBytes) + " bytes is expected");
    return "";
  }
  if (text.find('\0') != std::string::npos) fail(std::string(name) + ": no NUL is allowed");
  return text;
}

Verdict Reader::verdict(Napi::Value value, const char* name) {
  const std::string word = textOf(value, name, 16);
  if (word == "accept") return Verdict::accept;
  if (word == "drop") return Verdict::drop;
  if (word != "refuse") fail(std::string(name) + ": accept, refuse or drop is expected");
  return Verdict::refuse;
}

Napi::Function Reader::function(Napi::Value value, const char* name) {
  if (ok_ && !value.IsFunction()) fail(std::string(name) + ": a function is expected");
  return ok_ ? value.As<Napi::Function>() : Napi::Function();
}

Napi::Array Reader::array(Napi::Value value, const char* name) {
  if (ok_ && !value.IsArray()) fail(std::string(name) + ": an array is expected");
  return ok_ ? value.As<Napi::Array>() : Napi::Array();
}

}  // namespace bastion
