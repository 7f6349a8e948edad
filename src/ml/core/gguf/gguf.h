// Reads GGUF v2 and v3, the file format of the model: a header, metadata (typed key-value pairs),
// tensor descriptions, and the tensors' bytes, aligned. gguf.cpp explains the layout byte by byte.
//
// Metadata and tensors' names are copied when the file is opened, and may be read whatever happens
// to it later. The tensors' bytes are views into the mapped file, to be read inside
// `guard_mapped_reads`. Everything is checked at opening: no view reaches outside the file. A file
// that is wrong fails with one line that names the key or the tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"
#include "ml/core/quant/dtype.h"

namespace notso {

// GGUF's metadata type numbers.
enum class GgufType : std::uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

// A type as messages name it: "u32", "string", "array", or "type 77".
[[nodiscard]] std::string gguf_type_name(GgufType type);

// A metadata array: numbers are left as they lie, strings are indexed once at opening.
struct GgufArray {
  GgufType element_type = GgufType::kU8;
  std::size_t count = 0;
  std::span<const std::byte> raw;         // numbers, bools: count * element size bytes, unaligned
  std::vector<std::string_view> strings;  // strings: count views
};

// One metadata value. Integers are widened to 64 bits, floats to double.
struct GgufValue {
  GgufType type = GgufType::kU8;
  std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, GgufArray> data;
};

// One tensor of the file.
struct GgufTensor {
  std::string_view name;
  DType type = DType::kF32;
  std::vector<std::uint64_t> shape;  // GGUF order: shape[0] is the contiguous dimension (columns)
  std::span<const std::byte> data;   // inside the mapping
  [[nodiscard]] std::uint64_t columns() const { return shape.empty() ? 1 : shape[0]; }
  [[nodiscard]] std::uint64_t rows() const;  // product of the other dimensions
};

// An opened, validated file.
class GgufFile {
 public:
  // Opens and validates. Takes about as long as reading the header; no tensor byte is touched.
  static Result<std::shared_ptr<const GgufFile>> open(const std::string& path);

  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] std::uint32_t version() const;
  [[nodiscard]] std::uint32_t alignment() const;
  [[nodiscard]] const MappedFile& file() const;

  // All metadata, in file order.
  [[nodiscard]] std::span<const std::pair<std::string_view, GgufValue>> metadata() const;
  // All tensors, in file order.
  [[nodiscard]] std::span<const GgufTensor> tensors() const;

  // The value of `key`, or nullptr.
  [[nodiscard]] const GgufValue* find(std::string_view key) const;
  // The tensor `name`, or nullptr.
  [[nodiscard]] const GgufTensor* find_tensor(std::string_view name) const;

  // Typed access. A missing key or one of another kind is an error that names the file, the key,
  // what was found and what was expected. Unsigned and signed integers of any width are integers;
  // f32 and f64 are floats.
  [[nodiscard]] Result<std::uint64_t> get_uint(std::string_view key) const;
  [[nodiscard]] Result<double> get_float(std::string_view key) const;
  [[nodiscard]] Result<bool> get_bool(std::string_view key) const;
  [[nodiscard]] Result<std::string_view> get_string(std::string_view key) const;
  [[nodiscard]] Result<std::span<const std::string_view>> get_strings(std::string_view key) const;
  [[nodiscard]] Result<std::vector<std::int32_t>> get_int_array(std::string_view key) const;
  [[nodiscard]] Result<std::vector<float>> get_float_array(std::string_view key) const;

  GgufFile(const GgufFile&) = delete;
  GgufFile& operator=(const GgufFile&) = delete;
  ~GgufFile();

 private:
  GgufFile();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Text out of a file, safe for one line of a message: odd bytes as \x1b, cut after 80.
[[nodiscard]] std::string gguf_quoted(std::string_view text);

}  // namespace notso
