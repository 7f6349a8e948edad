// The written limits of what a store takes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace notso {

// Sizes are in bytes of UTF-8.
struct StoreLimits {
  std::size_t title_bytes_max = 1000;
  std::size_t settings_bytes_max = std::size_t{256} << 10U;
  std::size_t message_bytes_max = std::size_t{16} << 20U;  // all texts of one message together
  std::size_t tokens_max = std::size_t{1} << 20U;          // of one message
  std::size_t client_key_bytes_max = 200;
  std::size_t query_bytes_max = 1000;
  std::size_t value_bytes_max = std::size_t{16} << 20U;
  std::size_t value_name_bytes_max = 200;
  // Of one owner's values that expire, together: those that would go first make room.
  std::size_t values_bytes_max = std::size_t{256} << 20U;
  std::size_t import_bytes_max = std::size_t{64} << 20U;
  std::int64_t messages_max = 100'000;  // of one conversation
  std::int32_t rows_max = 1000;         // of one list or search
};

}  // namespace notso
