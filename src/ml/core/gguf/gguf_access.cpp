// Opening, and typed look-ups in an opened file.
#include <algorithm>
#include <cstring>
#include <limits>

#include "ml/core/gguf/gguf.h"
#include "ml/core/gguf/gguf_impl.h"

namespace notso {

std::size_t gguf_type_bytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return 1;
    case GgufType::kU16:
    case GgufType::kI16:
      return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32:
      return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      return 0;
  }
  return 0;
}

std::string gguf_type_name(GgufType type) {
  static constexpr std::string_view kNames[] = {"u8",  "i8",  "u16",  "i16",    "u32",
                                                "i32", "f32", "bool", "string", "array",
                                                "u64", "i64", "f64"};
  const auto raw = static_cast<std::uint32_t>(type);
  return raw < std::size(kNames) ? std::string(kNames[raw]) : "type " + std::to_string(raw);
}

std::string gguf_quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "'";
  for (const char c : text.substr(0, 80)) {
    const auto code = static_cast<unsigned char>(c);
    if (code >= 32 && code < 127) {
      quoted += c;
    } else {
      quoted += "\\x";
      quoted += kHex[code >> 4];
      quoted += kHex[code & 15];
    }
  }
  return quoted + (text.size() > 80 ? "...'" : "'");
}

namespace {

// The element type as a plural would name the wish of a caller.
tl::unexpected<Error> wrong_kind(const GgufFile& file, std::string_view key, const GgufValue* found,
                                 const std::string& expected) {
  const std::string about = "'" + file.path() + "' ";
  if (found == nullptr) {
    return fail(ErrorCode::kInvalidArgument, about + "has no metadata key " + gguf_quoted(key) +
                                                 " (" + expected +
                                                 "); it is incomplete or not a file of this model");
  }
  std::string kind = gguf_type_name(found->type);
  if (const auto* const array = std::get_if<GgufArray>(&found->data)) {
    kind += " of " + gguf_type_name(array->element_type);
  }
  return fail(ErrorCode::kInvalidArgument, about + "has " + gguf_quoted(key) + " as " + kind +
                                               " where " + expected +
                                               " is expected; convert the model again");
}

// Element i of a numeric array.
template <class T>
T element(const GgufArray& array, std::size_t i) {
  T value;
  std::memcpy(&value, array.raw.data() + i * sizeof(T), sizeof(T));
  return value;
}

// All elements as Out; false if one of them does not fit.
template <class T, class Out>
bool copy_elements(const GgufArray& array, std::vector<Out>& out) {
  out.reserve(array.count);
  for (std::size_t i = 0; i < array.count; ++i) {
    const T value = element<T>(array, i);
    if constexpr (std::is_integral_v<Out>) {
      if (!std::in_range<Out>(value)) return false;
    }
    out.push_back(static_cast<Out>(value));
  }
  return true;
}

bool copy_integers(const GgufArray& array, std::vector<std::int32_t>& out) {
  switch (array.element_type) {
    case GgufType::kU8:
      return copy_elements<std::uint8_t>(array, out);
    case GgufType::kI8:
      return copy_elements<std::int8_t>(array, out);
    case GgufType::kU16:
      return copy_elements<std::uint16_t>(array, out);
    case GgufType::kI16:
      return copy_elements<std::int16_t>(array, out);
    case GgufType::kU32:
      return copy_elements<std::uint32_t>(array, out);
    case GgufType::kI32:
      return copy_elements<std::int32_t>(array, out);
    case GgufType::kU64:
      return copy_elements<std::uint64_t>(array, out);
    case GgufType::kI64:
      return copy_elements<std::int64_t>(array, out);
    default:
      return false;
  }
}

// The index whose name is `name`, by binary search in `order`.
template <class NameOf>
std::optional<std::uint32_t> look_up(std::span<const std::uint32_t> order, std::string_view name,
                                     NameOf name_of) {
  const auto at = std::lower_bound(
      order.begin(), order.end(), name,
      [&](std::uint32_t i, std::string_view wanted) { return name_of(i) < wanted; });
  if (at == order.end() || name_of(*at) != name) return std::nullopt;
  return *at;
}

}  // namespace

std::uint64_t GgufTensor::rows() const {
  std::uint64_t product = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) product *= shape[i];
  return product;
}

Result<std::shared_ptr<const GgufFile>> GgufFile::open(const std::string& path) {
  Result<MappedFile> mapped = MappedFile::open(path);
  if (!mapped) return pass_on(mapped);
  const std::shared_ptr<GgufFile> file(new GgufFile);
  file->impl_->file = std::move(*mapped);
  Status parsed = parse_gguf(*file->impl_);
  if (!parsed) return pass_on(parsed);
  return file;
}

GgufFile::GgufFile() : impl_(std::make_unique<Impl>()) {}
GgufFile::~GgufFile() = default;

const std::string& GgufFile::path() const { return impl_->file.path(); }
std::uint32_t GgufFile::version() const { return impl_->version; }
std::uint32_t GgufFile::alignment() const { return impl_->alignment; }
const MappedFile& GgufFile::file() const { return impl_->file; }

std::span<const std::pair<std::string_view, GgufValue>> GgufFile::metadata() const {
  return impl_->metadata;
}

std::span<const GgufTensor> GgufFile::tensors() const { return impl_->tensors; }

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto index = look_up(impl_->metadata_order, key,
                             [&](std::uint32_t i) { return impl_->metadata[i].first; });
  return index ? &impl_->metadata[*index].second : nullptr;
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto index =
      look_up(impl_->tensor_order, name, [&](std::uint32_t i) { return impl_->tensors[i].name; });
  return index ? &impl_->tensors[*index] : nullptr;
}

Result<std::uint64_t> GgufFile::get_uint(std::string_view key) const {
  const GgufValue* const value = find(key);
  if (value != nullptr) {
    if (const auto* const number = std::get_if<std::uint64_t>(&value->data)) return *number;
    const auto* const number = std::get_if<std::int64_t>(&value->data);
    if (number != nullptr && *number >= 0) return static_cast<std::uint64_t>(*number);
  }
  return wrong_kind(*this, key, value, "a whole number of 0 or more");
}

Result<double> GgufFile::get_float(std::string_view key) const {
  const GgufValue* const value = find(key);
  if (value != nullptr) {
    if (const auto* const number = std::get_if<double>(&value->data)) return *number;
  }
  return wrong_kind(*this, key, value, "a floating-point number");
}

Result<bool> GgufFile::get_bool(std::string_view key) const {
  const GgufValue* const value = find(key);
  if (value != nullptr) {
    if (const auto* const flag = std::get_if<bool>(&value->data)) return *flag;
  }
  return wrong_kind(*this, key, value, "a bool");
}

Result<std::string_view> GgufFile::get_string(std::string_view key) const {
  const GgufValue* const value = find(key);
  if (value != nullptr) {
    if (const auto* const text = std::get_if<std::string_view>(&value->data)) return *text;
  }
  return wrong_kind(*this, key, value, "a string");
}

Result<std::span<const std::string_view>> GgufFile::get_strings(std::string_view key) const {
  const GgufValue* const value = find(key);
  if (value != nullptr) {
    const auto* const array = std::get_if<GgufArray>(&value->data);
    if (array != nullptr && array->element_type == GgufType::kString) {
      return std::span<const std::string_view>(array->strings);
    }
  }
  return wrong_kind(*this, key, value, "an array of strings");
}

Result<std::vector<std::int32_t>> GgufFile::get_int_array(std::string_view key) const {
  const GgufValue* const value = find(key);
  if (value != nullptr) {
    const auto* const array = std::get_if<GgufArray>(&value->data);
    std::vector<std::int32_t> out;
    if (array != nullptr && copy_integers(*array, out)) return out;
  }
  return wrong_kind(*this, key, value, "an array of 32-bit integers");
}

Result<std::vector<float>> GgufFile::get_float_array(std::string_view key) const {
  const GgufValue* const value = find(key);
  if (value != nullptr) {
    const auto* const array = std::get_if<GgufArray>(&value->data);
    std::vector<float> out;
    if (array != nullptr && array->element_type == GgufType::kF32 &&
        copy_elements<float>(*array, out)) {
      return out;
    }
    if (array != nullptr && array->element_type == GgufType::kF64 &&
        copy_elements<double>(*array, out)) {
      return out;
    }
  }
  return wrong_kind(*this, key, value, "an array of floating-point numbers");
}

}  // namespace notso
