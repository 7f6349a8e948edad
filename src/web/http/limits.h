// Everything of the server that a client may use up, with its bound.
#pragma once

#include <chrono>
#include <cstddef>

namespace notso::http {

// Sizes in bytes and times; what exceeds them is refused (413, 414, 431, 503) or cut off.
struct Limits {
  std::size_t body_bytes_max = std::size_t{1} << 20U;
  std::size_t header_bytes_max = std::size_t{32} << 10U;
  std::size_t headers_max = 100;
  std::size_t target_bytes_max = std::size_t{8} << 10U;
  std::size_t connections_max = 4096;
  std::chrono::milliseconds header_time_max{10'000};  // from a connection's or request's first byte
  std::chrono::milliseconds body_time_max{30'000};
  std::chrono::milliseconds idle_time_max{75'000};   // between requests
  std::chrono::milliseconds write_time_max{20'000};  // of one write that makes no progress
  std::chrono::milliseconds drain_time_max{30'000};  // for running answers after stop()
};

}  // namespace notso::http
