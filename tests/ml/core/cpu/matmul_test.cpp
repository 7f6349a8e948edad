// Matrix products of every table and type: right, and the same to the bit whatever the company.
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <tuple>

#include "ml/core/cpu/kernel_fixtures.h"

namespace notso {
namespace {

using Floats = std::vector<float>;

constexpr std::int64_t kRows = 37;
constexpr std::int32_t kPanels = 3;
constexpr std::int64_t kStride = 52;
constexpr float kUntouched = 1234.5F;

class Product : public ::testing::TestWithParam<std::tuple<const KernelTable*, DType>> {
 protected:
  void SetUp() override { NOTSO_NEEDS_TABLE(&table()); }

  [[nodiscard]] static const KernelTable& table() { return *std::get<0>(GetParam()); }
  [[nodiscard]] static DType type() { return std::get<1>(GetParam()); }
  [[nodiscard]] static TestMatrix matrix() {
    return random_matrix(type(), kRows, odd_columns(type()), 11);
  }
  // Activations of token `seed`; tokens differ in size, and so do their groups.
  [[nodiscard]] static Floats token(unsigned seed) {
    Floats x = random_floats(static_cast<std::size_t>(odd_columns(type())), seed);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] *= std::exp2(static_cast<float>(i / 32 % 6));
    return x;
  }
};

bool is_k_type(DType type) { return dtype_info(type).block_size == 256; }
bool is_float(DType type) { return dtype_info(type).block_size == 1; }

// [rows of the tile][kStride] after a product of all panels.
Floats multiply(const KernelTable& table, const TestMatrix& matrix, const TestTile& tile,
                bool add = false) {
  Floats out(static_cast<std::size_t>(tile.rows) * kStride, kUntouched);
  table.matmul(matrix.view(), 0, kPanels, tile.view(), out.data(), kStride, add);
  return out;
}

TestTile one_row_tile(const KernelTable& table, const Floats& x) {
  return TestTile::of(table, {std::span<const float>(x)});
}

void expect_same_row(const Floats& actual, std::size_t actual_row, const Floats& expected,
                     std::size_t expected_row) {
  EXPECT_EQ(std::memcmp(actual.data() + actual_row * kStride,
                        expected.data() + expected_row * kStride, kRows * sizeof(float)),
            0);
}

// Compares with sums of doubles. Products of K types may lose the lowest bits of their groups' sums
// (see avx512_matmul.cpp); the NEON tables keep them.
void expect_near_f64(const KernelTable& table, const TestMatrix& matrix, const TestTile& tile,
                     const Floats& actual) {
  const Floats weights = matrix.weights();
  const bool exact = !is_k_type(matrix.type) || table.name.starts_with("neon");
  const double tolerance = exact ? 2e-6 : 3e-4;
  for (std::int32_t t = 0; t < tile.rows; ++t) {
    for (std::int64_t r = 0; r < matrix.rows; ++r) {
      double sum = 0;
      double size = 0;
      for (std::int64_t c = 0; c < matrix.columns; ++c) {
        const double x =
            is_float(matrix.type)
                ? static_cast<double>(tile.values[static_cast<std::size_t>(c * tile.rows + t)])
                : tile.value(c, t);
        const double term =
            static_cast<double>(weights[static_cast<std::size_t>(r * matrix.columns + c)]) * x;
        sum += term;
        size += std::fabs(term);
      }
      ASSERT_NEAR(actual[static_cast<std::size_t>(t * kStride + r)], sum, size * tolerance)
          << "row " << r << " of token " << t;
    }
  }
}

TEST_P(Product, IsNearTheF64ProductOfTheSameNumbers) {
  const TestMatrix weights = matrix();
  const Floats a = token(1);
  const Floats b = token(2);
  const TestTile tile = TestTile::of(table(), {a, b});
  expect_near_f64(table(), weights, tile, multiply(table(), weights, tile));
}

TEST_P(Product, HoldsTheLargestSumsThatATypeCanMake) {
  for (const bool top : {false, true}) {
    const TestMatrix weights = extreme_matrix(type(), kRows, odd_columns(type()), top);
    const Floats high(static_cast<std::size_t>(weights.columns), 3.0F);
    const Floats low(static_cast<std::size_t>(weights.columns), -3.0F);
    const TestTile tile = TestTile::of(table(), {high, low});
    expect_near_f64(table(), weights, tile, multiply(table(), weights, tile));
  }
}

TEST_P(Product, OfATokenDoesNotDependOnItsTile) {
  const TestMatrix weights = matrix();
  const Floats token_a = token(8);
  const Floats other = token(9);
  const Floats alone = multiply(table(), weights, one_row_tile(table(), token_a));
  for (std::size_t size = 2; size <= kTileRows; ++size) {
    for (std::size_t place = 0; place < size; ++place) {
      std::vector<std::span<const float>> rows(size, other);
      rows[place] = token_a;
      const TestTile tile = TestTile::of(table(), rows);
      SCOPED_TRACE(testing::Message() << "row " << place << " of " << size);
      expect_same_row(multiply(table(), weights, tile), place, alone, 0);
    }
  }
}

TEST_P(Product, OfARowDoesNotDependOnThePanelsOfTheCall) {
  const TestMatrix weights = matrix();
  const Floats x[] = {token(10), token(11), token(12), token(13)};
  const TestTile tile = TestTile::of(table(), {x[0], x[1], x[2], x[3]});
  const Floats whole = multiply(table(), weights, tile);
  for (std::int32_t first = 0; first < kPanels; ++first) {
    for (std::int32_t count = 1; first + count <= kPanels; ++count) {
      Floats out(4 * kStride, kUntouched);
      table().matmul(weights.view(), first, count, tile.view(), out.data(), kStride, false);
      const std::int64_t rows =
          std::min<std::int64_t>(count * kPanelRows, kRows - first * kPanelRows);
      for (std::int64_t t = 0; t < 4; ++t) {
        EXPECT_EQ(std::memcmp(&out[static_cast<std::size_t>(t * kStride)],
                              &whole[static_cast<std::size_t>(t * kStride + first * kPanelRows)],
                              static_cast<std::size_t>(rows) * sizeof(float)),
                  0)
            << "token " << t << ", panels " << first << " + " << count;
      }
    }
  }
}

TEST_P(Product, AddsToWhatIsThereWhenAsked) {
  const TestMatrix weights = matrix();
  const Floats a = token(14);
  const Floats b = token(15);
  const TestTile tile = TestTile::of(table(), {a, b});
  const Floats plain = multiply(table(), weights, tile);
  const Floats added = multiply(table(), weights, tile, true);
  for (std::size_t t = 0; t < 2; ++t) {
    for (std::size_t r = 0; r < kRows; ++r) {
      ASSERT_EQ(added[t * kStride + r], plain[t * kStride + r] + kUntouched) << r;
    }
  }
}

TEST_P(Product, WritesNothingBehindTheLastRow) {
  const TestMatrix weights = matrix();
  const Floats x = token(16);
  for (std::size_t size = 1; size <= kTileRows; ++size) {
    const TestTile tile = TestTile::of(table(), std::vector<std::span<const float>>(size, x));
    for (const bool add : {false, true}) {
      const Floats out = multiply(table(), weights, tile, add);
      for (std::size_t t = 0; t < size; ++t) {
        for (std::size_t r = kRows; r < kStride; ++r) {
          ASSERT_EQ(out[t * kStride + r], kUntouched) << "add " << add << ", row " << r;
        }
      }
    }
  }
}

TEST_P(Product, ReadsAndWritesNothingBehindItsArrays) {
  const TestMatrix weights = matrix();
  const Floats x = token(17);
  const Fenced<std::byte> panels(weights.packed);
  PanelView view = weights.view();
  view.data = panels.data();
  for (std::size_t size = 1; size <= kTileRows; ++size) {
    const TestTile tile = TestTile::of(table(), std::vector<std::span<const float>>(size, x));
    const Fenced<std::int8_t> q(tile.q);
    const Fenced<std::int32_t> meta(tile.meta);
    const Fenced<float> values(tile.values);
    const Fenced<float> out(Floats(size * kRows));
    table().matmul(view, 0, kPanels, {q.data(), meta.data(), values.data(), tile.rows}, out.data(),
                   kRows, false);
    const Floats expected = multiply(table(), weights, tile);
    for (std::size_t r = 0; r < kRows; ++r) {
      ASSERT_EQ(out.data()[(size - 1) * kRows + r], expected[r]) << r;
    }
  }
}

TEST_P(Product, OfATokenWithoutFiniteNumbersIsNeverFinite) {
  const TestMatrix weights = matrix();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
    for (const std::size_t place : {std::size_t{0}, std::size_t{77}, std::size_t{299}}) {
      Floats x = token(18);
      const Floats good = token(19);
      x[place] = bad;
      const TestTile tile = TestTile::of(table(), {good, x});
      const Floats out = multiply(table(), weights, tile);
      for (std::size_t r = 0; r < kRows; ++r) {
        ASSERT_TRUE(std::isfinite(out[r])) << "the neighbour's row " << r;
        ASSERT_FALSE(std::isfinite(out[kStride + r])) << "row " << r << " of " << bad;
      }
    }
  }
}

TEST_P(Product, OfZerosIsZero) {
  const Floats zeros(static_cast<std::size_t>(odd_columns(type())), 0.0F);
  const Floats out = multiply(table(), matrix(), one_row_tile(table(), zeros));
  for (std::size_t r = 0; r < kRows; ++r) ASSERT_EQ(out[r], 0.0F);
}

// A table, the table whose bits its products have, and the type for which it promises that.
struct Promise {
  const KernelTable* table;
  const KernelTable* same_as;
  DType type;
};

std::vector<Promise> promises() {
  std::vector<Promise> out;
  const KernelTable* neon = nullptr;
  for (const KernelTable* table : kernel_tables()) {
    if (table->name == "neon") neon = table;
  }
  for (const KernelTable* table : kernel_tables()) {
    for (const DType type : all_types()) {
      const bool same_integers = table->name.starts_with("avx512") || !is_k_type(type);
      if (same_integers && table != &scalar_table()) {
        out.push_back({table, &scalar_table(), type});
      } else if (table->name == "neon-i8mm") {
        out.push_back({table, neon, type});
      }
    }
  }
  return out;
}

class EqualProduct : public ::testing::TestWithParam<Promise> {
 protected:
  void SetUp() override {
    NOTSO_NEEDS_TABLE(GetParam().table);
    NOTSO_NEEDS_TABLE(GetParam().same_as);
  }

  // Multiplies a tile of `size` tokens with both tables.
  static void expect_same_bits(const TestMatrix& matrix, std::size_t size) {
    std::vector<Floats> tokens;
    for (std::size_t t = 0; t < size; ++t) {
      tokens.push_back(
          random_floats(static_cast<std::size_t>(matrix.columns), static_cast<unsigned>(20 + t)));
    }
    const TestTile tile = TestTile::of(
        scalar_table(), std::vector<std::span<const float>>(tokens.begin(), tokens.end()));
    const Floats actual = multiply(*GetParam().table, matrix, tile);
    const Floats expected = multiply(*GetParam().same_as, matrix, tile);
    for (std::size_t t = 0; t < size; ++t) expect_same_row(actual, t, expected, t);
  }
};

TEST_P(EqualProduct, HasTheBitsThatItsTablePromises) {
  const DType type = GetParam().type;
  const TestMatrix matrix = random_matrix(type, kRows, odd_columns(type), 12);
  for (std::size_t size = 1; size <= kTileRows; ++size) expect_same_bits(matrix, size);
}

TEST_P(EqualProduct, HasThemAtTheEndsOfTheRangeToo) {
  const DType type = GetParam().type;
  for (const bool top : {false, true}) {
    expect_same_bits(extreme_matrix(type, kRows, odd_columns(type), top), 2);
  }
}

std::string promise_name(const ::testing::TestParamInfo<Promise>& test) {
  return test_name(test.param.table->name) + "_as_" + test_name(test.param.same_as->name) + "_" +
         test_name(dtype_info(test.param.type).name);
}

INSTANTIATE_TEST_SUITE_P(Tables, EqualProduct, ::testing::ValuesIn(promises()), promise_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EqualProduct);

INSTANTIATE_TEST_SUITE_P(Tables, Product,
                         ::testing::Combine(::testing::ValuesIn(kernel_tables()),
                                            ::testing::ValuesIn(all_types())),
                         [](const auto& test) {
                           return test_name(std::get<0>(test.param)->name) + "_" +
                                  test_name(dtype_info(std::get<1>(test.param)).name);
                         });

}  // namespace
}  // namespace notso
