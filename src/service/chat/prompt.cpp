#include "service/chat/prompt.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <optional>
#include <random>
#include <utility>

#include "service/chat/chat_values.h"
#include "service/chat/default_templates.h"
#include "service/chat/template_traits.h"
#include "service/template/template.h"

namespace notso {
namespace {

using jinja::Dict;
using jinja::Value;
using Origin = PromptSpan::Origin;

// Nobody outside can know the word, so nobody can write it into a message.
std::string secret_mark() {
  std::random_device random;
  return fmt::format("turn{:08x}{:08x}", random(), random());
}

std::tm local_now() {
  const std::time_t now = std::time(nullptr);
  std::tm out{};
  localtime_r(&now, &out);
  return out;
}

// Words that switch the reasoning mode in a system message must not do so from a tool's
// description.
std::string without_mode_switches(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    out += text[at];
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("/no_think") || rest.starts_with("/think")) out += ' ';
  }
  return out;
}

// The output as one string with the trust of its parts.
struct FlatOutput {
  std::string text;
  std::vector<std::pair<std::size_t, bool>> runs;  // end, trusted

  explicit FlatOutput(const jinja::Rendered& rendered) {
    for (const jinja::Span& span : rendered.spans) {
      text += span.text;
      runs.emplace_back(text.size(), span.trusted);
    }
  }

  // Appends [begin, end) to `out`.
  void copy(std::size_t begin, std::size_t end, std::vector<PromptSpan>& out) const {
    auto run = std::upper_bound(runs.begin(), runs.end(), begin,
                                [](std::size_t at, const auto& r) { return at < r.first; });
    while (begin < end) {
      const std::size_t stop = std::min(end, run->first);
      out.push_back(
          {run->second ? Origin::kTemplate : Origin::kData, text.substr(begin, stop - begin)});
      begin = stop;
      ++run;
    }
  }
};

// One conversation on its way into a prompt.
struct Draft {
  std::vector<const Message*> turns;  // the messages that are not the system's
  std::vector<bool> exact;            // of `turns`: its sampled ids are used
  std::optional<Value> system;
  std::string system_text;  // without tools
  std::optional<bool> thinking;
  ToolStyle style = ToolStyle::kJson;
  std::optional<AssistantTraits> traits;  // found when a turn needs them
  Dict context;                           // all variables but the messages

  // True if a turn is rendered from its text and has what templates treat in different ways.
  [[nodiscard]] bool needs_traits() const {
    for (std::size_t i = 0; i < turns.size(); ++i) {
      if (!exact[i] && (!turns[i]->reasoning.empty() || !turns[i]->tool_calls.empty())) return true;
    }
    return false;
  }
};

}  // namespace

struct PromptBuilder::Impl {
  jinja::Template chat;
  jinja::Template tools;
  std::string origin;
  std::shared_ptr<const Tokenizer> tokenizer;
  ToolTraits tool_traits;
  std::string mark;

  [[nodiscard]] Result<Draft> draft(std::span<const Message> messages,
                                    const PromptOptions& options) const;
  [[nodiscard]] Status place_tools(const PromptOptions& options, Draft& draft) const;
  [[nodiscard]] Result<FlatOutput> render(Draft& draft) const;
  [[nodiscard]] std::string mark_of(std::size_t turn) const {
    return fmt::format("{}n{}n", mark, turn);
  }
  bool find_turns(const FlatOutput& output, Draft& draft, std::vector<std::size_t>& places) const;
  [[nodiscard]] bool thought_misfits(std::string_view before, const Message& turn) const;
  [[nodiscard]] Prompt assemble(const FlatOutput& output, const Draft& draft,
                                const std::vector<std::size_t>& places) const;
  void encode(std::span<const PromptSpan> spans, std::vector<TokenId>& out) const;
};

PromptBuilder::PromptBuilder() = default;
PromptBuilder::~PromptBuilder() = default;

const Tokenizer& PromptBuilder::tokenizer() const { return *impl_->tokenizer; }

std::string Prompt::text() const {
  std::string out;
  for (const PromptSpan& span : spans) out += span.text;
  return out;
}

Result<std::shared_ptr<const PromptBuilder>> PromptBuilder::from_gguf(
    const GgufFile& file, std::shared_ptr<const Tokenizer> tokenizer, PromptClock clock) {
  constexpr std::string_view kKey = "tokenizer.chat_template";
  if (file.find(kKey) == nullptr) {
    return from_template(default_chat_template(), "the built-in chat template",
                         std::move(tokenizer), std::move(clock));
  }
  auto source = file.get_string(kKey);
  if (!source) return pass_on(source);
  return from_template(*source, fmt::format("the chat template of '{}'", file.path()),
                       std::move(tokenizer), std::move(clock));
}

Result<std::shared_ptr<const PromptBuilder>> PromptBuilder::from_template(
    std::string_view source, const std::string& origin, std::shared_ptr<const Tokenizer> tokenizer,
    PromptClock clock) {
  if (!clock) clock = local_now;
  jinja::Options options;
  options.clock = std::move(clock);
  auto environment = std::make_shared<const jinja::Environment>(options);
  auto chat = jinja::Template::parse(environment, "chat_template", source);
  if (!chat) {
    return fail(chat.error().code,
                fmt::format("{} cannot be used: {}", origin, chat.error().message));
  }
  auto tools = jinja::Template::parse(environment, "tools", tools_template());
  if (!tools) return pass_on(tools);
  const std::string mark = secret_mark();
  const ToolTraits traits = find_tool_traits(*chat, mark);
  std::shared_ptr<PromptBuilder> builder(new PromptBuilder);
  builder->impl_ = std::make_unique<const Impl>(
      Impl{std::move(*chat), std::move(*tools), origin, std::move(tokenizer), traits, mark});
  return std::shared_ptr<const PromptBuilder>(std::move(builder));
}

// Puts the tools into the template's variable for them, or into the system message.
Status PromptBuilder::Impl::place_tools(const PromptOptions& options, Draft& draft) const {
  draft.context.set("tools", Value::none());
  if (options.tools.empty()) return {};
  const bool python = options.tool_style == ToolStyle::kPython;
  const bool wrapped = !python && tool_traits.json == ToolSlot::kOpenAi;
  const std::string_view variable = python ? "python_tools" : wrapped ? "tools" : "xml_tools";
  auto value = tools_value(options.tools, wrapped);
  if (!value) return pass_on(value);
  if (python ? tool_traits.python : tool_traits.json != ToolSlot::kNone) {
    draft.context.set(variable, std::move(*value));
    return {};
  }
  Dict context;
  context.set(variable, std::move(*value));
  const auto offer = tools.render(Value::dict(std::move(context)));
  if (!offer) return tl::unexpected<Error>(offer.error());
  jinja::TextBuilder text;
  text.append(draft.system_text, false);
  if (!draft.system_text.empty()) text.append("\n\n", true);
  for (const jinja::Span& span : offer->spans) {
    text.append(span.trusted ? span.text : without_mode_switches(span.text), span.trusted);
  }
  draft.system = Value::text(text.finish());
  return {};
}

Result<Draft> PromptBuilder::Impl::draft(std::span<const Message> messages,
                                         const PromptOptions& options) const {
  if (messages.empty()) {
    return fail(ErrorCode::kInvalidArgument, "messages is empty: a prompt needs at least one");
  }
  Draft draft;
  draft.thinking = options.thinking;
  draft.style = options.tool_style;
  bool has_system = false;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    if (message.role == Role::kSystem) {
      if (has_system) draft.system_text += "\n\n";
      draft.system_text += message.content;
      has_system = true;
      continue;
    }
    for (const TokenId id : message.tokens) {
      if (id >= 0 && id < tokenizer->vocab_size()) continue;
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("messages[{}].tokens holds {}, but the vocabulary has the ids 0 to "
                              "{}",
                              i, id, tokenizer->vocab_size() - 1));
    }
    draft.turns.push_back(&message);
    draft.exact.push_back(message.role == Role::kAssistant && !message.tokens.empty());
  }
  if (has_system) draft.system = Value::string(draft.system_text);
  if (auto placed = place_tools(options, draft); !placed) return pass_on(placed);
  draft.context.set("add_generation_prompt", Value::boolean(options.add_generation_prompt));
  if (options.thinking) draft.context.set("enable_thinking", Value::boolean(*options.thinking));
  const auto name_of = [this](std::optional<TokenId> id) {
    return Value::trusted(id ? tokenizer->token_bytes(*id) : std::string_view());
  };
  draft.context.set("bos_token", name_of(tokenizer->bos()));
  draft.context.set("eos_token", name_of(tokenizer->eos()));
  return draft;
}

Result<FlatOutput> PromptBuilder::Impl::render(Draft& draft) const {
  if (!draft.traits && draft.needs_traits()) {
    std::optional<std::string_view> system;
    if (draft.system) system = draft.system->as_view();
    draft.traits = find_assistant_traits(chat, mark, system, draft.thinking);
  }
  const AssistantTraits traits = draft.traits.value_or(AssistantTraits{});
  std::vector<Value> messages;
  if (draft.system) messages.push_back(plain_message("system", *draft.system));
  for (std::size_t i = 0; i < draft.turns.size(); ++i) {
    messages.push_back(draft.exact[i] ? plain_message("assistant", Value::string(mark_of(i)))
                                      : message_value(*draft.turns[i], draft.style, traits));
  }
  Dict context = draft.context;
  context.set("messages", Value::list(std::move(messages)));
  const auto rendered = chat.render(Value::dict(std::move(context)));
  if (!rendered) {
    return fail(rendered.error().code,
                fmt::format("{} refuses this conversation: {}", origin, rendered.error().message));
  }
  return FlatOutput(*rendered);
}

// True if the tags of thought would not come out in pairs: the template has closed a block before a
// turn that brings its own, or the turn's thought was opened by the prompt that it answered.
bool PromptBuilder::Impl::thought_misfits(std::string_view before, const Message& turn) const {
  const auto think = tokenizer->find("<think>");
  if (!think) return false;
  const bool opens = std::find(turn.tokens.begin(), turn.tokens.end(), *think) != turn.tokens.end();
  return opens ? ends_closed_thinking(before) : !turn.reasoning.empty();
}

// Finds the marks of the token-exact turns. A turn that cannot be one loses its flag; then the
// conversation has to be rendered again, and the answer is false.
bool PromptBuilder::Impl::find_turns(const FlatOutput& output, Draft& draft,
                                     std::vector<std::size_t>& places) const {
  places.assign(draft.turns.size(), std::string::npos);
  const std::string_view text = output.text;
  std::size_t from = 0;
  bool all = true;
  for (std::size_t i = 0; i < draft.turns.size(); ++i) {
    if (!draft.exact[i]) continue;
    const std::string word = mark_of(i);
    const std::size_t at = text.find(word);
    if (at == std::string_view::npos || at < from ||
        text.find(word, at + 1) != std::string_view::npos ||
        thought_misfits(text.substr(0, at), *draft.turns[i])) {
      draft.exact[i] = false;
      all = false;
      continue;
    }
    places[i] = at;
    from = at + word.size();
  }
  return all;
}

void PromptBuilder::Impl::encode(std::span<const PromptSpan> spans,
                                 std::vector<TokenId>& out) const {
  std::vector<TextSpan> views;
  views.reserve(spans.size());
  for (const PromptSpan& span : spans) {
    views.push_back({span.text, span.origin == Origin::kTemplate});
  }
  tokenizer->encode(views, out);
}

// The template writes each turn's end itself, so a sampled end token is left out; it is the same
// one, unless the model ended the turn in another way.
Prompt PromptBuilder::Impl::assemble(const FlatOutput& output, const Draft& draft,
                                     const std::vector<std::size_t>& places) const {
  Prompt prompt;
  std::size_t from = 0;
  std::size_t first_span = 0;
  const auto add_text = [&](std::size_t end) {
    output.copy(from, end, prompt.spans);
    encode(std::span(prompt.spans).subspan(first_span), prompt.tokens);
  };
  for (std::size_t i = 0; i < draft.turns.size(); ++i) {
    if (!draft.exact[i]) continue;
    add_text(places[i]);
    std::span<const TokenId> ids = draft.turns[i]->tokens;
    const auto ends = tokenizer->end_tokens();
    if (std::find(ends.begin(), ends.end(), ids.back()) != ends.end()) {
      ids = ids.first(ids.size() - 1);
    }
    prompt.tokens.insert(prompt.tokens.end(), ids.begin(), ids.end());
    prompt.spans.push_back({Origin::kSampled, tokenizer->decode(ids)});
    from = places[i] + mark_of(i).size();
    first_span = prompt.spans.size();
  }
  add_text(output.text.size());
  const std::string_view text = output.text;
  const std::size_t last = text.find_last_not_of(" \n");
  prompt.opens_thought = last != std::string_view::npos && output.runs.back().second &&
                         text.substr(0, last + 1).ends_with("<think>");
  const auto bos = tokenizer->bos();
  if (tokenizer->add_bos() && bos && (prompt.tokens.empty() || prompt.tokens.front() != *bos)) {
    prompt.tokens.insert(prompt.tokens.begin(), *bos);
    prompt.spans.insert(prompt.spans.begin(),
                        {Origin::kTemplate, std::string(tokenizer->token_bytes(*bos))});
  }
  return prompt;
}

Result<Prompt> PromptBuilder::render(std::span<const Message> messages,
                                     const PromptOptions& options) const {
  auto draft = impl_->draft(messages, options);
  if (!draft) return pass_on(draft);
  std::vector<std::size_t> places;
  auto output = impl_->render(*draft);
  // Each further round has at least one token-exact turn less.
  while (output && !impl_->find_turns(*output, *draft, places)) {
    output = impl_->render(*draft);
  }
  if (!output) return pass_on(output);
  return impl_->assemble(*output, *draft, places);
}

}  // namespace notso
