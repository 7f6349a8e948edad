#include "ml/smollm3/config.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace notso::smollm3 {
namespace {

constexpr std::string_view kPrefix = "smollm3.";

// Reads keys one after the other and remembers the first failure.
class Reader {
 public:
  explicit Reader(const GgufFile& file) : file_(file) {}

  std::int32_t integer(std::string_view key, std::int64_t low, std::int64_t high) {
    const std::string name = std::string(kPrefix) + std::string(key);
    const auto value = file_.get_uint(name);
    if (!value) return remember(value.error());
    if (*value < static_cast<std::uint64_t>(low) || *value > static_cast<std::uint64_t>(high)) {
      return remember(
          {ErrorCode::kInvalidArgument, file_.path() + ": " + name + " is " +
                                            std::to_string(*value) + "; this program takes " +
                                            std::to_string(low) + " to " + std::to_string(high)});
    }
    return static_cast<std::int32_t>(*value);
  }

  std::int32_t integer_or(std::string_view key, std::int64_t low, std::int64_t high,
                          std::int32_t otherwise) {
    return has(key) ? integer(key, low, high) : otherwise;
  }

  double number(std::string_view key, double low, double high) {
    const std::string name = std::string(kPrefix) + std::string(key);
    const auto value = file_.get_float(name);
    if (!value) return remember(value.error());
    if (!(low <= *value && *value <= high)) {
      return remember({ErrorCode::kInvalidArgument,
                       file_.path() + ": " + name + " is " + std::to_string(*value) +
                           ", which makes no sense; get the file again"});
    }
    return *value;
  }

  double number_or(std::string_view key, double low, double high, double otherwise) {
    return has(key) ? number(key, low, high) : otherwise;
  }

  bool has(std::string_view key) const {
    return file_.find(std::string(kPrefix) + std::string(key)) != nullptr;
  }

  int remember(Error error) {
    if (!error_) error_ = std::move(error);
    return 0;
  }

  const std::optional<Error>& error() const { return error_; }

 private:
  const GgufFile& file_;
  std::optional<Error> error_;
};

Status check_architecture(const GgufFile& file) {
  const auto name = file.get_string("general.architecture");
  if (!name) return tl::unexpected<Error>(name.error());
  if (*name == "smollm3") return {};
  return fail(ErrorCode::kUnsupported, file.path() + ": its architecture is " + gguf_quoted(*name) +
                                           ", but notso runs SmolLM3 only; get a SmolLM3 GGUF "
                                           "file (general.architecture = smollm3)");
}

void read_yarn(Reader& reader, const GgufFile& file, Config& config) {
  if (!reader.has("rope.scaling.type")) return;
  const auto type = file.get_string(std::string(kPrefix) + "rope.scaling.type");
  if (!type) {
    reader.remember(type.error());
    return;
  }
  if (*type == "none") return;
  if (*type != "yarn") {
    reader.remember({ErrorCode::kUnsupported, file.path() + ": smollm3.rope.scaling.type is " +
                                                  gguf_quoted(*type) +
                                                  "; notso knows 'yarn' and 'none'"});
    return;
  }
  Yarn yarn;
  yarn.factor = reader.number("rope.scaling.factor", 1.0, 64.0);
  yarn.original_context =
      reader.integer_or("rope.scaling.original_context_length", 1, 1 << 24, config.context);
  yarn.beta_fast = reader.number_or("rope.scaling.yarn_beta_fast", 0.0, 1e6, yarn.beta_fast);
  yarn.beta_slow = reader.number_or("rope.scaling.yarn_beta_slow", 0.0, 1e6, yarn.beta_slow);
  config.yarn = yarn;
}

Status check_shape(const GgufFile& file, const Config& config) {
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::kInvalidArgument, file.path() + ": " + what + "; get the file again");
  };
  if (config.heads % config.kv_heads != 0) {
    return wrong(std::to_string(config.heads) + " query heads cannot share " +
                 std::to_string(config.kv_heads) + " key/value heads");
  }
  if (config.head_dim < 16 || config.head_dim > kMaxHeadDim || config.head_dim % 16 != 0) {
    return wrong("a head dimension of " + std::to_string(config.head_dim) +
                 " is not a multiple of 16 from 16 to " + std::to_string(kMaxHeadDim));
  }
  return {};
}

}  // namespace

Result<Config> read_config(const GgufFile& file) {
  if (auto known = check_architecture(file); !known) return pass_on(known);
  Reader reader(file);
  Config config;
  config.layers = reader.integer("block_count", 1, 1024);
  config.hidden = reader.integer("embedding_length", 32, 1 << 16);
  config.ffn = reader.integer("feed_forward_length", 32, 1 << 18);
  config.heads = reader.integer("attention.head_count", 1, 1024);
  config.kv_heads = reader.integer("attention.head_count_kv", 1, 1024);
  config.context = reader.integer("context_length", 1, 1 << 24);
  config.norm_epsilon =
      static_cast<float>(reader.number("attention.layer_norm_rms_epsilon", 0.0, 1.0));
  config.rope_base = reader.number("rope.freq_base", 1.0, 1e12);
  const std::int32_t even_share = config.heads > 0 ? config.hidden / config.heads : 0;
  config.head_dim = reader.integer_or("attention.key_length", 16, kMaxHeadDim, even_share);
  const std::int32_t rotated =
      reader.integer_or("rope.dimension_count", 2, kMaxHeadDim, config.head_dim);
  if (!reader.error() && rotated != config.head_dim) {
    reader.remember({ErrorCode::kUnsupported, file.path() + ": smollm3.rope.dimension_count is " +
                                                  std::to_string(rotated) + ", but heads have " +
                                                  std::to_string(config.head_dim) +
                                                  " dimensions; SmolLM3 rotates all of them"});
  }
  const GgufTensor* table = file.find_tensor("token_embd.weight");
  if (table == nullptr) {
    reader.remember({ErrorCode::kInvalidArgument,
                     file.path() + ": tensor token_embd.weight is missing; get the file again"});
  } else {
    config.vocab =
        static_cast<std::int32_t>(std::min<std::uint64_t>(table->rows(), std::uint64_t{1} << 24));
  }
  read_yarn(reader, file, config);
  if (reader.error()) return tl::unexpected<Error>(*reader.error());
  if (auto fits = check_shape(file, config); !fits) return pass_on(fits);
  return config;
}

Status extend_context(Config& config, std::int32_t context) {
  if (context <= config.context) return {};
  if (context > kMaxContext) {
    return fail(ErrorCode::kInvalidArgument, "a context of " + std::to_string(context) +
                                                 " tokens is too long; the model takes " +
                                                 std::to_string(config.context) + ", and " +
                                                 std::to_string(kMaxContext) + " with YaRN");
  }
  const Yarn original = config.yarn.value_or(Yarn{1.0, config.context, 32.0, 1.0});
  config.yarn = original;
  config.yarn->factor =
      std::max(2.0, static_cast<double>(context) / static_cast<double>(original.original_context));
  config.context = context;
  return {};
}

Rope make_rope(const Config& config) {
  const std::int32_t dims = config.head_dim;
  Rope rope;
  for (std::int32_t i = 0; i < dims / 2; ++i) {
    rope.frequencies.push_back(std::pow(config.rope_base, -2.0 * i / dims));
  }
  if (!config.yarn) return rope;
  // Fast pairs (many turns within the original context) keep their frequency, slow ones are slowed
  // down by the factor, and a ramp joins the two.
  const Yarn& yarn = *config.yarn;
  const auto pair_of_turns = [&](double turns) {
    return dims * std::log(yarn.original_context / (turns * 2.0 * std::numbers::pi)) /
           (2.0 * std::log(config.rope_base));
  };
  const double low = std::max(0.0, std::floor(pair_of_turns(yarn.beta_fast)));
  const double high = std::min(dims - 1.0, std::ceil(pair_of_turns(yarn.beta_slow)));
  for (std::int32_t i = 0; i < dims / 2; ++i) {
    const double slow = std::clamp((i - low) / std::max(0.001, high - low), 0.0, 1.0);
    double& frequency = rope.frequencies[static_cast<std::size_t>(i)];
    frequency = frequency * (1.0 - slow) + frequency / yarn.factor * slow;
  }
  rope.magnitude = 1.0 + 0.1 * std::log(yarn.factor);
  return rope;
}

}  // namespace notso::smollm3
