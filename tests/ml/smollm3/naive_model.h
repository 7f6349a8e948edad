// SmolLM3 written down once more, as plainly as possible and in double: what the forward pass, the
// rotation and the attention of every backend are compared with. It shares only the reading of the
// file with the program: the rules (rotation of pairs 2 i and 2 i + 1, no rotation in every fourth
// layer, YaRN, grouped heads) are spelled out here from the model's description.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ml/core/gguf/gguf.h"

namespace notso::smollm3 {

// One file's model.
class NaiveModel {
 public:
  explicit NaiveModel(const GgufFile& file);

  // The logits after each of `tokens`, one row a token.
  [[nodiscard]] std::vector<std::vector<double>> logits(std::span<const std::int32_t> tokens) const;

 private:
  using Vector = std::vector<double>;

  [[nodiscard]] std::int64_t number(const std::string& key) const;
  [[nodiscard]] Vector weights(const std::string& name) const;
  [[nodiscard]] std::vector<Vector> product(const std::string& name,
                                            const std::vector<Vector>& rows) const;
  [[nodiscard]] std::vector<Vector> normalized(const std::string& name,
                                               const std::vector<Vector>& rows) const;
  void rotate(std::vector<Vector>& rows) const;
  [[nodiscard]] std::vector<Vector> attention(const std::vector<Vector>& q,
                                              const std::vector<Vector>& k,
                                              const std::vector<Vector>& v) const;
  [[nodiscard]] double frequency(std::int64_t pair) const;
  [[nodiscard]] bool has_yarn() const;

  const GgufFile& file_;
  std::int64_t heads_;
  std::int64_t kv_heads_;
  std::int64_t head_dim_;
};

}  // namespace notso::smollm3
