// notso score: the model's probabilities for a given text, a JSON line for each position, then the
// perplexity. What two implementations of a model are compared by.

#include <cmath>
#include <cstdio>
#include <fmt/format.h>
#include <string>
#include <vector>

#include "app/command.h"
#include "app/model_setup.h"
#include "app/text_input.h"
#include "base/json_text.h"
#include "service/engine/sampler.h"

namespace notso {
namespace {

constexpr std::int32_t kOutputsAtOnce = 64;
constexpr std::int32_t kTopMost = 200000;

struct ScoreFlags {
  ModelFlags model;
  std::vector<TokenId> tokens;
  std::string file;
  std::int32_t top = 1;
};

Result<std::vector<TokenId>> tokens_of(const ScoreFlags& flags, const LoadedModel& loaded) {
  std::vector<TokenId> tokens = flags.tokens;
  if (!flags.file.empty()) {
    const auto text = read_text(flags.file);
    if (!text) return tl::unexpected<Error>(text.error());
    tokens = loaded.tokenizer->encode(*text);
  }
  if (tokens.empty()) {
    return fail(ErrorCode::kInvalidArgument, "there is no token to score; give some text");
  }
  const std::int32_t vocab = loaded.model->config().vocab;
  for (const TokenId token : tokens) {
    if (token >= 0 && token < vocab) continue;
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("--tokens: {} is not a token; this model has ids 0 to {}", token, vocab - 1));
  }
  if (tokens.size() > static_cast<std::size_t>(flags.model.context)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the text has {} tokens, but the context is {}; raise --ctx",
                            tokens.size(), flags.model.context));
  }
  return tokens;
}

// One position's line; `next` is -1 after the last token.
std::string json_line(std::size_t position, TokenId token, TokenId next,
                      std::span<const float> logits, std::span<TokenLogprob> top, double* logprob) {
  const TokenId asked = next >= 0 ? next : 0;
  *logprob = static_cast<double>(token_logprob(logits, asked, top));
  std::string line = fmt::format("{{\"position\":{},\"token\":{}", position, token);
  if (next >= 0) {
    line += fmt::format(",\"next\":{},\"logprob\":", next);
    append_json_number(line, *logprob);
  }
  line += ",\"top\":[";
  for (std::size_t i = 0; i < top.size(); ++i) {
    line += fmt::format("{}[{},", i == 0 ? "" : ",", top[i].token);
    append_json_number(line, static_cast<double>(top[i].logprob));
    line += ']';
  }
  return line + "]}\n";
}

// Ends early where nobody can have the result, which main then reports.
void run_scores(const ScoreFlags& flags, LoadedModel& loaded, const smollm3::SequencePages& pages,
                std::span<const TokenId> tokens) {
  const auto vocab = static_cast<std::size_t>(loaded.model->config().vocab);
  std::vector<float> logits(kOutputsAtOnce * vocab);
  std::vector<TokenLogprob> top(std::min(static_cast<std::size_t>(flags.top), vocab));
  std::vector<std::int32_t> outputs;
  double total = 0.0;
  for (std::size_t at = 0; at < tokens.size(); at += kOutputsAtOnce) {
    const auto chunk =
        tokens.subspan(at, std::min<std::size_t>(kOutputsAtOnce, tokens.size() - at));
    const auto rows = static_cast<std::int32_t>(chunk.size());
    outputs.clear();
    for (std::int32_t row = 0; row < rows; ++row) outputs.push_back(row);
    const SequenceRows sequence{pages.table(), static_cast<std::int32_t>(at), 0, rows};
    loaded.model->forward({chunk, {{&sequence, 1}, rows}, outputs},
                          std::span(logits).first(chunk.size() * vocab));
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      const bool last = at + i + 1 == tokens.size();
      double logprob = 0.0;
      const std::string line =
          json_line(at + i, chunk[i], last ? -1 : tokens[at + i + 1],
                    std::span(logits).subspan(i * vocab, vocab), top, &logprob);
      if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size()) return;
      if (!last) total += logprob;
    }
  }
  const auto scored = tokens.size() - 1;
  std::string line = fmt::format("{{\"tokens\":{},\"perplexity\":", tokens.size());
  append_json_number(line, scored == 0 ? NAN : std::exp(-total / static_cast<double>(scored)));
  std::printf("%s}\n", line.c_str());
}

Status score(const ScoreFlags& flags) {
  auto loaded = load_model(flags.model, kOutputsAtOnce);
  if (!loaded) return pass_on(loaded);
  const auto tokens = tokens_of(flags, *loaded);
  if (!tokens) return tl::unexpected<Error>(tokens.error());
  auto pages = smollm3::SequencePages::make(loaded->model->kv_layout(), flags.model.context);
  if (!pages) return pass_on(pages);
  run_scores(flags, *loaded, *pages, *tokens);
  return {};
}

}  // namespace

void add_score_command(CLI::App& app, CommandRunner& runner) {
  static ScoreFlags flags;
  CLI::App* command =
      app.add_subcommand("score", "The model's probabilities for a text, as JSON lines");
  command->footer("Example:\n  notso score -m model.gguf --tokens 9906,1917 --top 5");
  add_model_flags(*command, flags.model);
  auto* input = command->add_option_group("input", "What to score:");
  input->add_option("--tokens", flags.tokens, "Token ids")->delimiter(',')->type_name("ID,ID,...");
  input->add_option("--file", flags.file, "A text file")->type_name("FILE");
  input->require_option(1);
  command->add_option("--top", flags.top, "Most probable tokens to list at each position")
      ->check(CLI::Range(0, kTopMost))
      ->capture_default_str();
  command->callback([&runner] {
    runner.run = [] {
      const Status done = score(flags);
      return done ? kExitOk : report_error(done.error());
    };
  });
}

}  // namespace notso
