// The GGUF format, as read here (all numbers little endian):
//
//   header     "GGUF", u32 version (2 or 3), u64 number of tensors, u64 number of metadata pairs
//   metadata   per pair: string key, u32 type, value. A string is u64 length and its bytes. The
//              types are GgufType's numbers; a bool is one byte; an array is u32 element type, u64
//              count and its elements back to back. Arrays of arrays exist in the format, no model
//              uses them, and they are refused.
//   tensors    per tensor: string name, u32 number of dimensions, u64 each dimension (the
//              contiguous one first), u32 type (DType's numbers), u64 offset
//   padding    to a multiple of the alignment: the pair general.alignment, or 32
//   data       the tensors' bytes; their offsets count from here and are multiples of the alignment
//
// Version 1 had 32-bit lengths, version 3 added big-endian files; both kinds are refused by name.
// Every length is untrusted: it is held against a cap and the bytes that remain before it is used
// or multiplied, so the heap that a file can claim is bounded by its size and by the caps below.
#include "ml/core/gguf/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "ml/core/gguf/gguf_impl.h"

namespace notso {

static_assert(std::endian::native == std::endian::little, "values are copied as they lie");

namespace {

constexpr std::uint64_t kMetadataCountMax = 65'536;
constexpr std::uint64_t kTensorCountMax = 65'536;
constexpr std::uint64_t kKeyBytesMax = 65'535;
constexpr std::uint64_t kTensorNameBytesMax = 64;
constexpr std::uint64_t kStringBytesMax = 16 << 20;
constexpr std::uint64_t kArrayCountMax = 16 << 20;
constexpr std::uint64_t kStringsInArraysMax = 4 << 20;  // in the whole file: each costs 16 bytes
constexpr std::uint32_t kDimensionsMax = 4;
constexpr std::uint64_t kAlignmentMin = 8;
constexpr std::uint64_t kAlignmentMax = 65'536;
// The fewest bytes that a metadata pair and a tensor can take.
constexpr std::uint64_t kPairBytesMin = 8 + 1 + 4 + 1;
constexpr std::uint64_t kTensorBytesMin = 8 + 1 + 4 + 4 + 8;

std::string number(std::uint64_t value) { return std::to_string(value); }

// What a file without the GGUF magic seems to be.
std::string_view looks_like(std::string_view head) {
  struct Signature {
    std::string_view bytes;
    std::string_view meaning;
  };
  static constexpr Signature kSignatures[] = {
      {"lmgg", "an old GGML file; convert the model to GGUF"},
      {"fmgg", "an old GGML file; convert the model to GGUF"},
      {"tjgg", "an old GGJT file; convert the model to GGUF"},
      {"algg", "an old GGLA adapter; a whole model as GGUF is needed"},
      {"PK\x03\x04", "a ZIP or PyTorch file; convert the model to GGUF"},
      {"version https://git-lfs", "a Git LFS pointer, not the file itself; run 'git lfs pull'"},
      {"<!", "a web page; the download brought an error page instead of the model"},
      {"<h", "a web page; the download brought an error page instead of the model"},
      {"{", "a JSON file; name the .gguf file instead"},
      {"\x7f"
       "ELF",
       "a program; name the .gguf file instead"},
      {"\x1f\x8b", "a gzip archive; unpack it first"},
  };
  for (const Signature& signature : kSignatures) {
    if (head.starts_with(signature.bytes)) return signature.meaning;
  }
  if (head.size() > 9 && head.substr(8, 2) == "{\"") {
    return "a safetensors file; convert the model to GGUF";
  }
  if (head.find_first_not_of('\0') == std::string_view::npos) {
    return "zeros, as an unfinished download leaves them; download it again";
  }
  return "something else; name a .gguf model file";
}

// Reads the file's bytes in order, out of a copy that is made as the reading goes on. The first
// failure is kept and everything after it is a no-op: each step returns false once `error` is set.
class Parser {
 public:
  Parser(GgufContents& contents, Error& error)
      : contents_(contents), error_(error), file_bytes_(contents.file.bytes().size()) {}

  bool parse() {
    std::uint64_t tensor_count = 0;
    std::uint64_t metadata_count = 0;
    return parse_header(tensor_count, metadata_count) && parse_metadata(metadata_count) &&
           check_keys() && parse_tensors(tensor_count) && check_tensor_names() && place_tensors();
  }

 private:
  GgufContents& contents_;
  Error& error_;
  std::size_t file_bytes_;
  std::size_t position_ = 0;
  std::uint64_t strings_in_arrays_ = 0;
  std::vector<std::uint64_t> offsets_;  // per tensor, from the start of the data

  bool refuse(ErrorCode code, const std::string& message) {
    error_ = {code, "'" + contents_.file.path() + "' " + message};
    return false;
  }
  bool malformed(const std::string& message) {
    return refuse(ErrorCode::kInvalidArgument,
                  "is damaged: " + message + "; download or convert the model again");
  }

  [[nodiscard]] std::size_t remaining() const { return file_bytes_ - position_; }

  // Where the next byte is.
  [[nodiscard]] const std::byte* here() const { return contents_.header.data() + position_; }

  // Whether the file has `count` more bytes of `what`.
  bool need(std::uint64_t count, const std::string& what) {
    if (count <= remaining()) return true;
    return refuse(ErrorCode::kDataLoss, "is cut short: " + what + " misses " +
                                            number(count - remaining()) +
                                            " bytes; download the model again");
  }

  // Whether `count` more bytes of `what` can be read at here().
  bool take(std::uint64_t count, const std::string& what) {
    if (!need(count, what)) return false;
    const Status taken = contents_.header.take(contents_.file, position_ + count);
    if (!taken) error_ = taken.error();
    return taken.has_value();
  }

  template <class T>
  bool read(T& value, const std::string& what) {
    if (!take(sizeof(T), what)) return false;
    std::memcpy(&value, here(), sizeof(T));
    position_ += sizeof(T);
    return true;
  }

  bool read_string(std::string_view& value, std::uint64_t bytes_max, const std::string& what) {
    std::uint64_t length = 0;
    if (!read(length, what)) return false;
    if (length > bytes_max) {
      return malformed(what + " says it has " + number(length) + " bytes, at most " +
                       number(bytes_max) + " are allowed");
    }
    if (!take(length, what)) return false;
    value = {reinterpret_cast<const char*>(here()), length};
    position_ += length;
    return true;
  }

  bool parse_header(std::uint64_t& tensor_count, std::uint64_t& metadata_count) {
    const std::size_t head_bytes = std::min<std::size_t>(file_bytes_, 64);
    if (!take(head_bytes, "the head")) return false;
    const std::string_view head(reinterpret_cast<const char*>(here()), head_bytes);
    if (head.empty()) {
      return refuse(ErrorCode::kInvalidArgument, "is empty; download the model again");
    }
    if (!head.starts_with("GGUF")) {
      return refuse(ErrorCode::kInvalidArgument,
                    "is not a GGUF file: it seems to be " + std::string(looks_like(head)));
    }
    position_ = 4;
    if (!read(contents_.version, "the version")) return false;
    if (contents_.version == 1) {
      return refuse(ErrorCode::kUnsupported,
                    "is GGUF version 1; convert the model again to version 3");
    }
    if (contents_.version != 0 && (contents_.version & 0xffffu) == 0) {
      return refuse(ErrorCode::kUnsupported,
                    "is a big-endian GGUF file; use the little-endian one of this model");
    }
    if (contents_.version != 2 && contents_.version != 3) {
      return refuse(ErrorCode::kUnsupported, "is GGUF version " + number(contents_.version) +
                                                 "; this program reads versions 2 and 3");
    }
    if (!read(tensor_count, "the tensor count")) return false;
    if (!read(metadata_count, "the metadata count")) return false;
    return check_count(tensor_count, kTensorCountMax, kTensorBytesMin, "tensors") &&
           check_count(metadata_count, kMetadataCountMax, kPairBytesMin, "metadata pairs");
  }

  bool check_count(std::uint64_t count, std::uint64_t most, std::uint64_t bytes_min,
                   const std::string& what) {
    if (count > most) {
      return malformed("it says it has " + number(count) + " " + what + ", at most " +
                       number(most) + " are allowed");
    }
    return need(count * bytes_min, "the list of " + number(count) + " " + what);
  }

  bool parse_metadata(std::uint64_t count) {
    contents_.metadata.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      auto& [key, value] = contents_.metadata.emplace_back();
      if (!read_string(key, kKeyBytesMax, "the key of metadata pair " + number(i))) return false;
      if (key.empty()) return malformed("metadata pair " + number(i) + " has no key");
      const std::string what = "the value of " + gguf_quoted(key);
      if (!read(value.type, what) || !parse_value(value, what)) return false;
    }
    return true;
  }

  // Reads a number of file type T and keeps it as the wider type Wide.
  template <class T, class Wide>
  bool parse_number(GgufValue& value, const std::string& what) {
    T narrow{};
    if (!read(narrow, what)) return false;
    value.data = static_cast<Wide>(narrow);
    return true;
  }

  bool parse_value(GgufValue& value, const std::string& what) {
    switch (value.type) {
      case GgufType::kU8:
        return parse_number<std::uint8_t, std::uint64_t>(value, what);
      case GgufType::kU16:
        return parse_number<std::uint16_t, std::uint64_t>(value, what);
      case GgufType::kU32:
        return parse_number<std::uint32_t, std::uint64_t>(value, what);
      case GgufType::kU64:
        return parse_number<std::uint64_t, std::uint64_t>(value, what);
      case GgufType::kI8:
        return parse_number<std::int8_t, std::int64_t>(value, what);
      case GgufType::kI16:
        return parse_number<std::int16_t, std::int64_t>(value, what);
      case GgufType::kI32:
        return parse_number<std::int32_t, std::int64_t>(value, what);
      case GgufType::kI64:
        return parse_number<std::int64_t, std::int64_t>(value, what);
      case GgufType::kF32:
        return parse_number<float, double>(value, what);
      case GgufType::kF64:
        return parse_number<double, double>(value, what);
      case GgufType::kBool:
        return parse_number<std::uint8_t, bool>(value, what);
      case GgufType::kString:
        return read_string(value.data.emplace<std::string_view>(), kStringBytesMax, what);
      case GgufType::kArray:
        return parse_array(value.data.emplace<GgufArray>(), what);
    }
    return malformed(what + " has the unknown " + gguf_type_name(value.type));
  }

  bool parse_array(GgufArray& array, const std::string& what) {
    std::uint64_t count = 0;
    if (!read(array.element_type, what) || !read(count, what)) return false;
    if (array.element_type == GgufType::kArray) {
      return refuse(ErrorCode::kUnsupported,
                    "cannot be used: " + what + " is an array of arrays, which no model needs");
    }
    if (count > kArrayCountMax) {
      return malformed(what + " says it has " + number(count) + " elements, at most " +
                       number(kArrayCountMax) + " are allowed");
    }
    array.count = count;
    if (array.element_type == GgufType::kString) return parse_strings(array, what);
    const std::size_t element_bytes = gguf_type_bytes(array.element_type);
    if (element_bytes == 0) {
      return malformed(what + " is an array of the unknown " + gguf_type_name(array.element_type));
    }
    if (!take(count * element_bytes, what)) return false;
    array.raw = {here(), count * element_bytes};
    position_ += array.raw.size();
    return true;
  }

  bool parse_strings(GgufArray& array, const std::string& what) {
    if (!need(array.count * 8, what)) return false;  // each string has at least its length
    strings_in_arrays_ += array.count;
    if (strings_in_arrays_ > kStringsInArraysMax) {
      return malformed(what + " brings the strings in arrays to " + number(strings_in_arrays_) +
                       ", at most " + number(kStringsInArraysMax) + " are allowed");
    }
    array.strings.resize(array.count);
    for (std::string_view& text : array.strings) {
      if (!read_string(text, kStringBytesMax, what)) return false;
    }
    return true;
  }

  // Sorts by name; two equal neighbours are a duplicate, whose index is returned (or the size).
  template <class NameOf>
  static std::size_t sort_by_name(std::vector<std::uint32_t>& order, std::size_t count,
                                  NameOf name_of) {
    order.resize(count);
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      const auto order_of_names = name_of(a).compare(name_of(b));
      return order_of_names != 0 ? order_of_names < 0 : a < b;
    });
    const auto twin = std::adjacent_find(
        order.begin(), order.end(),
        [&](std::uint32_t a, std::uint32_t b) { return name_of(a) == name_of(b); });
    return twin == order.end() ? count : *twin;
  }

  const GgufValue* value_of(std::string_view key) const {
    for (const auto& [name, value] : contents_.metadata) {
      if (name == key) return &value;
    }
    return nullptr;
  }

  // Duplicates, then the two keys that decide how the file is read: alignment and splitting.
  bool check_keys() {
    const auto& metadata = contents_.metadata;
    const std::size_t twin = sort_by_name(contents_.metadata_order, metadata.size(),
                                          [&](std::uint32_t i) { return metadata[i].first; });
    if (twin < metadata.size()) {
      return malformed("it has the key " + gguf_quoted(metadata[twin].first) + " twice");
    }
    if (const GgufValue* const value = value_of("general.alignment")) {
      const auto* const alignment = std::get_if<std::uint64_t>(&value->data);
      if (alignment == nullptr || !std::has_single_bit(*alignment) || *alignment < kAlignmentMin ||
          *alignment > kAlignmentMax) {
        return malformed("'general.alignment' is not a power of two from " + number(kAlignmentMin) +
                         " to " + number(kAlignmentMax));
      }
      contents_.alignment = static_cast<std::uint32_t>(*alignment);
    }
    return check_split();
  }

  bool check_split() {
    const GgufValue* const value = value_of("split.count");
    if (value == nullptr) return true;
    std::uint64_t count = 0;
    if (const auto* const parts = std::get_if<std::uint64_t>(&value->data)) count = *parts;
    if (const auto* const parts = std::get_if<std::int64_t>(&value->data)) {
      count = static_cast<std::uint64_t>(std::max<std::int64_t>(*parts, 0));
    }
    if (count <= 1) return true;
    return refuse(ErrorCode::kUnsupported,
                  "is one of " + number(count) +
                      " parts of a split model; join the parts with 'llama-gguf-split --merge' "
                      "or use a file that is in one piece");
  }

  bool parse_tensors(std::uint64_t count) {
    contents_.tensors.reserve(count);
    offsets_.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      GgufTensor& tensor = contents_.tensors.emplace_back();
      std::uint64_t& offset = offsets_.emplace_back(0);
      if (!parse_tensor(tensor, offset, i)) return false;
    }
    return true;
  }

  bool parse_tensor(GgufTensor& tensor, std::uint64_t& offset, std::uint64_t index) {
    const std::string which = "the name of tensor " + number(index);
    if (!read_string(tensor.name, kTensorNameBytesMax, which)) return false;
    if (tensor.name.empty()) return malformed("tensor " + number(index) + " has no name");
    const std::string what = "tensor " + gguf_quoted(tensor.name);
    std::uint32_t dimensions = 0;
    if (!read(dimensions, what)) return false;
    if (dimensions > kDimensionsMax) {
      return malformed(what + " says it has " + number(dimensions) + " dimensions, at most " +
                       number(kDimensionsMax) + " are allowed");
    }
    tensor.shape.resize(dimensions);
    for (std::uint64_t& extent : tensor.shape) {
      if (!read(extent, what)) return false;
    }
    std::uint32_t raw_type = 0;
    if (!read(raw_type, what) || !read(offset, what)) return false;
    return check_type(tensor, raw_type, what) && measure(tensor, what) &&
           check_offset(offset, what);
  }

  bool check_type(GgufTensor& tensor, std::uint32_t raw_type, const std::string& what) {
    const std::optional<DType> type = dtype_from_raw(raw_type);
    if (type) {
      tensor.type = *type;
      return true;
    }
    const std::string_view name = dtype_raw_name(raw_type);
    if (name == "unknown") {
      return malformed(what + " has the unknown type number " + number(raw_type));
    }
    return refuse(ErrorCode::kUnsupported,
                  "cannot be used: " + what + " has type " + std::string(name) +
                      ", which this program does not read; use a Q4_K_M, Q5_K_M, Q6_K, Q8_0 or "
                      "F16 file of the model");
  }

  // Sets the size of tensor.data; its place is not known before all tensors are read.
  bool measure(GgufTensor& tensor, const std::string& what) {
    std::uint64_t elements = 1;
    for (const std::uint64_t extent : tensor.shape) {
      if (extent == 0) return malformed(what + " has a dimension of 0");
      if (__builtin_mul_overflow(elements, extent, &elements)) {
        return malformed(what + " has more elements than fit in 64 bits");
      }
    }
    const DTypeInfo& info = dtype_info(tensor.type);
    if (tensor.columns() % info.block_size != 0) {
      return malformed(what + " has rows of " + number(tensor.columns()) + " elements, type " +
                       std::string(info.name) + " needs a multiple of " + number(info.block_size));
    }
    std::uint64_t size = 0;
    if (__builtin_mul_overflow(elements / info.block_size, info.block_bytes, &size)) {
      return malformed(what + " has more bytes than fit in 64 bits");
    }
    tensor.data = {static_cast<const std::byte*>(nullptr), size};
    return true;
  }

  bool check_offset(std::uint64_t offset, const std::string& what) {
    if (offset % contents_.alignment == 0) return true;
    return malformed(what + " starts at offset " + number(offset) +
                     ", which is no multiple of the alignment " + number(contents_.alignment));
  }

  bool check_tensor_names() {
    const auto& tensors = contents_.tensors;
    const std::size_t twin = sort_by_name(contents_.tensor_order, tensors.size(),
                                          [&](std::uint32_t i) { return tensors[i].name; });
    if (twin == tensors.size()) return true;
    return malformed("it has the tensor " + gguf_quoted(tensors[twin].name) + " twice");
  }

  // Checks in order of offset that no two tensors share bytes and that the last one ends inside
  // the file, then points every tensor to its bytes.
  bool place_tensors() {
    if (contents_.tensors.empty()) return true;
    std::vector<std::uint32_t> order(contents_.tensors.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(),
              [&](std::uint32_t a, std::uint32_t b) { return offsets_[a] < offsets_[b]; });
    std::uint64_t end = 0;
    const GgufTensor* previous = nullptr;
    for (const std::uint32_t i : order) {
      const GgufTensor& tensor = contents_.tensors[i];
      if (offsets_[i] < end) {
        return malformed("tensors " + gguf_quoted(previous->name) + " and " +
                         gguf_quoted(tensor.name) + " share bytes");
      }
      if (__builtin_add_overflow(offsets_[i], tensor.data.size(), &end)) {
        return malformed("tensor " + gguf_quoted(tensor.name) + " ends beyond 64 bits");
      }
      previous = &tensor;
    }
    const std::size_t alignment = contents_.alignment;
    const std::size_t start = (position_ + alignment - 1) / alignment * alignment;
    const std::size_t available = file_bytes_ > start ? file_bytes_ - start : 0;
    if (end > available) {
      return refuse(ErrorCode::kDataLoss,
                    "is cut short: tensor " + gguf_quoted(previous->name) + " ends " +
                        number(end - available) +
                        " bytes after the end of the file; download the model again");
    }
    for (std::size_t i = 0; i < contents_.tensors.size(); ++i) {
      GgufTensor& tensor = contents_.tensors[i];
      tensor.data = contents_.file.bytes().subspan(start + offsets_[i], tensor.data.size());
    }
    return true;
  }
};

}  // namespace

Status parse_gguf(GgufContents& contents) {
  Error error{ErrorCode::kInternal, ""};
  if (!Parser(contents, error).parse()) return tl::unexpected<Error>(std::move(error));
  return {};
}

}  // namespace notso
