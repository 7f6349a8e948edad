// Four lanes take eight bytes each in turn, so that four multiplications are under way at once. The
// lanes are then folded into one word, the bytes that are left are mixed in, and the last lines
// spread every bit over the whole word. Each step is a bijection of its lane, so a change in one
// place cannot be lost on the way. The constants are the format's.
#include "service/engine/kv_checksum.h"

#include <array>
#include <bit>
#include <cstring>

namespace notso {
namespace {

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87ULL;
constexpr std::uint64_t kPrime2 = 0xC2B2AE3D27D4EB4FULL;
constexpr std::uint64_t kPrime3 = 0x165667B19E3779F9ULL;
constexpr std::uint64_t kPrime4 = 0x85EBCA77C2B2AE63ULL;
constexpr std::uint64_t kPrime5 = 0x27D4EB2F165667C5ULL;

template <class Word>
Word load(const std::byte* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

std::uint64_t mix(std::uint64_t lane, std::uint64_t word) {
  return std::rotl(lane + word * kPrime2, 31) * kPrime1;
}

// The tail: fewer than 32 bytes.
std::uint64_t mix_rest(std::uint64_t hash, std::span<const std::byte> rest) {
  while (rest.size() >= 8) {
    hash = std::rotl(hash ^ mix(0, load<std::uint64_t>(rest.data())), 27) * kPrime1 + kPrime4;
    rest = rest.subspan(8);
  }
  if (rest.size() >= 4) {
    hash = std::rotl(hash ^ (load<std::uint32_t>(rest.data()) * kPrime1), 23) * kPrime2 + kPrime3;
    rest = rest.subspan(4);
  }
  for (const std::byte byte : rest) {
    hash = std::rotl(hash ^ (std::to_integer<std::uint64_t>(byte) * kPrime5), 11) * kPrime1;
  }
  return hash;
}

}  // namespace

std::uint64_t kv_checksum(std::span<const std::byte> bytes) {
  const std::uint64_t size = bytes.size();
  std::uint64_t hash = kPrime5;
  if (size >= 32) {
    std::array<std::uint64_t, 4> lanes = {kPrime1 + kPrime2, kPrime2, 0, 0 - kPrime1};
    for (; bytes.size() >= 32; bytes = bytes.subspan(32)) {
      for (std::size_t i = 0; i < 4; ++i) {
        lanes[i] = mix(lanes[i], load<std::uint64_t>(bytes.data() + 8 * i));
      }
    }
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
           std::rotl(lanes[3], 18);
    for (const std::uint64_t lane : lanes) hash = (hash ^ mix(0, lane)) * kPrime1 + kPrime4;
  }
  hash = mix_rest(hash + size, bytes);
  hash = (hash ^ (hash >> 33U)) * kPrime2;
  hash = (hash ^ (hash >> 29U)) * kPrime3;
  return hash ^ (hash >> 32U);
}

}  // namespace notso
