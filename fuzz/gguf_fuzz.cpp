// GGUF: any bytes are refused with one line, or open and can be read to the last byte.
#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "ml/core/gguf/gguf.h"

namespace {

// Reads all bytes that a view shows, so that a sanitizer sees a bad one.
template <class View>
std::size_t touch(const View& view) {
  std::size_t sum = 0;
  for (const auto item : view) sum += static_cast<std::size_t>(item);
  return sum;
}

std::size_t touch_all(const notso::GgufFile& file) {
  std::size_t sum = 0;
  for (const auto& [key, value] : file.metadata()) {
    sum += touch(key);
    NOTSO_CHECK(file.find(key) == &value);
    if (const auto* const text = std::get_if<std::string_view>(&value.data)) sum += touch(*text);
    if (const auto* const array = std::get_if<notso::GgufArray>(&value.data)) {
      sum += touch(array->raw);
      for (const std::string_view text : array->strings) sum += touch(text);
    }
    // Every typed access gives a value or an error, whatever the type.
    sum += file.get_uint(key).has_value() + file.get_float(key).has_value() +
           file.get_bool(key).has_value() + file.get_string(key).has_value() +
           file.get_strings(key).has_value() + file.get_int_array(key).has_value() +
           file.get_float_array(key).has_value();
  }
  for (const notso::GgufTensor& tensor : file.tensors()) {
    NOTSO_CHECK(file.find_tensor(tensor.name) == &tensor);
    sum += touch(tensor.data) + tensor.rows() + tensor.columns();
  }
  return sum;
}

}  // namespace

// libFuzzer chose the name. NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int fd = memfd_create("gguf", MFD_CLOEXEC);
  NOTSO_CHECK(fd >= 0);
  NOTSO_CHECK(write(fd, data, size) == static_cast<ssize_t>(size));
  const auto file = notso::GgufFile::open("/proc/self/fd/" + std::to_string(fd));
  if (file) {
    volatile std::size_t sum = touch_all(**file);
    static_cast<void>(sum);
  } else {
    NOTSO_CHECK(!file.error().message.empty());
    NOTSO_CHECK(file.error().message.find('\n') == std::string::npos);
  }
  close(fd);
  return 0;
}
