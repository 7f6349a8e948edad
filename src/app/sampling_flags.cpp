#include "app/sampling_flags.h"

namespace notso {

void add_sampling_flags(CLI::App& command, SamplingParams& params) {
  auto* group = command.add_option_group("sampling", "How tokens are chosen:");
  group->add_option("--temperature", params.temperature, "0 always takes the best token")
      ->capture_default_str();
  group->add_option("--top-k", params.top_k, "Only the k best tokens (0: all)")
      ->capture_default_str();
  group->add_option("--top-p", params.top_p, "Only the best tokens that together have p")
      ->capture_default_str();
  group->add_option("--min-p", params.min_p, "Only tokens with this part of the best one's p")
      ->capture_default_str();
  group->add_option("--repetition-penalty", params.repetition_penalty, "1: none")
      ->capture_default_str();
  group->add_option("--frequency-penalty", params.frequency_penalty, "-2 to 2")
      ->capture_default_str();
  group->add_option("--presence-penalty", params.presence_penalty, "-2 to 2")
      ->capture_default_str();
  group->add_option("--seed", params.seed, "The same seed gives the same text")
      ->capture_default_str();
}

}  // namespace notso
