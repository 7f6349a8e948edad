// The flags that say how tokens are chosen, for every command that writes text.
#pragma once

#include "app/command.h"
#include "service/engine/sampler.h"

namespace notso {

// Adds a flag for each sampling parameter; `params` holds the defaults that are shown.
void add_sampling_flags(CLI::App& command, SamplingParams& params);

}  // namespace notso
