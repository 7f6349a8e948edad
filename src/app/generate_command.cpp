// notso generate: continues a prompt and streams the text, with the speed on stderr at the end.

#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <numeric>
#include <string>
#include <vector>

#include "app/command.h"
#include "app/model_setup.h"
#include "app/sampling_flags.h"
#include "app/text_input.h"
#include "service/engine/sampler.h"

namespace notso {
namespace {

using Clock = std::chrono::steady_clock;

struct GenerateFlags {
  ModelFlags model;
  std::string prompt;
  std::string prompt_file;
  std::int32_t max_tokens = 256;
  bool ignore_end = false;
  bool quiet = false;
  bool special = false;
  SamplingParams sampling;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// One sequence and what its steps need, allocated once.
class Generation {
 public:
  Generation(LoadedModel& loaded, smollm3::SequencePages pages)
      : loaded_(loaded),
        pages_(std::move(pages)),
        logits_(static_cast<std::size_t>(loaded.model->config().vocab)) {}

  // Reads the prompt in chunks; the logits are then those of its last token.
  void read(std::span<const TokenId> tokens) {
    const auto chunk = static_cast<std::size_t>(loaded_.model->options().max_rows);
    for (std::size_t at = 0; at < tokens.size(); at += chunk) {
      step(tokens.subspan(at, std::min(chunk, tokens.size() - at)), at + chunk >= tokens.size());
    }
  }

  void read(TokenId token) { step({&token, 1}, true); }

  [[nodiscard]] std::span<const float> logits() const { return logits_; }
  [[nodiscard]] std::int32_t position() const { return position_; }

 private:
  void step(std::span<const TokenId> tokens, bool want_logits) {
    const auto rows = static_cast<std::int32_t>(tokens.size());
    const SequenceRows sequence{pages_.table(), position_, 0, rows};
    const std::int32_t last = rows - 1;
    smollm3::Batch batch{tokens, {{&sequence, 1}, rows}, {&last, want_logits ? 1U : 0U}};
    loaded_.model->forward(batch, std::span(logits_).first(want_logits ? logits_.size() : 0));
    position_ += rows;
  }

  LoadedModel& loaded_;
  smollm3::SequencePages pages_;
  std::vector<float> logits_;
  std::int32_t position_ = 0;
};

Status check_length(const GenerateFlags& flags, const LoadedModel& loaded, std::size_t prompt) {
  if (prompt == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "the prompt is empty; give some text with --prompt or --file");
  }
  if (prompt >= static_cast<std::size_t>(flags.model.context)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the prompt has {} tokens, but the context is {}; raise --ctx or "
                            "shorten the prompt",
                            prompt, flags.model.context));
  }
  return validate(flags.sampling, static_cast<std::size_t>(loaded.model->config().vocab));
}

struct Timing {
  std::size_t prompt_tokens = 0;
  double prompt_s = 0;
  std::int32_t generated = 0;
  double generate_s = 0;
};

void print_timing(const Timing& timing, const Backend& backend) {
  std::fprintf(stderr, "\n%s | prompt %zu tokens, %.1f tokens/s | answer %d tokens",
               backend.description().c_str(), timing.prompt_tokens,
               static_cast<double>(timing.prompt_tokens) / timing.prompt_s, timing.generated);
  if (timing.generated > 1) {
    std::fprintf(stderr, ", %.1f tokens/s", (timing.generated - 1) / timing.generate_s);
  }
  std::fputc('\n', stderr);
}

bool is_end(const Tokenizer& tokenizer, TokenId token) {
  for (const TokenId end : tokenizer.end_tokens()) {
    if (end == token) return true;
  }
  return false;
}

// False where nobody can have the text, which main then reports.
bool print_token(const GenerateFlags& flags, const Tokenizer& tokenizer, TokenId token,
                 Utf8Stream& stream, std::string& text) {
  text.clear();
  stream.feed(tokenizer.token_bytes(token, flags.special), text);
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

// Samples until an end token, the limit or the end of the context.
Status stream_answer(const GenerateFlags& flags, LoadedModel& loaded, Generation& generation,
                     TokenHistory& history, Timing& timing) {
  const Tokenizer& tokenizer = *loaded.tokenizer;
  Sampler sampler(static_cast<std::size_t>(loaded.model->config().vocab));
  Utf8Stream stream;
  std::string text;
  const auto start = Clock::now();
  while (timing.generated < flags.max_tokens) {
    const auto position = static_cast<std::uint64_t>(generation.position());
    auto token = sampler.sample(generation.logits(), flags.sampling, history, position);
    if (!token) return pass_on(token);
    if (is_end(tokenizer, *token) && !flags.ignore_end) break;
    ++timing.generated;
    history.add_sampled(*token);
    if (!print_token(flags, tokenizer, *token, stream, text)) return {};
    timing.generate_s = seconds_since(start);
    if (timing.generated == flags.max_tokens) break;
    if (generation.position() >= flags.model.context) {
      std::fprintf(stderr, "\nnotso: the context of %d tokens is full; raise --ctx for more\n",
                   flags.model.context);
      break;
    }
    generation.read(*token);
  }
  text.clear();
  stream.finish(text);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  return {};
}

Status generate(const GenerateFlags& flags) {
  const Result<std::string> prompt =
      flags.prompt_file.empty() ? flags.prompt : read_text(flags.prompt_file);
  if (!prompt) return tl::unexpected<Error>(prompt.error());
  auto loaded = load_model(flags.model, 1);
  if (!loaded) return pass_on(loaded);
  std::vector<TokenId> tokens = loaded->tokenizer->encode(*prompt, flags.special);
  if (const auto bos = loaded->tokenizer->bos(); bos && loaded->tokenizer->add_bos()) {
    tokens.insert(tokens.begin(), *bos);
  }
  if (auto fits = check_length(flags, *loaded, tokens.size()); !fits) return fits;
  auto pages = smollm3::SequencePages::make(loaded->model->kv_layout(), flags.model.context);
  if (!pages) return pass_on(pages);
  Generation generation(*loaded, std::move(*pages));
  TokenHistory history;
  if (flags.sampling.has_penalties()) {
    history = TokenHistory(static_cast<std::size_t>(loaded->model->config().vocab),
                           static_cast<std::size_t>(flags.sampling.repetition_window));
    history.add_prompt(tokens);
  }

  Timing timing{tokens.size(), 0, 0, 0};
  const auto start = Clock::now();
  generation.read(tokens);
  timing.prompt_s = seconds_since(start);
  if (auto done = stream_answer(flags, *loaded, generation, history, timing); !done) return done;
  if (!flags.quiet) print_timing(timing, *loaded->backend);
  return {};
}

}  // namespace

void add_generate_command(CLI::App& app, CommandRunner& runner) {
  static GenerateFlags flags;
  CLI::App* command = app.add_subcommand("generate", "Continue a text");
  command->footer(
      "Example:\n  notso generate -m model.gguf --prompt 'Once upon a time' --max-tokens 64");
  add_model_flags(*command, flags.model);
  auto* prompt = command->add_option_group("prompt", "What to continue:");
  prompt->add_option("-p,--prompt", flags.prompt, "The text")->type_name("TEXT");
  prompt->add_option("-f,--file", flags.prompt_file, "A file with the text")->type_name("FILE");
  prompt->require_option(1);
  command->add_option("-n,--max-tokens", flags.max_tokens, "Most tokens to write")
      ->check(CLI::Range(1, smollm3::kMaxContext))
      ->capture_default_str();
  command->add_flag("--ignore-end", flags.ignore_end, "Write on past an end-of-text token");
  command->add_flag("--special", flags.special,
                    "Read and show control tokens such as <|im_start|> as themselves");
  command->add_flag("-q,--quiet", flags.quiet, "No speed line at the end");
  add_sampling_flags(*command, flags.sampling);
  command->callback([&runner] {
    runner.run = [] {
      const Status done = generate(flags);
      return done ? kExitOk : report_error(done.error());
    };
  });
}

}  // namespace notso
