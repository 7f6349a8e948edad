// Stored messages for the page's tests, and the pieces of streamed HTML taken apart.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "service/store/session_store.h"

namespace notso::ui {

// A person's message.
[[nodiscard]] StoredMessage question(std::int64_t id, std::int64_t parent, std::string text);

// A complete answer.
[[nodiscard]] StoredMessage answer(std::int64_t id, std::int64_t parent, std::string text);

// One piece of a streamed message.
struct Partial {
  std::string target;
  std::string swap;
  std::string content;
};

// The pieces of a streamed message, in order.
[[nodiscard]] std::vector<Partial> partials_of(std::string_view html);

// The elements' ids in `html`, in order.
[[nodiscard]] std::vector<std::string> ids_of(std::string_view html);

}  // namespace notso::ui
