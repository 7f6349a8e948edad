// What the compiler makes of plain loops: the yardstick of the portable table.

#include <array>
#include <cstring>

#include "ml/core/cpu/limits_probes.h"

namespace notso {
namespace {

std::uint64_t read(const std::byte* data, std::size_t bytes) {
  std::array<std::uint64_t, 8> fold{};
  for (std::size_t at = 0; at < bytes; at += sizeof fold) {
    std::array<std::uint64_t, 8> line;
    std::memcpy(line.data(), data + at, sizeof line);
    for (std::size_t i = 0; i < fold.size(); ++i) fold[i] ^= line[i];
  }
  std::uint64_t all = 0;
  for (const std::uint64_t f : fold) all ^= f;
  return all;
}

template <class In, class Sum>
double multiply(std::int64_t iterations, volatile std::int64_t* sink) {
  constexpr std::size_t kLanes = 64;
  std::array<In, kLanes> x;
  std::array<In, kLanes> y;
  std::array<Sum, kLanes> acc{};
  x.fill(In{1});
  y.fill(In{2});
  for (std::int64_t i = 0; i < iterations; ++i) {
    for (std::size_t k = 0; k < kLanes; ++k) acc[k] = static_cast<Sum>(acc[k] + x[k] * y[k]);
    asm volatile("" : "+m"(x), "+m"(y));
  }
  for (const Sum a : acc) *sink = *sink + static_cast<std::int64_t>(a);
  return static_cast<double>(iterations) * kLanes;
}

}  // namespace

const Probes kScalarProbes = {read, multiply<std::int8_t, std::int32_t>, nullptr,
                              multiply<float, float>};

}  // namespace notso
