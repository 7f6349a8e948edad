// A vocabulary with SmolLM3's special tokens and the chat templates that the tests run through.
#pragma once

#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ml/core/tokenizer/tokenizer.h"
#include "service/chat/prompt.h"

namespace notso {

// Bytes, a few merges, and the special tokens of SmolLM3. The same one for every caller.
std::shared_ptr<const Tokenizer> chat_tokenizer();

// The 20th of November 2026.
std::tm fixed_day();

// A template and its name in test output.
struct ChatTemplate {
  std::string name;
  std::string source;
};

// Ours, those of the template tests, and the official ones where the shared folder is present.
const std::vector<ChatTemplate>& chat_templates();

// The official template of SmolLM3, or nullptr where the shared folder is absent.
const ChatTemplate* official_template(std::string_view name = "smollm3-official.jinja");

// True for templates in SmolLM3's format, the official ones included: others end turns and cut
// content in their own ways.
bool is_chatml(const ChatTemplate& chat);

// A builder over chat_tokenizer() and a clock that stands still.
std::shared_ptr<const PromptBuilder> builder_of(std::string_view source,
                                                const std::tm& day = fixed_day());

Message system_says(std::string text);
Message user_says(std::string text);
Message assistant_says(std::string text, std::string reasoning = "");
Message tool_says(std::string text);

// The prompt, which must render.
Prompt must_render(const PromptBuilder& builder, const std::vector<Message>& messages,
                   const PromptOptions& options = {});

// How often a token occurs.
std::ptrdiff_t count_token(const Prompt& prompt, std::string_view token);

// A tool with one argument.
Tool weather_tool();

// Random text of letters, blanks, newlines, special tokens' names and parts of them.
std::string odd_text(std::mt19937& random);

}  // namespace notso
