// Requests of a benchmark: what they say is given, when it came is noted.
#pragma once

#include <cstdint>
#include <future>
#include <memory>
#include <vector>

#include "base/result.h"
#include "service/engine/engine.h"

namespace notso {

// Seconds of the system's clock that never falls.
[[nodiscard]] double bench_seconds();

// What a request's tokens did.
struct BenchAnswer {
  std::vector<double> times_s;  // of the tokens
  double submitted_s = 0;
  RequestReport report;
};

// A submitted request. The answer may be read once `ended` is ready.
struct BenchRequest {
  RequestId id = 0;
  std::shared_ptr<BenchAnswer> answer;
  std::shared_future<void> ended;
};

// Submits a request whose answer is `text`; the model's logits are drawn from as usual and thrown
// away.
[[nodiscard]] Result<BenchRequest> submit_bench(Engine& engine, std::vector<std::int32_t> prompt,
                                                std::vector<std::int32_t> text, bool drafts = true);

// Random tokens: three in a row occur twice practically never.
[[nodiscard]] std::vector<std::int32_t> bench_text(std::size_t size, std::uint64_t seed,
                                                   std::size_t vocab);

// The value below which a part (0..1) of the values lies.
[[nodiscard]] double percentile(std::vector<double> values, double part);

// What lies between neighbours of `times_s`.
[[nodiscard]] std::vector<double> gaps_between(const std::vector<double>& times_s);

}  // namespace notso
