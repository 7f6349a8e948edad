#include "ml/smollm3/model.h"

#include <string>
#include <utility>

namespace notso::smollm3 {

Model::Model(const Config& config, Weights weights, Backend& backend, const ModelOptions& options,
             Buffers buffers)
    : config_(config),
      weights_(std::move(weights)),
      backend_(backend),
      options_(options),
      kv_layout_(config_, backend, options.kv_type),
      rope_(make_rope(config_)),
      buffers_(std::move(buffers)) {}

Result<std::unique_ptr<Model>> Model::load(const std::shared_ptr<const GgufFile>& file,
                                           Backend& backend, const ModelOptions& options,
                                           const LoadProgress& progress) {
  auto config = read_config(*file);
  if (!config) return pass_on(config);
  if (auto extended = extend_context(*config, options.context); !extended) return pass_on(extended);
  auto weights = load_weights(file, *config, backend, progress);
  if (!weights) return pass_on(weights);
  auto buffers = Buffers::make(*config, backend, options.max_rows, options.max_outputs);
  if (!buffers) return pass_on(buffers);
  return std::unique_ptr<Model>(
      new Model(*config, std::move(*weights), backend, options, std::move(*buffers)));
}

}  // namespace notso::smollm3
