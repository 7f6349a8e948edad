// Lays down GGUF files byte by byte, independent of the writer, so that tests can make wrong ones.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

namespace notso {

// Bytes, little endian, in the order of the calls.
class Bytes {
 public:
  template <class T>
  Bytes& number(T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    bytes_.append(raw, sizeof(T));
    return *this;
  }
  Bytes& u32(std::uint32_t value) { return number(value); }
  Bytes& u64(std::uint64_t value) { return number(value); }
  Bytes& raw(std::string_view text) {
    bytes_ += text;
    return *this;
  }
  Bytes& string(std::string_view text) { return u64(text.size()).raw(text); }
  Bytes& pad(std::size_t alignment = 32) {
    bytes_.append((alignment - bytes_.size() % alignment) % alignment, '\0');
    return *this;
  }
  // The start of a file.
  Bytes& header(std::uint64_t tensors, std::uint64_t pairs, std::uint32_t version = 3) {
    return raw("GGUF").u32(version).u64(tensors).u64(pairs);
  }
  // A metadata pair up to its value.
  Bytes& key(std::string_view name, std::uint32_t type) { return string(name).u32(type); }
  Bytes& tensor(std::string_view name, std::initializer_list<std::uint64_t> shape,
                std::uint32_t type, std::uint64_t offset) {
    string(name).u32(static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t extent : shape) u64(extent);
    return u32(type).u64(offset);
  }
  [[nodiscard]] const std::string& done() const { return bytes_; }

 private:
  std::string bytes_;
};

// A file in the tests' temporary folder that goes away with the object.
class TempFile {
 public:
  TempFile() {
    path_ = std::filesystem::temp_directory_path() / "gguf_test_XXXXXX";
    const int fd = mkstemp(path_.data());
    if (fd < 0) throw std::runtime_error("no temporary file");
    close(fd);
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  ~TempFile() { unlink(path_.c_str()); }

  // Replaces the contents; returns the path.
  const std::string& write(std::string_view bytes) const {
    std::ofstream(path_, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path_;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A file with one pair of every type and no tensor.
inline std::string every_metadata_type() {
  Bytes b;
  b.header(0, 16);
  b.key("u8", 0).number<std::uint8_t>(200);
  b.key("i8", 1).number<std::int8_t>(-5);
  b.key("u16", 2).number<std::uint16_t>(60'000);
  b.key("i16", 3).number<std::int16_t>(1234);
  b.key("u32", 4).u32(4'000'000'000u);
  b.key("i32", 5).number<std::int32_t>(-7);
  b.key("f32", 6).number(1.5f);
  b.key("yes", 7).number<std::uint8_t>(1);
  b.key("text", 8).string("hello");
  b.key("u64", 10).u64(1ull << 60);
  b.key("i64", 11).number<std::int64_t>(-9);
  b.key("f64", 12).number(-2.25);
  b.key("ints", 9).u32(5).u64(3).number(1).number(-2).number(3);
  b.key("floats", 9).u32(6).u64(2).number(0.5f).number(2.0f);
  b.key("strings", 9).u32(8).u64(3).string("a").string("").string("bc");
  b.key("bools", 9).u32(7).u64(2).number<std::uint8_t>(0).number<std::uint8_t>(1);
  return b.done();
}

// Tensor "a", 8 floats, and tensor "b", Q8_0 of 32 x 2, filled with the letter 'b'.
inline std::string two_tensors(std::uint32_t version) {
  Bytes b;
  b.header(2, 1, version).key("general.architecture", 8).string("smollm3");
  b.tensor("a", {8}, 0, 0).tensor("b", {32, 2}, 8, 32).pad();
  b.raw(std::string(32, 'a')).raw(std::string(68, 'b'));
  return b.done();
}

}  // namespace notso
