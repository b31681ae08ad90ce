// SPDX-License-Identifier: GPL-3.0-or-later
#include "common.hpp"

#include <sys/random.h>

namespace bastion {

namespace {

uint64_t makeSeed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) seed = bootNs() * 0x9e3779b97f4a7c15ULL;
  return seed;
}

uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a ^ 0x9e3779b97f4a7c15ULL) * (b | 1);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

uint64_t seededHash(const void* data, size_t size) {
  static const uint64_t seed = makeSeed();
  const auto* bytes = static_cast<const unsigned char*>(data);
  uint64_t hash = seed ^ size;
  while (size > 0) {
    uint64_t word = 0;
    const size_t part = size < sizeof word ? size : sizeof word;
    memcpy(&word, bytes, part);
    hash = mix(hash ^ word, seed);
    bytes += part;
    size -= part;
  }
  return mix(hash, seed);
}

}  // namespace bastion
