#include "app/sampling_flags.h"

#include <cstdlib>
#include <fmt/format.h>
#include <limits>

namespace notso {
namespace {

// CLI11's own range lets NaN through.
CLI::Validator between(double least, double most) {
  const auto problem = [least, most](const std::string& text) -> std::string {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    const bool fits = !text.empty() && *end == '\0' && value >= least && value <= most;
    return fits ? "" : fmt::format("give a number from {} to {}, not {}", least, most, text);
  };
  return CLI::Validator(problem, "");
}

}  // namespace

void add_sampling_flags(CLI::App& command, SamplingParams& params) {
  auto* group = command.add_option_group("sampling", "How tokens are chosen:");
  group->add_option("--temperature", params.temperature, "0 always takes the best token")
      ->check(between(0, 2))
      ->capture_default_str();
  group->add_option("--top-k", params.top_k, "Only the k best tokens (0: all)")
      ->check(between(0, std::numeric_limits<std::int32_t>::max()))
      ->capture_default_str();
  group->add_option("--top-p", params.top_p, "Only the best tokens that together have p")
      ->check(between(0, 1))
      ->capture_default_str();
  group->add_option("--min-p", params.min_p, "Only tokens with this part of the best one's p")
      ->check(between(0, 1))
      ->capture_default_str();
  group->add_option("--repetition-penalty", params.repetition_penalty, "1: none")
      ->check(between(0.1, 10))
      ->capture_default_str();
  group->add_option("--frequency-penalty", params.frequency_penalty, "-2 to 2")
      ->check(between(-2, 2))
      ->capture_default_str();
  group->add_option("--presence-penalty", params.presence_penalty, "-2 to 2")
      ->check(between(-2, 2))
      ->capture_default_str();
  group->add_option("--seed", params.seed, "The same seed gives the same text")
      ->capture_default_str();
}

}  // namespace notso
