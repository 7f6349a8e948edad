// A conversation as a file: {"messages": [...]} as OpenAI's chat API writes them, so that other
// programs can read it too.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/chat/message.h"

namespace notso {

// Writes the conversation, replacing the file that `path` leads to; who may read it stays as it
// was, and a new file is for this user alone. Token ids are left out: they mean nothing to another
// model.
[[nodiscard]] Status save_conversation(const std::string& path, std::span<const Message> messages);

// Reads one back.
[[nodiscard]] Result<std::vector<Message>> load_conversation(const std::string& path);

}  // namespace notso
