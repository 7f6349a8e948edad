// Attention of every table and kind of key/value cache, against a softmax in doubles.
//
// Keys, values and queries here are whole multiples of 1/32 up to 127/32, and every vector has one
// of 127/32: so 16-bit and 8-bit storage hold them exactly, and the reference needs to know nothing
// of any table's layout.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <tuple>

#include "ml/core/cpu/kernel_fixtures.h"

namespace notso {
namespace {

using Floats = std::vector<float>;

constexpr std::int32_t kTokens = 201;
constexpr std::int32_t kPages = 4;

// `count` vectors that every storage holds exactly.
Floats exact_vectors(std::int32_t count, std::int32_t head_dim, unsigned seed) {
  std::mt19937 random(seed);
  Floats out(static_cast<std::size_t>(count * head_dim));
  for (float& x : out) x = static_cast<float>(static_cast<int>(random() % 255) - 127) / 32.0F;
  for (std::int32_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i * head_dim) + random() % 16;
    out[at] = random() % 2 == 0 ? 127.0F / 32.0F : -127.0F / 32.0F;
  }
  return out;
}

class Attention
    : public ::testing::TestWithParam<std::tuple<const KernelTable*, KvType, std::int32_t>> {
 protected:
  void SetUp() override {
    NOTSO_NEEDS_TABLE(&table());
    head_bytes_ = table().kv_head_bytes(type(), dim());
    keys_ = exact_vectors(kTokens, dim(), 1);
    values_ = exact_vectors(kTokens, dim(), 2);
    queries_ = exact_vectors(kAttendRows * kMaxQueries, dim(), 3);
    for (float& x : queries_) x *= 0.5F;
    // The head is the second of two in its page, and pages are not in order. Where nothing is
    // stored there may be anything: all bits set are no number in every kind of storage.
    for (auto& page : memory_) {
      page = std::make_unique<Fenced<std::byte>>(
          std::vector<std::byte>(2 * head_bytes_, std::byte{0xff}));
    }
    for (int i = 0; i < kPages; ++i) pages_[i] = memory_[(i * 3 + 1) % kPages]->data();
    for (std::int32_t i = 0; i < kTokens; ++i) store(i, &keys_[at(i)], &values_[at(i)]);
  }

  [[nodiscard]] static const KernelTable& table() { return *std::get<0>(GetParam()); }
  [[nodiscard]] static KvType type() { return std::get<1>(GetParam()); }
  [[nodiscard]] static std::int32_t dim() { return std::get<2>(GetParam()); }
  [[nodiscard]] static std::size_t at(std::int32_t row) {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(dim());
  }

  void store(std::int32_t token, const float* key, const float* value) {
    std::byte* page = memory_[(token / kKvPageTokens * 3 + 1) % kPages]->data();
    table().kv_store(type(), page + head_bytes_, token % kKvPageTokens, dim(), key, value);
  }

  // Attention of `queries` heads from query row `first_query`.
  [[nodiscard]] AttentionRow row(std::int32_t position, std::int32_t queries,
                                 std::int32_t first_query, Floats& out) const {
    out.assign(at(queries), -1.0F);
    return {pages_, head_bytes_, position, queries, dim(), &queries_[at(first_query)], out.data()};
  }

  [[nodiscard]] Floats attend_alone(std::int32_t position, std::int32_t queries,
                                    std::int32_t first_query = 0) const {
    Floats out;
    const AttentionRow one = row(position, queries, first_query, out);
    table().attend(type(), &one, 1);
    return out;
  }

  [[nodiscard]] std::vector<double> reference(std::int32_t position, const float* query) const {
    std::vector<double> scores;
    double top = -1e300;
    for (std::int32_t i = 0; i <= position; ++i) {
      double score = 0;
      for (std::int32_t d = 0; d < dim(); ++d) {
        score += static_cast<double>(query[d]) * static_cast<double>(keys_[at(i) + d]);
      }
      scores.push_back(score / std::sqrt(static_cast<double>(dim())));
      top = std::max(top, scores.back());
    }
    std::vector<double> out(static_cast<std::size_t>(dim()), 0.0);
    double sum = 0;
    for (std::int32_t i = 0; i <= position; ++i) {
      const double p = std::exp(scores[static_cast<std::size_t>(i)] - top);
      sum += p;
      for (std::size_t d = 0; d < out.size(); ++d) {
        out[d] += p * static_cast<double>(values_[at(i) + d]);
      }
    }
    for (double& x : out) x /= sum;
    return out;
  }

  // bf16 keeps 8 bits of a scaled query and of a probability; int8 attention 14 of a probability.
  [[nodiscard]] static double tolerance() {
    if (type() == KvType::kF16) return table().name == "avx512bf16" ? 0.06 : 2e-5;
    return 1e-3;
  }

  void expect_near_reference(std::int32_t position, std::int32_t queries) const {
    const Floats actual = attend_alone(position, queries);
    for (std::int32_t m = 0; m < queries; ++m) {
      const std::vector<double> expected = reference(position, &queries_[at(m)]);
      for (std::size_t d = 0; d < expected.size(); ++d) {
        ASSERT_NEAR(actual[at(m) + d], expected[d], tolerance())
            << "position " << position << ", query " << m << " of " << queries << ", " << d;
      }
    }
  }

  std::size_t head_bytes_ = 0;
  Floats keys_;     // [kTokens][dim]
  Floats values_;   // [kTokens][dim]
  Floats queries_;  // [kAttendRows * kMaxQueries][dim]
  std::unique_ptr<Fenced<std::byte>> memory_[kPages];
  const std::byte* pages_[kPages] = {};
};

TEST_P(Attention, IsNearAnF64SoftmaxOverTheSameNumbers) {
  for (const std::int32_t position : {0, 1, 15, 16, 62, 63, 64, 65, 127, 128, 200}) {
    expect_near_reference(position, kMaxQueries);
  }
  for (std::int32_t queries = 1; queries < kMaxQueries; ++queries) {
    expect_near_reference(70, queries);
  }
}

TEST_P(Attention, OfARowDoesNotDependOnTheRowsOfTheCall) {
  for (const std::int32_t queries : {1, 3, 4}) {
    std::vector<Floats> outs(kAttendRows);
    std::vector<AttentionRow> rows;
    for (std::int32_t r = 0; r < kAttendRows; ++r) {
      rows.push_back(
          row(kTokens - kAttendRows + r, queries, r * queries, outs[static_cast<std::size_t>(r)]));
    }
    table().attend(type(), rows.data(), kAttendRows);
    for (std::int32_t r = 0; r < kAttendRows; ++r) {
      const Floats alone = attend_alone(kTokens - kAttendRows + r, queries, r * queries);
      EXPECT_EQ(std::memcmp(alone.data(), outs[static_cast<std::size_t>(r)].data(),
                            alone.size() * sizeof(float)),
                0)
          << "row " << r << " with " << queries << " queries";
    }
  }
}

TEST_P(Attention, DoesNotSeeWhatIsStoredBehindThePosition) {
  const Floats garbage = exact_vectors(kTokens, dim(), 9);
  for (const std::int32_t position : {0, 20, 63, 64, 130}) {
    const Floats before = attend_alone(position, 4);
    for (std::int32_t i = position + 1; i < kTokens; ++i) {
      Floats large(garbage.begin() + static_cast<std::ptrdiff_t>(at(i)),
                   garbage.begin() + static_cast<std::ptrdiff_t>(at(i + 1)));
      for (float& x : large) x *= 100.0F;
      store(i, large.data(), large.data());
    }
    const Floats after = attend_alone(position, 4);
    EXPECT_EQ(std::memcmp(before.data(), after.data(), before.size() * sizeof(float)), 0)
        << "position " << position;
    for (std::int32_t i = 0; i < kTokens; ++i) store(i, &keys_[at(i)], &values_[at(i)]);
  }
}

TEST_P(Attention, OfOneOverwhelmingKeyIsItsValue) {
  Floats key(static_cast<std::size_t>(dim()));
  for (std::size_t d = 0; d < key.size(); ++d) key[d] = queries_[d] * 400.0F;
  store(150, key.data(), &values_[at(150)]);
  const Floats out = attend_alone(kTokens - 1, 1);
  for (std::size_t d = 0; d < key.size(); ++d) {
    ASSERT_NEAR(out[d], values_[at(150) + d], 1e-3) << d;
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, Attention,
                         ::testing::Combine(::testing::ValuesIn(kernel_tables()),
                                            ::testing::Values(KvType::kF16, KvType::kQ8_0),
                                            ::testing::Values(16, 64, 96, 128)),
                         [](const auto& test) {
                           const bool f16 = std::get<1>(test.param) == KvType::kF16;
                           return test_name(std::get<0>(test.param)->name) +
                                  (f16 ? "_f16_" : "_q8_") +
                                  std::to_string(std::get<2>(test.param));
                         });

}  // namespace
}  // namespace notso
