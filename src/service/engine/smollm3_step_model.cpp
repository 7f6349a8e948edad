#include "service/engine/smollm3_step_model.h"

#include <algorithm>
#include <sstream>

#include "base/mapped_file.h"

namespace notso {
namespace {

constexpr std::uint64_t kHashStart = 0xcbf29ce484222325U;

std::uint64_t hash_bytes(std::uint64_t hash, std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3U;
  }
  return hash;
}

// A hash over what the file says of its tensors, and over samples of each one's data: reading all
// of it would take longer than the start. The file's size and time of change go beside it.
Result<std::uint64_t> hash_of(const GgufFile& file) {
  constexpr std::size_t kSampleBytes = 256;
  std::uint64_t hash = kHashStart;
  const Status read = guard_mapped_reads(file.path(), [&] {
    for (const GgufTensor& tensor : file.tensors()) {
      hash = hash_bytes(hash, std::as_bytes(std::span(tensor.name)));
      hash = hash_bytes(hash, std::as_bytes(std::span(&tensor.type, 1)));
      hash = hash_bytes(hash, std::as_bytes(std::span(tensor.shape)));
      const std::size_t middle = tensor.data.size() / 2;
      hash = hash_bytes(
          hash, tensor.data.subspan(middle, std::min(kSampleBytes, tensor.data.size() - middle)));
    }
  });
  if (!read) return tl::unexpected<Error>(read.error());
  return hash;
}

Result<std::string> identity_of(const smollm3::Model& model, const GgufFile& file,
                                const Backend& backend) {
  const auto hash = hash_of(file);
  if (!hash) return tl::unexpected(hash.error());
  std::ostringstream text;
  text << "smollm3 bytes=" << file.file().bytes().size() << " time=" << file.file().modified_ns()
       << " hash=" << std::hex << *hash << std::dec << " kernels=" << backend.kernels() << "/"
       << kArithmeticVersion
       << " kv=" << (model.options().kv_type == KvType::kQ8_0 ? "q8_0" : "f16")
       << " page=" << model.kv_layout().page_bytes() << "/" << kKvPageTokens;
  if (const auto& yarn = model.config().yarn) {
    text << " yarn=" << yarn->factor << "/" << yarn->original_context << "/" << yarn->beta_fast
         << "/" << yarn->beta_slow;
  }
  return text.str();
}

}  // namespace

Result<std::unique_ptr<SmolLm3StepModel>> SmolLm3StepModel::make(smollm3::Model& model,
                                                                 const GgufFile& file,
                                                                 const Backend& backend) {
  auto identity = identity_of(model, file, backend);
  if (!identity) return pass_on(identity);
  return std::unique_ptr<SmolLm3StepModel>(new SmolLm3StepModel(model, std::move(*identity)));
}

std::size_t SmolLm3StepModel::vocab_size() const {
  return static_cast<std::size_t>(model_.config().vocab);
}

std::int32_t SmolLm3StepModel::context() const { return model_.options().context; }
std::int32_t SmolLm3StepModel::max_rows() const { return model_.options().max_rows; }
std::int32_t SmolLm3StepModel::max_outputs() const { return model_.options().max_outputs; }
std::size_t SmolLm3StepModel::page_bytes() const { return model_.kv_layout().page_bytes(); }

void SmolLm3StepModel::run(const StepInput& input, std::span<float> logits) {
  model_.forward({input.tokens, input.rows, input.output_rows}, logits);
}

}  // namespace notso
