#include "ml/smollm3/naive_model.h"

#include <algorithm>
#include <cmath>

#include "ml/core/quant/quantize.h"

namespace notso::smollm3 {
namespace {

using Vector = std::vector<double>;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

void add(std::vector<Vector>& sum, const std::vector<Vector>& other) {
  for (std::size_t t = 0; t < sum.size(); ++t) {
    for (std::size_t i = 0; i < sum[t].size(); ++i) sum[t][i] += other[t][i];
  }
}

}  // namespace

NaiveModel::NaiveModel(const GgufFile& file)
    : file_(file),
      heads_(number("attention.head_count")),
      kv_heads_(number("attention.head_count_kv")),
      head_dim_(number("rope.dimension_count")) {}

std::vector<Vector> NaiveModel::logits(std::span<const std::int32_t> tokens) const {
  const Vector table = weights("token_embd");
  const std::int64_t hidden = number("embedding_length");
  std::vector<Vector> x;
  for (const std::int32_t token : tokens) {
    const auto row = table.begin() + token * hidden;
    x.emplace_back(row, row + hidden);
  }
  for (std::int64_t layer = 0; layer < number("block_count"); ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    const auto input = normalized(block + "attn_norm", x);
    auto q = product(block + "attn_q", input);
    auto k = product(block + "attn_k", input);
    const auto v = product(block + "attn_v", input);
    const bool is_fourth = layer % 4 == 3;
    if (!is_fourth) {
      rotate(q);
      rotate(k);
    }
    add(x, product(block + "attn_output", attention(q, k, v)));
    const auto middle = normalized(block + "ffn_norm", x);
    auto gate = product(block + "ffn_gate", middle);
    const auto up = product(block + "ffn_up", middle);
    for (std::size_t t = 0; t < gate.size(); ++t) {
      for (std::size_t i = 0; i < gate[t].size(); ++i) {
        gate[t][i] *= up[t][i] / (1.0 + std::exp(-gate[t][i]));
      }
    }
    add(x, product(block + "ffn_down", gate));
  }
  const bool untied = file_.find_tensor("output.weight") != nullptr;
  return product(untied ? "output" : "token_embd", normalized("output_norm", x));
}

std::int64_t NaiveModel::number(const std::string& key) const {
  return static_cast<std::int64_t>(file_.get_uint("smollm3." + key).value());
}

Vector NaiveModel::weights(const std::string& name) const {
  const GgufTensor* tensor = file_.find_tensor(name + ".weight");
  std::vector<float> values(tensor->columns() * tensor->rows());
  dequantize(tensor->type, tensor->data, values);
  return {values.begin(), values.end()};
}

std::vector<Vector> NaiveModel::product(const std::string& name,
                                        const std::vector<Vector>& rows) const {
  const Vector matrix = weights(name);
  const std::size_t columns = rows[0].size();
  std::vector<Vector> out(rows.size(), Vector(matrix.size() / columns));
  for (std::size_t t = 0; t < rows.size(); ++t) {
    for (std::size_t r = 0; r < out[t].size(); ++r) {
      for (std::size_t c = 0; c < columns; ++c) out[t][r] += matrix[r * columns + c] * rows[t][c];
    }
  }
  return out;
}

std::vector<Vector> NaiveModel::normalized(const std::string& name,
                                           const std::vector<Vector>& rows) const {
  const double epsilon = file_.get_float("smollm3.attention.layer_norm_rms_epsilon").value();
  const Vector factors = weights(name);
  std::vector<Vector> out = rows;
  for (Vector& row : out) {
    double squares = 0.0;
    for (const double value : row) squares += value * value;
    const double root = std::sqrt(squares / static_cast<double>(row.size()) + epsilon);
    for (std::size_t i = 0; i < row.size(); ++i) row[i] *= factors[i] / root;
  }
  return out;
}

bool NaiveModel::has_yarn() const { return file_.find("smollm3.rope.scaling.factor") != nullptr; }

// The angle of a pair at position 1. With YaRN, pairs that turn at least beta_fast times within the
// original context keep theirs, those that turn at most once are slowed down by the factor, and
// between the two (rounded outwards to whole pairs) the share of slowing down rises linearly.
double NaiveModel::frequency(std::int64_t pair) const {
  const double base = file_.get_float("smollm3.rope.freq_base").value();
  const auto dim = static_cast<double>(head_dim_);
  const double plain = 1.0 / std::pow(base, 2.0 * static_cast<double>(pair) / dim);
  if (!has_yarn()) return plain;
  const double factor = file_.get_float("smollm3.rope.scaling.factor").value();
  const auto original = static_cast<double>(number("rope.scaling.original_context_length"));
  const double beta_fast = file_.get_float("smollm3.rope.scaling.yarn_beta_fast").value();
  const double beta_slow = 1.0;
  // Pair p turns original / (2 pi base^(2 p / dim)) times; solved for p.
  const auto pair_that_turns = [&](double times) {
    return dim / 2 * std::log(original / (2 * M_PI * times)) / std::log(base);
  };
  const double first = std::floor(pair_that_turns(beta_fast));
  const double last = std::ceil(pair_that_turns(beta_slow));
  const double share =
      std::min(1.0, std::max(0.0, (static_cast<double>(pair) - first) / (last - first)));
  return share * (plain / factor) + (1.0 - share) * plain;
}

void NaiveModel::rotate(std::vector<Vector>& rows) const {
  const double factor = has_yarn() ? file_.get_float("smollm3.rope.scaling.factor").value() : 1.0;
  const double magnitude = 0.1 * std::log(factor) + 1.0;
  for (std::size_t position = 0; position < rows.size(); ++position) {
    Vector& row = rows[position];
    for (std::size_t i = 0; i < row.size(); i += 2) {
      const auto pair = static_cast<std::int64_t>(i) % head_dim_ / 2;
      const double angle = static_cast<double>(position) * frequency(pair);
      const double a = row[i];
      const double b = row[i + 1];
      row[i] = magnitude * (a * std::cos(angle) - b * std::sin(angle));
      row[i + 1] = magnitude * (a * std::sin(angle) + b * std::cos(angle));
    }
  }
}

std::vector<Vector> NaiveModel::attention(const std::vector<Vector>& q,
                                          const std::vector<Vector>& k,
                                          const std::vector<Vector>& v) const {
  std::vector<Vector> out(q.size(), Vector(q[0].size()));
  for (std::size_t t = 0; t < q.size(); ++t) {
    for (std::int64_t head = 0; head < heads_; ++head) {
      const std::int64_t from = head / (heads_ / kv_heads_) * head_dim_;
      Vector weight(t + 1);
      double total = 0.0;
      for (std::size_t s = 0; s <= t; ++s) {
        double score = 0.0;
        for (std::int64_t d = 0; d < head_dim_; ++d) {
          score += q[t][index(head * head_dim_ + d)] * k[s][index(from + d)];
        }
        weight[s] = std::exp(score / std::sqrt(static_cast<double>(head_dim_)));
        total += weight[s];
      }
      for (std::size_t s = 0; s <= t; ++s) {
        for (std::int64_t d = 0; d < head_dim_; ++d) {
          out[t][index(head * head_dim_ + d)] += weight[s] / total * v[s][index(from + d)];
        }
      }
    }
  }
  return out;
}

}  // namespace notso::smollm3
