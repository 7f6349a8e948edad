// notso render: shows the prompt that a conversation becomes, as text, spans or tokens.

#include <array>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/command.h"
#include "app/text_input.h"
#include "base/json_text.h"
#include "ml/core/gguf/gguf.h"
#include "ml/core/tokenizer/tokenizer.h"
#include "service/chat/content.h"
#include "service/chat/prompt.h"

namespace notso {
namespace {

struct RenderFlags {
  std::string messages_path;
  std::string model_path;
  std::string template_path;
  std::string tokenizer_path;
  std::string tools_path;
  std::string thinking = "auto";
  std::string date;
  bool python_tools = false;
  bool no_generation_prompt = false;
  bool tokens = false;
  bool spans = false;
};

// All of a file; "" and "-" are standard input.
Result<std::string> read_input(const std::string& path) {
  return read_text(path == "-" ? "" : path);
}

// An error in what was read, with the file that it is in.
tl::unexpected<Error> error_in(const std::string& path, const Error& error) {
  if (path.empty() || path == "-") return tl::unexpected<Error>(error);
  return fail(error.code, path + ": " + error.message);
}

// The clock that --date stops; CLI11 has checked its form.
PromptClock clock_of(const std::string& date) {
  if (date.empty()) return {};
  std::tm day{};
  day.tm_year = std::stoi(date.substr(0, 4)) - 1900;
  day.tm_mon = std::stoi(date.substr(5, 2)) - 1;
  day.tm_mday = std::stoi(date.substr(8, 2));
  day.tm_hour = 12;
  day.tm_isdst = -1;
  std::mktime(&day);
  return [day] { return day; };
}

std::string check_date(const std::string& date) {
  bool fits = date.size() == 10;
  for (std::size_t i = 0; i < date.size() && fits; ++i) {
    fits = i == 4 || i == 7 ? date[i] == '-' : date[i] >= '0' && date[i] <= '9';
  }
  if (!fits) return "give the date as YYYY-MM-DD";
  const auto part = [&](std::size_t at) {
    return static_cast<unsigned>(std::stoul(date.substr(at, 2)));
  };
  const std::chrono::year_month_day day(std::chrono::year(std::stoi(date.substr(0, 4))),
                                        std::chrono::month(part(5)), std::chrono::day(part(8)));
  return day.ok() ? "" : "there is no such day as " + date;
}

Result<std::shared_ptr<const PromptBuilder>> open_builder(const RenderFlags& flags) {
  std::shared_ptr<const GgufFile> file;
  if (!flags.model_path.empty()) {
    auto opened = GgufFile::open(flags.model_path);
    if (!opened) return pass_on(opened);
    file = *std::move(opened);
  }
  auto tokenizer = flags.tokenizer_path.empty() ? Tokenizer::from_gguf(*file)
                                                : Tokenizer::from_json_file(flags.tokenizer_path);
  if (!tokenizer) return pass_on(tokenizer);
  if (flags.template_path.empty() && file != nullptr) {
    return PromptBuilder::from_gguf(*file, *tokenizer, clock_of(flags.date));
  }
  auto source = read_input(flags.template_path);
  if (!source) return pass_on(source);
  return PromptBuilder::from_template(*source, fmt::format("'{}'", flags.template_path), *tokenizer,
                                      clock_of(flags.date));
}

Result<Prompt> make_prompt(const RenderFlags& flags) {
  const auto builder = open_builder(flags);
  if (!builder) return tl::unexpected<Error>(builder.error());
  const auto text = read_input(flags.messages_path);
  if (!text) return tl::unexpected<Error>(text.error());
  ContentLimits limits;
  limits.allow_tokens = true;
  const auto messages = parse_messages(*text, limits);
  if (!messages) return error_in(flags.messages_path, messages.error());
  PromptOptions options;
  if (flags.thinking != "auto") options.thinking = flags.thinking == "on";
  if (flags.python_tools) options.tool_style = ToolStyle::kPython;
  options.add_generation_prompt = !flags.no_generation_prompt;
  if (!flags.tools_path.empty()) {
    const auto source = read_input(flags.tools_path);
    if (!source) return tl::unexpected<Error>(source.error());
    auto tools = parse_tools(*source);
    if (!tools) return error_in(flags.tools_path, tools.error());
    options.tools = *std::move(tools);
  }
  return (*builder)->render(*messages, options);
}

int render(const RenderFlags& flags) {
  const Result<Prompt> prompt = make_prompt(flags);
  if (!prompt) return report_error(prompt.error());
  std::string out;
  if (flags.tokens) {
    for (const TokenId id : prompt->tokens) out += fmt::format("{}{}", out.empty() ? "" : " ", id);
    out += '\n';
  }
  if (flags.spans) {
    constexpr std::array<const char*, 3> kOrigins = {"template", "data", "sampled"};
    for (const PromptSpan& span : prompt->spans) {
      out += fmt::format("{:<8} ", kOrigins.at(static_cast<std::size_t>(span.origin)));
      append_json_string(out, span.text);
      out += '\n';
    }
  }
  if (!flags.tokens && !flags.spans) out = prompt->text();
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fprintf(stderr, "%zu tokens\n", prompt->tokens.size());
  return kExitOk;
}

void add_options(CLI::App& command, RenderFlags& flags) {
  command
      .add_option("messages", flags.messages_path,
                  "The conversation as JSON: an array of messages, or an object with one as "
                  "'messages'; standard input if left out")
      ->type_name("FILE.json");
  auto* model = command.add_option("-m,--model", flags.model_path,
                                   "Take chat template and vocabulary from this GGUF file");
  model->type_name("FILE.gguf");
  auto* chat = command.add_option("--template", flags.template_path, "Take this chat template");
  chat->type_name("FILE");
  auto* tokenizer =
      command.add_option("--tokenizer", flags.tokenizer_path, "Take this tokenizer.json");
  tokenizer->type_name("FILE.json")->needs(chat);
  command.add_option("--tools", flags.tools_path, "Offer the tools of this JSON file")
      ->type_name("FILE.json");
  command.add_flag("--python-tools", flags.python_tools, "Offer them as Python functions");
  command.add_option("--thinking", flags.thinking, "auto: as the template and its system say")
      ->check(CLI::IsMember({"on", "off", "auto"}))
      ->capture_default_str();
  command.add_option("--date", flags.date, "The date to write into the prompt (default: today)")
      ->type_name("YYYY-MM-DD")
      ->check(CLI::Validator(check_date, ""));
  command.add_flag("--no-generation-prompt", flags.no_generation_prompt,
                   "Leave out the beginning of the answer");
  command.add_flag("--tokens", flags.tokens, "Print the token ids");
  command.add_flag("--spans", flags.spans,
                   "Print each piece as JSON, with where it came from: the template, the data, or "
                   "sampled tokens");
}

}  // namespace

void add_render_command(CLI::App& app, CommandRunner& runner) {
  auto flags = std::make_shared<RenderFlags>();
  CLI::App* command = app.add_subcommand("render", "Show the prompt that messages become");
  command->footer(
      "Example:\n"
      "  echo '[{\"role\": \"user\", \"content\": \"Hello\"}]' | notso render -m SmolLM3.gguf");
  add_options(*command, *flags);
  command->callback([flags, &runner] {
    if (flags->model_path.empty() && flags->tokenizer_path.empty()) {
      throw CLI::RequiredError("-m, or --template and --tokenizer,");
    }
    runner.run = [flags] { return render(*flags); };
  });
}

}  // namespace notso
