// What a stored conversation asks of the model: its history as messages, its settings as options,
// and the small requests around an answer. Private to the turns.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "service/chat/chat_service.h"
#include "service/store/session_store.h"
#include "service/turns/turn_service.h"

namespace notso {

// A system message of this name is no instruction: what is above it is forgotten (/reset).
inline constexpr const char* kResetName = "reset";

// The messages that the model is to see: the system prompt, then the path from the last reset on.
// Token ids count only if they are `model`'s.
[[nodiscard]] std::vector<Message> history_of(std::span<const StoredMessage> path,
                                              const TurnSettings& settings,
                                              const std::string& model);

// The answer that follows `path`. The seed comes from the answer's id, so that an answer that is
// taken up again goes on as it would have. `may_call` is whether tools may be called once more.
[[nodiscard]] ChatRequest answer_request(std::span<const StoredMessage> path,
                                         const TurnSettings& settings, const std::string& model,
                                         std::int64_t answer_id, bool may_call);

// Three suggestions, or a title, for a conversation that ends with an answer: in the background and
// bound to JSON, so that they can be read.
[[nodiscard]] ChatRequest followups_request(std::span<const StoredMessage> path,
                                            const TurnSettings& settings, const std::string& model);
[[nodiscard]] ChatRequest title_request(std::span<const StoredMessage> path,
                                        const TurnSettings& settings, const std::string& model);

// What the model answered to them; empty where it is of no use.
[[nodiscard]] std::vector<std::string> read_followups(const std::string& json);
[[nodiscard]] std::string read_title(const std::string& json);

}  // namespace notso
