// What all new conversations begin with: the system prompt that the template writes. Read once and
// pinned in the cache, it costs nobody's first token anything, also right after a restart.
#pragma once

#include <vector>

#include "base/result.h"
#include "service/chat/chat_service.h"

namespace notso {

// The tokens that two conversations with these options share whatever is said in them.
[[nodiscard]] Result<std::vector<TokenId>> system_prefix(const ChatService& chat,
                                                         const PromptOptions& options);

// Has the engine read the prefixes of plain conversations, with and without thinking and the
// built-in tools, behind all other work. Cheap to call again, as it must be when the date changes
// that the template writes: what is in the cache is not read twice.
[[nodiscard]] Status warm_system_prefixes(ChatService& chat);

}  // namespace notso
