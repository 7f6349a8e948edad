// Hundreds of damaged files. Each must open and be readable to the last byte, or be refused with
// one line that names the file; and no lie in it makes the reader allocate more than it is worth.
#include <gtest/gtest.h>
#include <random>

#include "ml/core/gguf/allocation_counter.h"
#include "ml/core/gguf/gguf.h"
#include "ml/core/gguf/gguf_bytes.h"
#include "ml/core/gguf/writer.h"

namespace notso {
namespace {

// A small file with everything in it, and where its tensors' bytes begin and end.
struct Original {
  std::string bytes;
  std::size_t data_begin = 0;
  std::size_t data_end = 0;
};

Original make_original() {
  const TempFile temp;
  GgufWriter writer(64);
  writer.add_string("general.architecture", "smollm3");
  writer.add_number<std::uint8_t>("u8", 1);
  writer.add_number<std::int16_t>("i16", -1);
  writer.add_number<std::uint64_t>("u64", 1);
  writer.add_number<double>("f64", 1.0);
  writer.add_number<bool>("flag", true);
  writer.add_number<std::uint16_t>("split.count", 1);
  const std::vector<std::int32_t> kinds(200, 1);
  std::vector<std::string> tokens;
  for (int i = 0; i < 200; ++i) tokens.push_back("token" + std::to_string(i));
  writer.add_strings("tokenizer.ggml.tokens", tokens);
  writer.add_numbers<std::int32_t>("tokenizer.ggml.token_type", kinds);
  const auto fill = [](std::uint64_t, std::span<std::byte> out) {
    std::fill(out.begin(), out.end(), std::byte{0x11});
  };
  writer.add_tensor("f32", DType::kF32, {48}, fill);
  writer.add_tensor("f16", DType::kF16, {16, 2, 2}, fill);
  writer.add_tensor("q8_0", DType::kQ8_0, {32, 3}, fill);
  writer.add_tensor("q4_k", DType::kQ4_K, {256, 2}, fill);
  writer.add_tensor("q6_k", DType::kQ6_K, {256}, fill);
  EXPECT_TRUE(writer.write(temp.path()));
  const auto file = GgufFile::open(temp.path());
  EXPECT_TRUE(file);
  const auto bytes = (*file)->file().bytes();
  const auto place = [&](const std::byte* at) {
    return static_cast<std::size_t>(at - bytes.data());
  };
  const std::span<const std::byte> last = (*file)->tensors().back().data;
  return {std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
          place((*file)->tensors()[0].data.data()), place(last.data() + last.size())};
}

class MutationTest : public ::testing::Test {
 protected:
  // Sums all that the views of an opened file show, so that a bad one is touched.
  static std::size_t touch(const GgufFile& file) {
    std::size_t sum = 0;
    for (const auto& [key, value] : file.metadata()) {
      for (const char c : key) sum += static_cast<unsigned char>(c);
      if (const auto* const text = std::get_if<std::string_view>(&value.data)) {
        for (const char c : *text) sum += static_cast<unsigned char>(c);
      } else if (const auto* const array = std::get_if<GgufArray>(&value.data)) {
        for (const std::byte b : array->raw) sum += std::to_integer<std::size_t>(b);
        for (const std::string_view word : array->strings) {
          for (const char c : word) sum += static_cast<unsigned char>(c);
        }
      }
      EXPECT_EQ(file.find(key), &value);
    }
    for (const GgufTensor& tensor : file.tensors()) {
      for (const std::byte b : tensor.data) sum += std::to_integer<std::size_t>(b);
      EXPECT_EQ(file.find_tensor(tensor.name), &tensor);
    }
    return sum;
  }

  void check(const std::string& bytes, const std::string& what) {
    SCOPED_TRACE(what);
    const std::string& path = temp_.write(bytes);
    reset_allocations();
    const auto file = GgufFile::open(path);
    // Views of pairs and tensors are larger than the shortest pair and tensor in a file.
    EXPECT_LE(peak_allocated_bytes(), 2 * bytes.size() + 8192);
    ++checked_;
    if (file) {
      volatile std::size_t sum = touch(**file);
      static_cast<void>(sum);
      ++accepted_;
      return;
    }
    const std::string& message = file.error().message;
    EXPECT_NE(message.find(path), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 512u) << message;
  }

  const Original original_ = make_original();
  TempFile temp_;
  int checked_ = 0;
  int accepted_ = 0;
};

TEST_F(MutationTest, TruncatedAtEveryByteOfTheHeaderAndManyOfTheData) {
  std::size_t length = 0;
  while (length < original_.data_end) {
    check(original_.bytes.substr(0, length), "cut to " + std::to_string(length));
    length += length < 600 ? 1 : 7;
  }
  EXPECT_GE(checked_, 900);
  EXPECT_EQ(accepted_, 0);
}

TEST_F(MutationTest, BitsFlippedBeforeTheData) {
  std::mt19937 random(1);
  for (int round = 0; round < 400; ++round) {
    std::string bytes = original_.bytes;
    const int flips = 1 + round % 4;
    for (int i = 0; i < flips; ++i) {
      const std::size_t at = random() % original_.data_begin;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
    }
    check(bytes, "flip round " + std::to_string(round));
  }
  EXPECT_GT(accepted_, 0);
  EXPECT_LT(accepted_, checked_);
}

TEST_F(MutationTest, FieldsReplacedByExtremes) {
  constexpr std::uint64_t kExtremes[] = {0,          1,          2,          0x7f,
                                         0xff,       0xffff,     0x7fffffff, 0x80000000,
                                         0xffffffff, 1ull << 32, 1ull << 62, (1ull << 63) - 1,
                                         1ull << 63, ~0ull};
  std::mt19937 random(2);
  for (int round = 0; round < 700; ++round) {
    std::string bytes = original_.bytes;
    const std::uint64_t value = kExtremes[random() % std::size(kExtremes)];
    const std::size_t width = random() % 2 == 0 ? 4 : 8;
    // Every byte of the header first, then places anywhere before the data.
    const std::size_t at =
        round < 24 ? static_cast<std::size_t>(round) : random() % (original_.data_begin - 8);
    std::memcpy(bytes.data() + at, &value, width);
    check(bytes, "extreme round " + std::to_string(round) + " at " + std::to_string(at));
  }
  EXPECT_LT(accepted_, checked_);
}

TEST_F(MutationTest, PiecesCopiedOverOtherPieces) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = original_.bytes;
    const std::size_t length = 1 + random() % 64;
    const std::size_t from = random() % (original_.data_begin - length);
    const std::size_t to = random() % (original_.data_begin - length);
    bytes.replace(to, length, original_.bytes.substr(from, length));
    check(bytes, "copy round " + std::to_string(round));
  }
  EXPECT_LT(accepted_, checked_);
}

}  // namespace
}  // namespace notso
