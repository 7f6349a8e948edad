#include "app/chat_session.h"

#include <array>
#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "app/chat_file.h"
#include "app/line_editor.h"
#include "service/chat/builtin_tools.h"

namespace notso {
namespace {

// Answers in a row that may call tools before one must do without.
constexpr int kToolRoundsMax = 5;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

}  // namespace

struct ChatSession::Command {
  std::string_view name;
  std::string_view argument;
  std::string_view help;
  Next (ChatSession::*run)(std::string_view);
};

std::span<const ChatSession::Command> ChatSession::commands() {
  static constexpr std::array<Command, 12> kCommands = {{
      {"help", "", "this list", &ChatSession::do_help},
      {"clear", "", "begin a new conversation", &ChatSession::do_clear},
      {"system", "TEXT", "instruct the model; without a text, show it", &ChatSession::do_system},
      {"thinking", "on|off|show|hide", "think before answering; show thoughts",
       &ChatSession::do_thinking},
      {"temp", "NUMBER", "how freely tokens are chosen: 0 to 2", &ChatSession::do_temperature},
      {"tools", "on|off", "let the model use a calculator and a clock", &ChatSession::do_tools},
      {"regenerate", "", "answer the last message anew", &ChatSession::do_regenerate},
      {"undo", "", "take the last message and its answer back", &ChatSession::do_undo},
      {"tokens", "", "how much of the context is used", &ChatSession::do_tokens},
      {"save", "FILE", "write the conversation as JSON", &ChatSession::do_save},
      {"load", "FILE", "go on with a saved conversation", &ChatSession::do_load},
      {"quit", "", "leave (so does Ctrl-D)", &ChatSession::do_quit},
  }};
  return kCommands;
}

ChatSession::ChatSession(Answerer& answerer, std::shared_ptr<const PromptBuilder> prompts,
                         std::int32_t context, ChatSettings settings, ChatView& view)
    : answerer_(answerer),
      prompts_(std::move(prompts)),
      context_(context),
      settings_(std::move(settings)),
      view_(view) {}

ChatSession::Next ChatSession::take(const std::string& line) {
  const std::string_view text = trimmed(line);
  if (text.empty()) return Next::kGoOn;
  if (text.starts_with("/") && !text.starts_with("//")) return run_command(text);
  say(std::string(text.starts_with("//") ? text.substr(1) : std::string_view(line)));
  return Next::kGoOn;
}

ChatSession::Next ChatSession::run_command(std::string_view line) {
  const std::size_t end = std::min(line.find_first_of(" \t\n"), line.size());
  std::string_view name = line.substr(1, end - 1);
  if (name == "exit" || name == "bye") name = "quit";  // as other chats call it
  for (const Command& command : commands()) {
    if (command.name == name) return (this->*command.run)(trimmed(line.substr(end)));
  }
  view_.problem(fmt::format("there is no command /{}; /help lists them", name));
  return Next::kGoOn;
}

void ChatSession::say(std::string text) {
  Message message;
  message.content = std::move(text);
  messages_.push_back(std::move(message));
  if (!respond()) messages_.pop_back();
}

std::vector<Message> ChatSession::with_system() const {
  std::vector<Message> all;
  if (!settings_.system.empty()) {
    Message system;
    system.role = Role::kSystem;
    system.content = settings_.system;
    all.push_back(std::move(system));
  }
  all.insert(all.end(), messages_.begin(), messages_.end());
  return all;
}

PromptOptions ChatSession::prompt_options() const {
  PromptOptions options;
  options.thinking = settings_.thinking;
  if (settings_.tools) options.tools = builtin_tools();
  return options;
}

// Answers the last message, and goes on for as long as tools are called. False if there is no
// answer at all.
bool ChatSession::respond() {
  const std::size_t before = messages_.size();
  for (int round = 0; round <= kToolRoundsMax; ++round) {
    settings_.answer.tool_choice.kind =
        round < kToolRoundsMax ? ToolChoice::Kind::kAuto : ToolChoice::Kind::kNone;
    auto end = answer_once(with_system());
    if (!end) return messages_.size() > before;
    const bool again = end->reason == FinishReason::kToolCalls;
    messages_.push_back(std::move(end->message));
    if (!again) return true;
    call_tools(Message(messages_.back()));
  }
  return true;
}

// One answer; nothing where it could not start or wrote no token.
std::optional<Finished> ChatSession::answer_once(std::span<const Message> messages) {
  const auto options = prompt_options();
  const auto prompt = prompts_->render(messages, options);
  if (!prompt) {
    failed_ = true;
    view_.problem(prompt.error().message);
    return std::nullopt;
  }
  AnswerOptions asked = settings_.answer;
  asked.tools = options.tools;
  asked.call_id_prefix = fmt::format("call_{}_", calls_made_);
  std::optional<Finished> end;
  AnswerSinks sinks;
  sinks.prompt_progress = [this](std::int32_t done, std::int32_t total) {
    view_.progress(done, total);
  };
  sinks.events = [this, &end](std::span<const ChatEvent> events) {
    view_.show(events);
    if (events.empty()) return;
    if (const auto* finished = std::get_if<Finished>(&events.back())) end = *finished;
  };
  const auto started = answerer_.answer(prompt->tokens, asked, sinks, &interrupted);
  interrupted = false;
  if (!started) {
    failed_ = true;
    view_.problem(started.error().message);
    return std::nullopt;
  }
  failed_ |= end->reason == FinishReason::kError;
  calls_made_ += end->message.tool_calls.size();
  if (end->message.tokens.empty()) return std::nullopt;
  return end;
}

void ChatSession::call_tools(const Message& answer) {
  for (const ToolCall& call : answer.tool_calls) {
    Message result;
    result.role = Role::kTool;
    result.tool_call_id = call.id;
    result.name = call.name;
    result.content = run_builtin_tool(call).value_or("error: there is no tool " + call.name);
    view_.note(fmt::format("{} gives: {}", call.name, result.content));
    messages_.push_back(std::move(result));
  }
}

// Everything after the last message of the person, and that one too if asked.
void ChatSession::drop_last_turn(bool with_question) {
  while (!messages_.empty() && messages_.back().role != Role::kUser) messages_.pop_back();
  if (with_question && !messages_.empty()) messages_.pop_back();
}

ChatSession::Next ChatSession::do_help(std::string_view) {
  for (const Command& command : commands()) {
    view_.print(fmt::format("/{:<28} {}", fmt::format("{} {}", command.name, command.argument),
                            command.help));
  }
  view_.print("A line that ends in \\ goes on in the next one; lines of \"\"\" enclose several.");
  view_.print("Ctrl-C stops an answer. // begins a message that begins with a slash.");
  return Next::kGoOn;
}

ChatSession::Next ChatSession::do_clear(std::string_view) {
  messages_.clear();
  view_.note("A new conversation.");
  return Next::kGoOn;
}

ChatSession::Next ChatSession::do_system(std::string_view argument) {
  if (argument.empty()) {
    view_.print(settings_.system.empty() ? "(the template's own)" : settings_.system);
    return Next::kGoOn;
  }
  settings_.system = argument;
  view_.note("From now on the model is instructed so.");
  return Next::kGoOn;
}

ChatSession::Next ChatSession::do_thinking(std::string_view argument) {
  if (argument == "on" || argument == "off") {
    settings_.thinking = argument == "on";
    view_.note(fmt::format("Thinking is {}.", argument));
  } else if (argument == "show" || argument == "hide") {
    view_.options().show_thinking = argument == "show";
    view_.note(argument == "show" ? "Thoughts are shown." : "Thoughts are folded.");
  } else {
    view_.problem("say /thinking on, off, show or hide");
  }
  return Next::kGoOn;
}

ChatSession::Next ChatSession::do_temperature(std::string_view argument) {
  float value = 0;
  const auto [end, error] =
      std::from_chars(argument.data(), argument.data() + argument.size(), value);
  const bool whole = error == std::errc() && end == argument.data() + argument.size();
  if (!whole || !(value >= 0 && value <= 2)) {
    view_.problem("say /temp and a number from 0 to 2");
    return Next::kGoOn;
  }
  settings_.answer.sampling.temperature = value;
  view_.note(fmt::format("The temperature is {}.", value));
  return Next::kGoOn;
}

ChatSession::Next ChatSession::do_tools(std::string_view argument) {
  if (argument != "on" && argument != "off") {
    view_.problem("say /tools on or off");
    return Next::kGoOn;
  }
  settings_.tools = argument == "on";
  view_.note(settings_.tools ? "The model may use a calculator and a clock." : "No tools.");
  return Next::kGoOn;
}

ChatSession::Next ChatSession::do_regenerate(std::string_view) {
  if (messages_.empty()) {
    view_.problem("there is nothing to answer yet");
    return Next::kGoOn;
  }
  const std::vector<Message> before = messages_;
  drop_last_turn(false);
  ++settings_.answer.sampling.seed;
  if (!respond()) messages_ = before;
  return Next::kGoOn;
}

ChatSession::Next ChatSession::do_undo(std::string_view) {
  drop_last_turn(true);
  view_.note(fmt::format("The conversation has {} messages.", messages_.size()));
  return Next::kGoOn;
}

ChatSession::Next ChatSession::do_tokens(std::string_view) {
  if (messages_.empty()) {
    view_.print(fmt::format("0 of {} tokens", context_));
    return Next::kGoOn;
  }
  auto options = prompt_options();
  options.add_generation_prompt = false;
  const auto prompt = prompts_->render(with_system(), options);
  if (!prompt) {
    view_.problem(prompt.error().message);
  } else {
    view_.print(fmt::format("{} of {} tokens in {} messages", prompt->tokens.size(), context_,
                            messages_.size()));
  }
  return Next::kGoOn;
}

ChatSession::Next ChatSession::do_save(std::string_view argument) {
  if (argument.empty()) {
    view_.problem("say /save and a file's name");
    return Next::kGoOn;
  }
  const auto saved = save_conversation(std::string(argument), with_system());
  if (saved) {
    view_.note(fmt::format("{} messages are in {}.", messages_.size(), argument));
  } else {
    view_.problem(saved.error().message);
    failed_ = true;
  }
  return Next::kGoOn;
}

ChatSession::Next ChatSession::do_load(std::string_view argument) {
  if (argument.empty()) {
    view_.problem("say /load and a file's name");
    return Next::kGoOn;
  }
  auto loaded = load_conversation(std::string(argument));
  if (!loaded) {
    view_.problem(loaded.error().message);
    failed_ = true;
    return Next::kGoOn;
  }
  settings_.system.clear();
  messages_.clear();
  for (Message& message : *loaded) {
    if (message.role != Role::kSystem) {
      messages_.push_back(std::move(message));
    } else {
      if (!settings_.system.empty()) settings_.system += "\n\n";
      settings_.system += message.content;
    }
  }
  view_.note(fmt::format("{} messages are loaded.", messages_.size()));
  return Next::kGoOn;
}

ChatSession::Next ChatSession::do_quit(std::string_view) { return Next::kLeave; }

}  // namespace notso
