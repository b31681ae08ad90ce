// SPDX-License-Identifier: GPL-3.0-or-later
#include "values.hpp"

#include <cmath>

namespace bastion {

namespace {

constexpr double largestSafeInteger = 9007199254740991.0;

}  // namespace

void Reader::fail(const std::string& message) {
  if (ok_) napi_throw_type_error(env_, nullptr, message.c_str());
  ok_ = false;
}

napi_value Reader::property(napi_value object, const char* name) {
  napi_value value = nullptr;
  napi_valuetype type = napi_undefined;
  if (!ok_) return nullptr;
  if (napi_typeof(env_, object, &type) != napi_ok || type != napi_object ||
      napi_get_named_property(env_, object, name, &value) != napi_ok)
    fail(std::string(name) + ": an object is expected");
  return value;
}

bool Reader::isNullish(napi_value value) {
  napi_valuetype type = napi_undefined;
  return value == nullptr || napi_typeof(env_, value, &type) != napi_ok || type == napi_undefined || type == napi_null;
}

uint64_t Reader::integer(napi_value object, const char* name) { return integerOf(property(object, name), name); }

uint64_t Reader::integerOf(napi_value given, const char* name) {
  double value = 0;
  if (!ok_) return 0;
  if (napi_get_value_double(env_, given, &value) != napi_ok || !(value >= 0 && value <= largestSafeInteger) ||
      value != std::floor(value)) {
    fail(std::string(name) + ": a whole number is expected");
    return 0;
  }
  return static_cast<uint64_t>(value);
}

uint32_t Reader::number(napi_value object, const char* name, uint32_t smallest, uint32_t largest) {
  return numberOf(property(object, name), name, smallest, largest);
}

uint32_t Reader::numberOf(napi_value given, const char* name, uint32_t smallest, uint32_t largest) {
  const uint64_t value = integerOf(given, name);
  if (ok_ && (value < smallest || value > largest))
    fail(std::string(name) + ": expected " + std::to_string(smallest) + " to " + std::to_string(largest));
  return ok_ ? static_cast<uint32_t>(value) : 0;
}

uint64_t Reader::bigint(napi_value object, const char* name) { return bigintOf(property(object, name), name); }

uint64_t Reader::bigintOf(napi_value given, const char* name) {
  uint64_t value = 0;
  bool lossless = false;
  if (ok_ && (napi_get_value_bigint_uint64(env_, given, &value, &lossless) != napi_ok || !lossless))
    fail(std::string(name) + ": a bigint of 64 bits without sign is expected");
  return ok_ ? value : 0;
}

bool Reader::boolean(napi_value object, const char* name) {
  const napi_value given = property(object, name);
  bool value = false;
  if (ok_ && napi_get_value_bool(env_, given, &value) != napi_ok) fail(std::string(name) + ": true or false is expected");
  return value;
}

std::string Reader::text(napi_value object, const char* name, size_t limitBytes) {
  return textOf(property(object, name), name, limitBytes);
}

std::string Reader::textOf(napi_value value, const char* name, size_t limitBytes) {
  size_t length = 0;
  if (!ok_) return "";
  if (napi_get_value_string_utf8(env_, value, nullptr, 0, &length) != napi_ok || length > limitBytes) {
    fail(std::string(name) + ": a text of at most " + std::to_string(limitBytes) + " bytes is expected");
    return "";
  }
  std::string text(length, '\0');
  napi_get_value_string_utf8(env_, value, text.data(), length + 1, &length);
  if (text.find('\0') != std::string::npos) fail(std::string(name) + ": no NUL is allowed");
  return text;
}

Verdict Reader::verdict(napi_value value, const char* name) {
  const std::string word = textOf(value, name, 16);
  if (word == "accept") return Verdict::accept;
  if (word == "drop") return Verdict::drop;
  if (word != "refuse") fail(std::string(name) + ": accept, refuse or drop is expected");
  return Verdict::refuse;
}

void Reader::function(napi_value value, const char* name) {
  napi_valuetype type = napi_undefined;
  if (ok_ && (napi_typeof(env_, value, &type) != napi_ok || type != napi_function))
    fail(std::string(name) + ": a function is expected");
}

std::vector<napi_value> Reader::elements(napi_value array, const char* name) {
  uint32_t length = 0;
  if (!ok_) return {};
  if (napi_get_array_length(env_, array, &length) != napi_ok) {
    fail(std::string(name) + ": an array is expected");
    return {};
  }
  std::vector<napi_value> values(length);
  for (uint32_t i = 0; i < length; i += 1) napi_get_element(env_, array, i, &values[i]);
  return values;
}

napi_value Maker::object() const {
  napi_value value = nullptr;
  napi_create_object(env_, &value);
  return value;
}

napi_value Maker::array(size_t length) const {
  napi_value value = nullptr;
  napi_create_array_with_length(env_, length, &value);
  return value;
}

napi_value Maker::number(double value) const {
  napi_value result = nullptr;
  napi_create_double(env_, value, &result);
  return result;
}

napi_value Maker::bigint(uint64_t value) const {
  napi_value result = nullptr;
  napi_create_bigint_uint64(env_, value, &result);
  return result;
}

napi_value Maker::text(std::string_view value) const {
  napi_value result = nullptr;
  napi_create_string_utf8(env_, value.data(), value.size(), &result);
  return result;
}

napi_value Maker::boolean(bool value) const {
  napi_value result = nullptr;
  napi_get_boolean(env_, value, &result);
  return result;
}

napi_value Maker::undefined() const {
  napi_value result = nullptr;
  napi_get_undefined(env_, &result);
  return result;
}

napi_value Maker::null() const {
  napi_value result = nullptr;
  napi_get_null(env_, &result);
  return result;
}

napi_value Maker::bytes(const std::vector<uint8_t>& value) const {
  void* memory = nullptr;
  napi_value buffer = nullptr;
  napi_value result = nullptr;
  napi_create_arraybuffer(env_, value.size(), &memory, &buffer);
  if (!value.empty()) memcpy(memory, value.data(), value.size());
  napi_create_typedarray(env_, napi_uint8_array, value.size(), buffer, 0, &result);
  return result;
}

napi_value Maker::call(napi_value function, std::initializer_list<napi_value> arguments) const {
  napi_value result = nullptr;
  napi_call_function(env_, undefined(), function, arguments.size(), arguments.begin(), &result);
  return result;
}

void Maker::set(napi_value object, const char* name, napi_value value) const {
  napi_set_named_property(env_, object, name, value);
}

void Maker::setElement(napi_value array, size_t index, napi_value value) const {
  napi_set_element(env_, array, static_cast<uint32_t>(index), value);
}

}  // namespace bastion
