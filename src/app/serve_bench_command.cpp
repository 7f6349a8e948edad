// notso serve-bench: the engine under load, and each of the things that an engine is for.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fmt/format.h>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "app/command.h"
#include "app/model_setup.h"
#include "app/serve_bench.h"
#include "app/serve_bench_client.h"
#include "base/json_text.h"
#include "service/engine/smollm3_step_model.h"

namespace notso {
namespace {

using Tokens = std::vector<std::int32_t>;

struct ServeBenchFlags {
  ModelFlags model;
  std::string synthetic;
  std::vector<std::string> scenarios = {"load"};
  ServeBenchOptions options;
  std::int32_t kv_megabytes = 0;
  bool no_drafts = false;
  bool json = false;
};

// Conversations that begin with one system prompt; a third of the messages go on with an earlier
// conversation, as people do.
class Chatter {
 public:
  Chatter(const ServeBenchOptions& options, std::size_t vocab)
      : options_(options), vocab_(vocab), random_(options.seed) {}

  double pause_s() { return std::exponential_distribution<double>(options_.rate)(random_); }

  // A prompt, and the answer to it.
  std::pair<Tokens, Tokens> message(std::size_t context) {
    constexpr std::size_t kSystemTokens = 200;
    Tokens prompt = bench_text(kSystemTokens, options_.seed, vocab_);
    if (!histories_.empty() && random_() % 3 == 0) {
      prompt = histories_[random_() % histories_.size()];
    }
    const auto message = bench_text(length(options_.prompt), random_(), vocab_);
    prompt.insert(prompt.end(), message.begin(), message.end());
    Tokens text = bench_text(length(options_.gen), random_(), vocab_);
    if (prompt.size() + text.size() > context) {
      prompt.resize(std::min(prompt.size(), context / 2));
      text.resize(std::min(text.size(), context / 2));
    }
    histories_.push_back(prompt);
    histories_.back().insert(histories_.back().end(), text.begin(), text.end());
    return {std::move(prompt), std::move(text)};
  }

 private:
  // A length around `mean`, with a long tail, as messages have.
  std::size_t length(std::int32_t mean) {
    constexpr double kSpread = 0.7;
    std::lognormal_distribution<double> draw(std::log(mean) - kSpread * kSpread / 2, kSpread);
    return static_cast<std::size_t>(std::clamp(draw(random_), 1.0, 8.0 * mean));
  }

  ServeBenchOptions options_;
  std::size_t vocab_;
  std::mt19937_64 random_;
  std::vector<Tokens> histories_;
};

std::vector<ServeBenchFigure> load_figures(const std::vector<BenchRequest>& requests,
                                           double seconds) {
  std::vector<double> first_s;
  std::vector<double> between_s;
  std::vector<double> queue_s;
  double tokens = 0;
  double failed = 0;
  for (const BenchRequest& request : requests) {
    const BenchAnswer& answer = *request.answer;
    if (answer.report.end != RequestEnd::kDone) ++failed;
    queue_s.push_back(answer.report.queue_s);
    if (answer.times_s.empty()) continue;
    first_s.push_back(answer.times_s[0] - answer.submitted_s);
    const auto gaps = gaps_between(answer.times_s);
    between_s.insert(between_s.end(), gaps.begin(), gaps.end());
    tokens += static_cast<double>(answer.times_s.size());
  }
  std::vector<ServeBenchFigure> figures;
  const auto add = [&](const std::string& name, const std::vector<double>& values) {
    for (const int part : {50, 95, 99}) {
      figures.push_back({fmt::format("load.{}_p{}", name, part),
                         percentile(values, part / 100.0) * 1e3, "ms", ""});
    }
  };
  add("first_token", first_s);
  add("between_tokens", between_s);
  add("queue", queue_s);
  figures.push_back({"load.tokens_per_second", tokens / seconds, "tokens/s", "all together"});
  figures.push_back({"load.failed", failed, "requests", fmt::format("of {}", requests.size())});
  return figures;
}

using Scenario = Result<std::vector<ServeBenchFigure>> (*)(ServeBench&);

struct NamedScenario {
  const char* name;
  Scenario run;
};

constexpr NamedScenario kScenarios[] = {{"load", bench_load},     {"prefix", bench_prefix},
                                        {"gap", bench_gap},       {"streams", bench_streams},
                                        {"drafts", bench_drafts}, {"soak", bench_soak}};

void print_figure(const ServeBenchFigure& figure) {
  fmt::print("{:<32} {:>10.2f} {:<9} {}\n", figure.name, figure.value, figure.unit, figure.note);
  std::fflush(stdout);
}

void print_json(const LoadedModel& loaded, const std::vector<ServeBenchFigure>& figures) {
  std::string text = "{\"machine\":{\"device\":";
  append_json_string(text, loaded.backend->description());
  text += "},\"results\":[";
  for (std::size_t i = 0; i < figures.size(); ++i) {
    text += i == 0 ? "{\"name\":" : ",{\"name\":";
    append_json_string(text, figures[i].name);
    text += ",\"value\":";
    append_json_number(text, figures[i].value);
    text += ",\"unit\":";
    append_json_string(text, figures[i].unit);
    text += "}";
  }
  std::puts((text + "]}").c_str());
}

Status serve_bench(ServeBenchFlags flags) {
  if (!flags.synthetic.empty()) {
    auto path = synthetic_model_path(flags.synthetic);
    if (!path) return pass_on(path);
    flags.model.path = std::move(*path);
  }
  constexpr std::int32_t kOutputsMax = 64;
  auto loaded = load_model(flags.model, kOutputsMax);
  if (!loaded) return pass_on(loaded);
  auto model = SmolLm3StepModel::make(*loaded->model, *loaded->file, *loaded->backend);
  if (!model) return pass_on(model);
  EngineOptions engine;
  engine.drafts = !flags.no_drafts;
  engine.kv_bytes_max = static_cast<std::size_t>(flags.kv_megabytes) << 20U;
  engine.queue_s_max = engine.answer_s_max = 3600;
  ServeBench bench{**model, engine, flags.options,
                   [](const std::string& line) { fmt::print(stderr, "{}\n", line); }};
  if (!flags.json) fmt::print("{}\n\n", loaded->backend->description());
  std::vector<ServeBenchFigure> all;
  for (const NamedScenario& scenario : kScenarios) {
    const auto wanted = [&](const std::string& name) {
      // 10,000 requests would take a large model hours.
      const bool is_of_all = std::string_view(scenario.name) != "soak";
      return name == scenario.name || (name == "all" && is_of_all);
    };
    if (std::none_of(flags.scenarios.begin(), flags.scenarios.end(), wanted)) continue;
    auto figures = scenario.run(bench);
    if (!figures) return pass_on(figures);
    if (!flags.json) std::for_each(figures->begin(), figures->end(), print_figure);
    all.insert(all.end(), figures->begin(), figures->end());
  }
  if (flags.json) print_json(*loaded, all);
  return {};
}

void add_load_flags(CLI::App& command, ServeBenchOptions& options) {
  command.add_option("--rate", options.rate, "Requests a second, on average (load)")
      ->check(CLI::Range(0.001, 10000.0))
      ->capture_default_str();
  const auto number = [&](const char* name, std::int32_t& value, const char* help, int high) {
    command.add_option(name, value, help)->check(CLI::Range(1, high))->capture_default_str();
  };
  number("--requests", options.requests, "How many requests (load)", 1'000'000);
  number("--prompt", options.prompt, "Tokens of a message, on average (load)", 100'000);
  number("--gen", options.gen, "Tokens of an answer (load: on average)", 10'000);
  number("--streams", options.streams, "Streams at once (streams)", 64);
  number("--rounds", options.rounds, "The median of so many rounds counts", 100);
  command.add_option("--seed", options.seed, "Of what is random")->capture_default_str();
}

}  // namespace

Result<std::vector<ServeBenchFigure>> bench_load(ServeBench& bench) {
  auto engine = Engine::start(bench.model, bench.engine);
  if (!engine) return pass_on(engine);
  Chatter chatter(bench.options, bench.model.vocab_size());
  std::vector<BenchRequest> requests;
  const double begin_s = bench_seconds();
  double next_s = begin_s;
  for (std::int32_t i = 0; i < bench.options.requests; ++i) {
    std::this_thread::sleep_for(std::chrono::duration<double>(next_s - bench_seconds()));
    next_s += chatter.pause_s();
    auto [prompt, text] = chatter.message(static_cast<std::size_t>(bench.model.context()));
    auto request = submit_bench(**engine, std::move(prompt), std::move(text));
    if (!request) return pass_on(request);
    requests.push_back(std::move(*request));
    const EngineStats stats = (*engine)->stats();
    bench.progress(fmt::format("load: request {} of {}; {} run, {} wait", i + 1,
                               bench.options.requests, stats.running, stats.waiting));
  }
  for (const BenchRequest& request : requests) request.ended.wait();
  return load_figures(requests, bench_seconds() - begin_s);
}

void add_serve_bench_command(CLI::App& app, CommandRunner& runner) {
  static ServeBenchFlags flags;
  CLI::App* command = app.add_subcommand("serve-bench", "Measure the serving engine");
  command->footer(
      "Examples:\n  notso serve-bench --synthetic full --rate 0.2 --requests 40\n"
      "  notso serve-bench -m model.gguf --scenario prefix,gap,streams,drafts --json");
  flags.model.context = 8192;
  add_machine_flags(*command, flags.model);
  command->add_option("--ctx", flags.model.context, "Longest context in tokens")
      ->check(CLI::Range(64, smollm3::kMaxContext))
      ->capture_default_str();
  auto* source = command->add_option_group("model", "What to measure:");
  source->add_option("-m,--model", flags.model.path, "A SmolLM3 GGUF file")->type_name("FILE.gguf");
  source->add_option("--synthetic", flags.synthetic, "A model with random weights, written once")
      ->check(CLI::IsMember({"tiny", "small", "full"}));
  source->require_option(1);
  command
      ->add_option("--scenario", flags.scenarios,
                   "load, prefix, gap, streams, drafts, soak, or all (but soak)")
      ->delimiter(',')
      ->check(CLI::IsMember({"load", "prefix", "gap", "streams", "drafts", "soak", "all"}))
      ->type_name("NAME,...")
      ->capture_default_str();
  add_load_flags(*command, flags.options);
  command->add_option("--kv-memory", flags.kv_megabytes, "MiB of keys and values (0: by machine)")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  command->add_flag("--no-drafts", flags.no_drafts, "Decode without guessed tokens");
  command->add_flag("--json", flags.json, "One JSON object instead of the table");
  command->callback([&runner] {
    runner.run = [] {
      const Status done = serve_bench(flags);
      return done ? kExitOk : report_error(done.error());
    };
  });
}

}  // namespace notso
