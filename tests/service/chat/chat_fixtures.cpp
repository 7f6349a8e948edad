#include "service/chat/chat_fixtures.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>

#include "ml/core/tokenizer/small_vocab.h"
#include "service/chat/default_templates.h"

namespace notso {
namespace {

constexpr std::string_view kOfficialFolder = NOTSO_SOURCE_DIR "/../shared/data/templates";
constexpr std::string_view kTestFolder = NOTSO_SOURCE_DIR "/tests/service/template/templates";

void add_folder(std::string_view folder, std::vector<ChatTemplate>& out) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".jinja") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    out.push_back({path.filename(), std::string(std::istreambuf_iterator<char>(file), {})});
  }
}

}  // namespace

std::shared_ptr<const Tokenizer> chat_tokenizer() {
  static const std::shared_ptr<const Tokenizer> tokenizer = [] {
    SmallVocab vocab;
    vocab.merges = prefix_merges({"assistant", "user", "system", "weather", " the", " answer"});
    vocab.control = {"<|begin_of_text|>", "<|im_end|>", "<|im_start|>", "<|end_of_text|>"};
    vocab.user_defined = {"<think>",     "</think>",     "<tool_response>", "</tool_response>",
                          "<tool_call>", "</tool_call>", "<code>",          "</code>"};
    return tokenizer_of(vocab);
  }();
  return tokenizer;
}

std::tm fixed_day() {
  std::tm day{};
  day.tm_year = 126;
  day.tm_mon = 10;
  day.tm_mday = 20;
  day.tm_wday = 5;
  return day;
}

const std::vector<ChatTemplate>& chat_templates() {
  static const std::vector<ChatTemplate> all = [] {
    std::vector<ChatTemplate> out = {{"built-in", std::string(default_chat_template())}};
    add_folder(kTestFolder, out);
    if (std::filesystem::is_directory(kOfficialFolder)) {
      add_folder(kOfficialFolder, out);
    } else {
      std::cerr << "SKIPPED: the official templates (shared/data/templates) are not here\n";
    }
    return out;
  }();
  return all;
}

const ChatTemplate* official_template(std::string_view name) {
  for (const ChatTemplate& chat : chat_templates()) {
    if (chat.name == name) return &chat;
  }
  return nullptr;
}

bool is_chatml(const ChatTemplate& chat) {
  return chat.name == "built-in" || chat.name == "thinker.jinja" ||
         chat.name.starts_with("smollm3");
}

std::shared_ptr<const PromptBuilder> builder_of(std::string_view source, const std::tm& day) {
  auto builder = PromptBuilder::from_template(source, "the test's template", chat_tokenizer(),
                                              [day] { return day; });
  if (!builder) throw std::runtime_error(builder.error().message);
  return *builder;
}

Message system_says(std::string text) {
  Message message;
  message.role = Role::kSystem;
  message.content = std::move(text);
  return message;
}

Message user_says(std::string text) {
  Message message;
  message.content = std::move(text);
  return message;
}

Message assistant_says(std::string text, std::string reasoning) {
  Message message;
  message.role = Role::kAssistant;
  message.content = std::move(text);
  message.reasoning = std::move(reasoning);
  return message;
}

Message tool_says(std::string text) {
  Message message;
  message.role = Role::kTool;
  message.content = std::move(text);
  message.tool_call_id = "call_1";
  return message;
}

Prompt must_render(const PromptBuilder& builder, const std::vector<Message>& messages,
                   const PromptOptions& options) {
  auto prompt = builder.render(messages, options);
  if (!prompt) throw std::runtime_error(prompt.error().message);
  return *std::move(prompt);
}

std::ptrdiff_t count_token(const Prompt& prompt, std::string_view token) {
  return std::count(prompt.tokens.begin(), prompt.tokens.end(),
                    chat_tokenizer()->find(token).value());
}

Tool weather_tool() {
  return {"get_weather", "Tells the weather",
          R"({"type": "object", "properties": {"city": {"type": "string"}}})"};
}

std::string odd_text(std::mt19937& random) {
  static constexpr std::array<std::string_view, 12> kParts = {
      "the answer", " ",  "\n", "\n\n",     "<|im_", "end|>",
      "think>",     "</", "{{", "\xC3\xA9", "1",     "\r"};
  const auto special = chat_tokenizer()->special_tokens();
  std::string out = "x";
  for (std::size_t i = random() % 12; i > 0; --i) {
    out += random() % 2 == 0 ? kParts.at(random() % kParts.size())
                             : chat_tokenizer()->token_bytes(special[random() % special.size()]);
  }
  return out;
}

}  // namespace notso
