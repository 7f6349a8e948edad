#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "app/serve_bench.h"
#include "app/serve_bench_client.h"

namespace notso {
namespace {

constexpr std::size_t kSystemTokens = 300;
constexpr std::size_t kNewTokens = 20;
constexpr std::size_t kLongPrompt = 4000;

using Tokens = std::vector<std::int32_t>;
using Figures = std::vector<ServeBenchFigure>;

Tokens joined(Tokens first, const Tokens& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// Runs one request on an otherwise idle engine to its end.
Result<BenchAnswer> ask(Engine& engine, Tokens prompt, Tokens text, bool drafts) {
  auto request = submit_bench(engine, std::move(prompt), std::move(text), drafts);
  if (!request) return pass_on(request);
  request->ended.wait();
  const BenchAnswer& answer = *request->answer;
  if (answer.report.end == RequestEnd::kDone) return answer;
  return tl::unexpected<Error>(answer.report.error);
}

// A folder that goes away again.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("notso-serve-bench-{}", ::getpid())) {}
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// First tokens behind a system prompt, in milliseconds.
class PrefixRun {
 public:
  explicit PrefixRun(ServeBench& bench) : bench_(bench) {
    bench_.engine.kv_folder = folder_.path();
    system_ = text(kSystemTokens, 1);
  }

  Result<double> first_token_ms(Engine& engine) {
    ++seed_;
    auto answer = ask(engine, joined(system_, text(kNewTokens, seed_)), {1}, true);
    if (!answer) return pass_on(answer);
    cached_ = answer->report.cached_tokens;
    return (answer->times_s[0] - answer->submitted_s) * 1e3;
  }

  [[nodiscard]] std::int32_t cached() const { return cached_; }

 private:
  [[nodiscard]] Tokens text(std::size_t size, std::uint64_t seed) const {
    return bench_text(size, seed, bench_.model.vocab_size());
  }

  ServeBench& bench_;
  TemporaryFolder folder_;
  Tokens system_;
  std::uint64_t seed_ = 100;
  std::int32_t cached_ = 0;
};

// Runs both ways of decoding in turns; the seconds of each.
struct DraftTimes {
  std::vector<double> with_s;
  std::vector<double> without_s;
  double accepted = 0;  // of the guessed tokens, the part that was right
};

Result<DraftTimes> time_drafts(ServeBench& bench, Engine& engine, const std::string& name,
                               const std::function<std::pair<Tokens, Tokens>(int round)>& make) {
  DraftTimes times;
  double guessed = 0;
  double right = 0;
  for (int round = 0; round <= bench.options.rounds; ++round) {
    bench.progress(fmt::format("{}: round {} of {}", name, round, bench.options.rounds));
    for (const bool drafts : {false, true}) {
      auto [prompt, text] = make(round);
      auto answer = ask(engine, std::move(prompt), std::move(text), drafts);
      if (!answer) return pass_on(answer);
      if (round == 0) continue;  // the engine learns what steps cost
      (drafts ? times.with_s : times.without_s)
          .push_back(answer->times_s.back() - answer->times_s.front());
      guessed += answer->report.draft_tokens;
      right += answer->report.accepted_tokens;
    }
  }
  times.accepted = guessed > 0 ? right / guessed : 0;
  return times;
}

// The ratio of the medians; above 1, guesses are faster.
double gain(const DraftTimes& times) {
  return percentile(times.without_s, 0.5) / percentile(times.with_s, 0.5);
}

// Tokens a second of all streams together, while all of them write.
Result<double> streams_rate(ServeBench& bench, Engine& engine, std::int32_t streams,
                            std::uint64_t seed) {
  const auto gen = static_cast<std::size_t>(bench.options.gen);
  const std::size_t vocab = bench.model.vocab_size();
  std::vector<BenchRequest> requests;
  for (std::int32_t i = 0; i < streams; ++i) {
    const std::uint64_t own = seed * 1000 + static_cast<std::uint64_t>(i);
    auto request =
        submit_bench(engine, bench_text(16, own, vocab), bench_text(gen, own + 500, vocab));
    if (!request) return pass_on(request);
    requests.push_back(std::move(*request));
  }
  double begin_s = 0;
  double end_s = 1e300;
  for (const BenchRequest& request : requests) {
    request.ended.wait();
    const auto& times_s = request.answer->times_s;
    if (times_s.empty()) return tl::unexpected<Error>(request.answer->report.error);
    begin_s = std::max(begin_s, times_s.front());
    end_s = std::min(end_s, times_s.back());
  }
  double tokens = 0;
  for (const BenchRequest& request : requests) {
    for (const double time_s : request.answer->times_s) {
      if (time_s > begin_s && time_s <= end_s) ++tokens;
    }
  }
  return tokens / (end_s - begin_s);
}

}  // namespace

Result<Figures> bench_prefix(ServeBench& bench) {
  const EngineOptions before = bench.engine;
  PrefixRun run(bench);
  Figures figures;
  std::vector<double> warm_ms;
  {
    auto engine = Engine::start(bench.model, bench.engine);
    if (!engine) return pass_on(engine);
    bench.progress("prefix: cold");
    auto cold_ms = run.first_token_ms(**engine);
    if (!cold_ms) return pass_on(cold_ms);
    figures.push_back({"prefix.cold_first_token", *cold_ms, "ms", "320 tokens read"});
    for (int i = 0; i < bench.options.rounds; ++i) {
      bench.progress("prefix: warm");
      auto ms = run.first_token_ms(**engine);
      if (!ms) return pass_on(ms);
      warm_ms.push_back(*ms);
    }
  }
  figures.push_back({"prefix.warm_first_token", percentile(warm_ms, 0.5), "ms",
                     fmt::format("goal: under 500; {} tokens from the cache", run.cached())});
  figures.push_back({"prefix.warm_first_token_max", percentile(warm_ms, 1), "ms", ""});
  std::vector<double> restart_ms;
  for (int i = 0; i < bench.options.rounds; ++i) {
    bench.progress("prefix: after a restart");
    const double begin_s = bench_seconds();
    auto engine = Engine::start(bench.model, bench.engine);
    if (!engine) return pass_on(engine);
    const double start_ms = (bench_seconds() - begin_s) * 1e3;
    auto ms = run.first_token_ms(**engine);
    if (!ms) return pass_on(ms);
    restart_ms.push_back(start_ms + *ms);
  }
  figures.push_back(
      {"prefix.restart_first_token", percentile(restart_ms, 0.5), "ms",
       fmt::format("goal: under 500; the engine's start included; {} tokens from the disk",
                   run.cached())});
  bench.engine = before;
  return figures;
}

Result<Figures> bench_gap(ServeBench& bench) {
  auto engine = Engine::start(bench.model, bench.engine);
  if (!engine) return pass_on(engine);
  const std::size_t vocab = bench.model.vocab_size();
  const std::size_t longest = static_cast<std::size_t>(bench.model.context());
  if (longest < kLongPrompt + 16) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the gap scenario needs a context of {}; give --ctx {}",
                            kLongPrompt + 16, kLongPrompt + 16));
  }
  constexpr std::size_t kAnswerMax = 3000;
  auto stream =
      submit_bench(**engine, bench_text(20, 1, vocab), bench_text(kAnswerMax, 2, vocab), false);
  if (!stream) return pass_on(stream);
  bench.progress("gap: one stream alone");
  constexpr std::uint64_t kTokensAlone = 60;
  while ((*engine)->stats().sampled_tokens < kTokensAlone) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  bench.progress("gap: one stream while a prompt of 4000 tokens is read");
  auto reader = submit_bench(**engine, bench_text(kLongPrompt, 3, vocab), {1}, false);
  if (!reader) return pass_on(reader);
  reader->ended.wait();
  (*engine)->cancel(stream->id);
  stream->ended.wait();
  const auto& times_s = stream->answer->times_s;
  const double read_s = reader->answer->submitted_s;
  const auto middle = std::lower_bound(times_s.begin(), times_s.end(), read_s);
  const auto alone = gaps_between({times_s.begin(), middle});
  const auto beside = gaps_between({middle, times_s.end()});
  const double normal_s = percentile(alone, 0.5);
  const double seconds = reader->answer->report.first_token_s;
  return Figures{{"gap.alone", normal_s * 1e3, "ms", "median"},
                 {"gap.beside_prompt", percentile(beside, 0.5) * 1e3, "ms", "median"},
                 {"gap.beside_prompt_p99", percentile(beside, 0.99) * 1e3, "ms", ""},
                 {"gap.beside_prompt_max", percentile(beside, 1) * 1e3, "ms", ""},
                 {"gap.ratio_p99", percentile(beside, 0.99) / normal_s, "x", "goal: under 3"},
                 {"gap.ratio_max", percentile(beside, 1) / normal_s, "x", "goal: under 3"},
                 {"gap.prompt_rate", static_cast<double>(kLongPrompt) / seconds, "tokens/s",
                  "of the long prompt meanwhile"}};
}

Result<Figures> bench_streams(ServeBench& bench) {
  auto engine = Engine::start(bench.model, bench.engine);
  if (!engine) return pass_on(engine);
  std::vector<double> one;
  std::vector<double> many;
  for (int round = 0; round <= bench.options.rounds; ++round) {
    bench.progress(fmt::format("streams: round {} of {}", round, bench.options.rounds));
    const auto seed = static_cast<std::uint64_t>(round) + 1;
    auto alone = streams_rate(bench, **engine, 1, seed);
    if (!alone) return pass_on(alone);
    auto together = streams_rate(bench, **engine, bench.options.streams, seed + 100);
    if (!together) return pass_on(together);
    if (round == 0) continue;
    one.push_back(*alone);
    many.push_back(*together);
  }
  const double ratio = percentile(many, 0.5) / percentile(one, 0.5);
  return Figures{{"streams.one", percentile(one, 0.5), "tokens/s", "median"},
                 {fmt::format("streams.{}", bench.options.streams), percentile(many, 0.5),
                  "tokens/s", "median, all together"},
                 {"streams.ratio", ratio, "x", "goal: at least 3.5 with 8 streams"}};
}

Result<Figures> bench_drafts(ServeBench& bench) {
  auto engine = Engine::start(bench.model, bench.engine);
  if (!engine) return pass_on(engine);
  const std::size_t vocab = bench.model.vocab_size();
  const auto gen = static_cast<std::size_t>(bench.options.gen);
  // The answer quotes the prompt; every 40th token or so is another one.
  const auto quote = [&](int round) {
    const Tokens source = bench_text(gen, static_cast<std::uint64_t>(round) + 10, vocab);
    Tokens text = source;
    for (std::size_t i = 20; i < text.size(); i += 40) {
      text[i] = static_cast<std::int32_t>((static_cast<std::size_t>(text[i]) + 1) % vocab);
    }
    return std::pair(joined(source, bench_text(16, 1, vocab)), text);
  };
  const auto fresh = [&](int round) {
    const auto seed = static_cast<std::uint64_t>(round);
    return std::pair(bench_text(gen, seed + 50, vocab), bench_text(gen, seed + 90, vocab));
  };
  auto quoted = time_drafts(bench, **engine, "drafts: a quote with edits", quote);
  if (!quoted) return pass_on(quoted);
  auto unique = time_drafts(bench, **engine, "drafts: text without repeats", fresh);
  if (!unique) return pass_on(unique);
  const double tokens = static_cast<double>(gen - 1);
  return Figures{
      {"drafts.quote_without", tokens / percentile(quoted->without_s, 0.5), "tokens/s", "median"},
      {"drafts.quote_with", tokens / percentile(quoted->with_s, 0.5), "tokens/s", "median"},
      {"drafts.quote_gain", gain(*quoted), "x", "goal: at least 1.7"},
      {"drafts.quote_accepted", quoted->accepted * 100, "%", "of the guessed tokens"},
      {"drafts.fresh_gain", gain(*unique), "x", "goal: at least 0.98"}};
}

}  // namespace notso
