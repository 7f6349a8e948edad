// notso bench: measures the machine, then the model on it, and sets each speed against what the
// machine can do.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <string>
#include <vector>

#include "app/command.h"
#include "app/model_setup.h"
#include "app/progress.h"
#include "base/json_text.h"
#include "ml/core/cpu/limits.h"

namespace notso {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchFlags {
  ModelFlags model;
  std::string synthetic;
  std::vector<std::int32_t> prompts = {512};
  std::vector<std::int32_t> generates = {64};
  std::vector<std::int32_t> depths = {0};
  std::vector<std::int32_t> batches = {1};
  int repetitions = 3;
  bool json = false;
};

// One line of the result.
struct BenchRow {
  std::string_view test;
  std::int32_t tokens;
  std::int32_t depth;
  std::int32_t batch;
  double tokens_per_s;
  double percent_of_limit;
};

// What a token costs, from the model's shape.
struct Costs {
  double macs_per_row = 0;  // of the linear layers; the head is not counted, few rows need it
  double weight_bytes = 0;  // read once a step
  double kv_bytes_per_token = 0;
};

Costs costs_of(const GgufFile& file, const smollm3::Model& model) {
  Costs costs;
  for (const GgufTensor& tensor : file.tensors()) {
    costs.weight_bytes += static_cast<double>(tensor.data.size());
    if (tensor.shape.size() < 2 || tensor.name == "token_embd.weight") continue;
    costs.macs_per_row += static_cast<double>(tensor.rows() * tensor.columns());
  }
  costs.kv_bytes_per_token = static_cast<double>(model.kv_layout().page_bytes()) / kKvPageTokens;
  return costs;
}

// Sequences of equal length that advance together.
class BenchRun {
 public:
  static Result<BenchRun> make(LoadedModel& loaded, std::int32_t batch, std::int32_t positions) {
    BenchRun run(loaded);
    for (std::int32_t i = 0; i < batch; ++i) {
      auto pages = smollm3::SequencePages::make(loaded.model->kv_layout(), positions);
      if (!pages) return pass_on(pages);
      run.pages_.push_back(std::move(*pages));
    }
    const auto vocab = static_cast<std::size_t>(loaded.model->config().vocab);
    run.logits_.resize(vocab * static_cast<std::size_t>(std::max(batch, 1)));
    return run;
  }

  // Reads `count` tokens of the first sequence; the others start out as copies of nothing, which
  // costs the same to attend to.
  void read(std::int32_t count, bool want_logits) {
    const std::int32_t most = loaded_.model->options().max_rows;
    for (std::int32_t at = 0; at < count; at += most) {
      const std::int32_t rows = std::min(most, count - at);
      tokens_.resize(static_cast<std::size_t>(rows));
      for (std::int32_t i = 0; i < rows; ++i) tokens_[static_cast<std::size_t>(i)] = token(at + i);
      const SequenceRows sequence{pages_[0].table(), position_, 0, rows};
      const std::int32_t last = rows - 1;
      const bool logits = want_logits && at + rows == count;
      loaded_.model->forward({tokens_, {{&sequence, 1}, rows}, {&last, logits ? 1U : 0U}},
                             std::span(logits_).first(logits ? vocab() : 0));
      position_ += rows;
    }
  }

  // One token for every sequence.
  void decode() {
    const auto batch = static_cast<std::int32_t>(pages_.size());
    tokens_.resize(pages_.size());
    sequences_.clear();
    outputs_.clear();
    for (std::int32_t i = 0; i < batch; ++i) {
      tokens_[static_cast<std::size_t>(i)] = token(position_ + i);
      sequences_.push_back({pages_[static_cast<std::size_t>(i)].table(), position_, i, 1});
      outputs_.push_back(i);
    }
    loaded_.model->forward({tokens_, {sequences_, batch}, outputs_},
                           std::span(logits_).first(vocab() * pages_.size()));
    ++position_;
  }

  void rewind(std::int32_t position) { position_ = position; }

 private:
  explicit BenchRun(LoadedModel& loaded) : loaded_(loaded) {}

  [[nodiscard]] std::size_t vocab() const {
    return static_cast<std::size_t>(loaded_.model->config().vocab);
  }
  // Tokens spread over the vocabulary.
  [[nodiscard]] TokenId token(std::int32_t i) const {
    return static_cast<TokenId>((std::int64_t{i} * 7919 + 13) % loaded_.model->config().vocab);
  }

  LoadedModel& loaded_;
  std::vector<smollm3::SequencePages> pages_;
  std::vector<float> logits_;
  std::vector<TokenId> tokens_;
  std::vector<SequenceRows> sequences_;
  std::vector<std::int32_t> outputs_;
  std::int32_t position_ = 0;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

template <class Work>
double median_seconds(int repetitions, Work&& work) {
  std::vector<double> seconds;
  for (int i = 0; i < repetitions; ++i) {
    const auto start = Clock::now();
    work();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  return median(seconds);
}

// Runs all combinations; rows are printed as they come.
class Bench {
 public:
  Bench(const BenchFlags& flags, LoadedModel& loaded, MachineLimits limits, Costs costs)
      : flags_(flags), loaded_(loaded), limits_(std::move(limits)), costs_(costs) {}

  Status run() {
    for (const std::int32_t depth : flags_.depths) {
      for (const std::int32_t tokens : flags_.prompts) {
        if (auto done = prefill(tokens, depth); !done) return done;
      }
      for (const std::int32_t batch : flags_.batches) {
        for (const std::int32_t tokens : flags_.generates) {
          if (auto done = generate(tokens, depth, batch); !done) return done;
        }
      }
    }
    return {};
  }

  [[nodiscard]] const std::vector<BenchRow>& rows() const { return rows_; }

 private:
  Status prefill(std::int32_t tokens, std::int32_t depth) {
    auto run = BenchRun::make(loaded_, 1, depth + tokens);
    if (!run) return pass_on(run);
    fill(*run, depth);
    const double seconds = median_seconds(flags_.repetitions, [&] {
      run->rewind(depth);
      run->read(tokens, true);
    });
    const double rate = tokens / seconds;
    add({"prefill", tokens, depth, 1, rate,
         100.0 * rate * costs_.macs_per_row / limits_.int8_macs_per_s});
    return {};
  }

  Status generate(std::int32_t tokens, std::int32_t depth, std::int32_t batch) {
    auto run = BenchRun::make(loaded_, batch, depth + tokens + 1);
    if (!run) return pass_on(run);
    fill(*run, depth);
    run->decode();  // touches what is touched for the first time
    const double seconds = median_seconds(flags_.repetitions, [&] {
      run->rewind(depth);
      for (std::int32_t i = 0; i < tokens; ++i) run->decode();
    });
    const double steps = tokens / seconds;
    const double bytes =
        costs_.weight_bytes + costs_.kv_bytes_per_token * batch * (depth + tokens / 2.0);
    add({"generate", tokens, depth, batch, steps * batch,
         100.0 * steps * bytes / limits_.read_bytes_per_s.back()});
    return {};
  }

  void fill(BenchRun& run, std::int32_t depth) const {
    ProgressBar bar("reading the context", "tokens");
    constexpr std::int32_t kAtOnce = 512;
    for (std::int32_t at = 0; at < depth; at += kAtOnce) {
      run.read(std::min(kAtOnce, depth - at), false);
      bar.update(static_cast<std::uint64_t>(std::min(depth, at + kAtOnce)),
                 static_cast<std::uint64_t>(depth));
    }
  }

  void add(const BenchRow& row) {
    rows_.push_back(row);
    if (flags_.json) return;
    fmt::print("{:<9} {:>6} {:>6} {:>6} {:>10.1f} {:>8.1f}%\n", row.test, row.tokens, row.depth,
               row.batch, row.tokens_per_s, row.percent_of_limit);
    std::fflush(stdout);
  }

  const BenchFlags& flags_;
  LoadedModel& loaded_;
  MachineLimits limits_;
  Costs costs_;
  std::vector<BenchRow> rows_;
};

void print_machine(const MachineLimits& limits, const Backend& backend) {
  fmt::print("{}\n", backend.description());
  fmt::print("memory reads");
  for (std::size_t i = 0; i < limits.read_bytes_per_s.size(); ++i) {
    fmt::print("{} {:.1f} GB/s on {}", i == 0 ? "" : ",", limits.read_bytes_per_s[i] / 1e9, i + 1);
  }
  fmt::print("; int8 {:.0f} GMAC/s", limits.int8_macs_per_s / 1e9);
  if (limits.bf16_macs_per_s > 0) fmt::print(", bf16 {:.0f}", limits.bf16_macs_per_s / 1e9);
  fmt::print(", f32 {:.0f}\n\n", limits.f32_macs_per_s / 1e9);
  fmt::print("test      tokens  depth  batch   tokens/s  of limit\n");
}

void print_json(const MachineLimits& limits, const Backend& backend, double load_s,
                const std::vector<BenchRow>& rows) {
  std::string text = "{\"machine\":{\"device\":";
  append_json_string(text, backend.description());
  text += ",\"read_bytes_per_second\":[";
  for (std::size_t i = 0; i < limits.read_bytes_per_s.size(); ++i) {
    text += fmt::format("{}{:.6g}", i == 0 ? "" : ",", limits.read_bytes_per_s[i]);
  }
  text += fmt::format(
      "],\"int8_macs_per_second\":{:.6g},\"bf16_macs_per_second\":{:.6g},"
      "\"f32_macs_per_second\":{:.6g}}},\"load_seconds\":{:.4f},\"results\":[",
      limits.int8_macs_per_s, limits.bf16_macs_per_s, limits.f32_macs_per_s, load_s);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text += fmt::format(
        "{}{{\"test\":\"{}\",\"tokens\":{},\"depth\":{},\"batch\":{},\"tokens_per_second\":{:.4f},"
        "\"percent_of_limit\":{:.2f}}}",
        i == 0 ? "" : ",", rows[i].test, rows[i].tokens, rows[i].depth, rows[i].batch,
        rows[i].tokens_per_s, rows[i].percent_of_limit);
  }
  std::puts((text + "]}").c_str());
}

// Short options like "0,4096" may not ask for more than the model takes.
Result<std::int32_t> longest_context(const BenchFlags& flags) {
  const auto most = [](const std::vector<std::int32_t>& list) {
    return *std::max_element(list.begin(), list.end());
  };
  const std::int64_t longest =
      std::int64_t{most(flags.depths)} + std::max(most(flags.prompts), most(flags.generates)) + 1;
  if (longest <= smollm3::kMaxContext)
    return static_cast<std::int32_t>(std::max<std::int64_t>(longest, 16));
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("--depth and --prompt or --gen add up to {} tokens; the longest context "
                          "is {}",
                          longest, smollm3::kMaxContext));
}

Status bench(BenchFlags flags) {
  auto context = longest_context(flags);
  if (!context) return pass_on(context);
  flags.model.context = *context;
  if (!flags.synthetic.empty()) {
    auto path = synthetic_model_path(flags.synthetic);
    if (!path) return pass_on(path);
    flags.model.path = std::move(*path);
  }
  const auto start = Clock::now();
  const std::int32_t batch = *std::max_element(flags.batches.begin(), flags.batches.end());
  auto loaded = load_model(flags.model, batch);
  if (!loaded) return pass_on(loaded);
  const double load_s = std::chrono::duration<double>(Clock::now() - start).count();
  ProgressBar bar("measuring the machine", "%");
  auto limits =
      measure_limits(loaded->backend->kernels(), loaded->backend->threads(),
                     [&](double part) { bar.update(static_cast<std::uint64_t>(part * 100), 100); });
  if (!limits) return pass_on(limits);
  if (!flags.json) print_machine(*limits, *loaded->backend);
  Bench run(flags, *loaded, *limits, costs_of(*loaded->file, *loaded->model));
  if (auto done = run.run(); !done) return done;
  if (flags.json) print_json(*limits, *loaded->backend, load_s, run.rows());
  return {};
}

}  // namespace

void add_bench_command(CLI::App& app, CommandRunner& runner) {
  static BenchFlags flags;
  CLI::App* command = app.add_subcommand("bench", "Measure the machine and the model on it");
  command->footer(
      "Examples:\n  notso bench -m model.gguf --depth 0,4096\n"
      "  notso bench --synthetic full --batch 1,4,8 --json");
  add_machine_flags(*command, flags.model);
  auto* source = command->add_option_group("model", "What to measure:");
  source->add_option("-m,--model", flags.model.path, "A SmolLM3 GGUF file")->type_name("FILE.gguf");
  source->add_option("--synthetic", flags.synthetic, "A model with random weights, written once")
      ->check(CLI::IsMember({"tiny", "small", "full"}));
  source->require_option(1);
  const auto list = [&](const char* name, std::vector<std::int32_t>& values, const char* help,
                        int low, int high) {
    command->add_option(name, values, help)
        ->delimiter(',')
        ->check(CLI::Range(low, high))
        ->type_name("N,N,...")
        ->capture_default_str();
  };
  list("--prompt", flags.prompts, "Prompt lengths", 1, smollm3::kMaxContext);
  list("--gen", flags.generates, "Tokens to write", 1, smollm3::kMaxContext);
  list("--depth", flags.depths, "Tokens already in the context", 0, smollm3::kMaxContext);
  list("--batch", flags.batches, "Conversations that write at once", 1, 256);
  command->add_option("--repetitions", flags.repetitions, "The median of so many runs counts")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_flag("--json", flags.json, "One JSON object instead of the table");
  command->callback([&runner] {
    runner.run = [] {
      const Status done = bench(flags);
      return done ? kExitOk : report_error(done.error());
    };
  });
}

}  // namespace notso
