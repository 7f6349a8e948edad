// Writes GGUF version 3: metadata and tensor descriptions are collected in memory, the tensors'
// bytes are streamed, so that a file of any size needs a megabyte. gguf.cpp explains the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "ml/core/gguf/gguf.h"
#include "ml/core/quant/dtype.h"

namespace notso {

// GGUF's type number for a C++ number type.
template <class T>
constexpr GgufType gguf_type_of() {
  if constexpr (std::is_same_v<T, std::uint8_t>) return GgufType::kU8;
  if constexpr (std::is_same_v<T, std::int8_t>) return GgufType::kI8;
  if constexpr (std::is_same_v<T, std::uint16_t>) return GgufType::kU16;
  if constexpr (std::is_same_v<T, std::int16_t>) return GgufType::kI16;
  if constexpr (std::is_same_v<T, std::uint32_t>) return GgufType::kU32;
  if constexpr (std::is_same_v<T, std::int32_t>) return GgufType::kI32;
  if constexpr (std::is_same_v<T, float>) return GgufType::kF32;
  if constexpr (std::is_same_v<T, bool>) return GgufType::kBool;
  if constexpr (std::is_same_v<T, std::uint64_t>) return GgufType::kU64;
  if constexpr (std::is_same_v<T, std::int64_t>) return GgufType::kI64;
  if constexpr (std::is_same_v<T, double>) return GgufType::kF64;
}

// Collects a file's contents, then writes them in one go. Keys and tensor names must be new, block
// sizes must divide the rows: anything else is a programmer's error.
class GgufWriter {
 public:
  // Fills `out` with the tensor's bytes that begin at block `first_block`; `out` is a whole number
  // of blocks. Called in order, once for every block.
  using Fill = std::function<void(std::uint64_t first_block, std::span<std::byte> out)>;

  // Bytes written and bytes in all; called often.
  using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

  // Tensors are aligned to `alignment`, a power of two; it is written down if it is not 32.
  explicit GgufWriter(std::uint32_t alignment = 32);

  // A number or bool, of exactly the type T.
  template <class T>
  void add_number(std::string_view key, T value) {
    begin_pair(key, gguf_type_of<T>());
    append(&value, sizeof value);
  }

  // An array of numbers or bools.
  template <class T>
  void add_numbers(std::string_view key, std::span<const T> values) {
    begin_array(key, gguf_type_of<T>(), values.size());
    append(values.data(), values.size_bytes());
  }

  // A string, and an array of strings.
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, std::span<const std::string> values);

  // A tensor whose bytes `fill` makes while the file is written. shape[0] is the contiguous
  // dimension.
  void add_tensor(std::string_view name, DType type, std::vector<std::uint64_t> shape, Fill fill);

  // A tensor whose bytes are `bytes`, which must live until the file is written.
  void add_tensor(std::string_view name, DType type, std::vector<std::uint64_t> shape,
                  std::span<const std::byte> bytes);

  // Bytes of the whole file.
  [[nodiscard]] std::uint64_t file_bytes() const;

  // Writes the file under a temporary name beside `path` and renames it when it is whole: a failure
  // leaves no file and an older one untouched. Space is reserved first, so that a full disk is
  // reported at once.
  [[nodiscard]] Status write(const std::string& path, const Progress& progress = {}) const;

 private:
  struct Tensor {
    std::string name;
    DType type;
    std::vector<std::uint64_t> shape;
    std::uint64_t bytes;
    std::uint64_t offset;  // from the start of the data
    Fill fill;
  };

  void begin_pair(std::string_view key, GgufType type);
  void begin_array(std::string_view key, GgufType element_type, std::uint64_t count);
  void append(const void* data, std::size_t size);
  [[nodiscard]] std::string head() const;

  std::uint32_t alignment_;
  std::string metadata_;  // encoded pairs
  std::uint64_t metadata_count_ = 0;
  std::vector<std::string> keys_;
  std::vector<Tensor> tensors_;
  std::uint64_t data_bytes_ = 0;
};

}  // namespace notso
