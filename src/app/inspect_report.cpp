#include "app/inspect_report.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <map>
#include <vector>

#include "base/bytes_text.h"
#include "base/json_text.h"

namespace notso {
namespace {

constexpr std::size_t kElementsShown = 6;
constexpr std::size_t kTextBytesShown = 72;
constexpr std::uint64_t kContexts[] = {4'096, 16'384, 65'536};

// What is counted over all tensors of one type.
struct TypeTotal {
  std::uint64_t tensors = 0;
  std::uint64_t elements = 0;
  std::uint64_t bytes = 0;
};

std::uint64_t elements_of(const GgufTensor& tensor) { return tensor.columns() * tensor.rows(); }

std::map<DType, TypeTotal> totals_by_type(const GgufFile& file) {
  std::map<DType, TypeTotal> totals;
  for (const GgufTensor& tensor : file.tensors()) {
    TypeTotal& total = totals[tensor.type];
    ++total.tensors;
    total.elements += elements_of(tensor);
    total.bytes += tensor.data.size();
  }
  return totals;
}

TypeTotal total_of(const GgufFile& file) {
  TypeTotal sum;
  for (const auto& [type, total] : totals_by_type(file)) {
    sum.tensors += total.tensors;
    sum.elements += total.elements;
    sum.bytes += total.bytes;
  }
  return sum;
}

// Bytes of keys and values that one token of context needs as f16; 0 if the file does not say.
std::uint64_t kv_bytes_per_token(const GgufFile& file) {
  const auto architecture = file.get_string("general.architecture");
  if (!architecture) return 0;
  const auto number = [&](std::string_view name) -> std::uint64_t {
    const auto value = file.get_uint(std::string(*architecture) + "." + std::string(name));
    constexpr std::uint64_t kSane = 1 << 20;
    return value && *value <= kSane ? *value : 0;
  };
  const std::uint64_t heads = number("attention.head_count");
  const std::uint64_t kv_heads = number("attention.head_count_kv");
  std::uint64_t head_dim = number("attention.key_length");
  if (head_dim == 0 && heads != 0) head_dim = number("embedding_length") / heads;
  constexpr std::uint64_t kSane = 1 << 20;
  if (kv_heads * head_dim > kSane) return 0;
  return 2 * 2 * number("block_count") * kv_heads * head_dim;  // K and V, two bytes each
}

template <class T>
T raw_element(const GgufArray& array, std::size_t i) {
  T value;
  std::memcpy(&value, array.raw.data() + i * sizeof(T), sizeof(T));
  return value;
}

// Element i of an array, as JSON.
void append_element(std::string& out, const GgufArray& array, std::size_t i) {
  const auto whole = [&](auto value) { out += std::to_string(value); };
  switch (array.element_type) {
    case GgufType::kU8:
      return whole(raw_element<std::uint8_t>(array, i));
    case GgufType::kI8:
      return whole(raw_element<std::int8_t>(array, i));
    case GgufType::kU16:
      return whole(raw_element<std::uint16_t>(array, i));
    case GgufType::kI16:
      return whole(raw_element<std::int16_t>(array, i));
    case GgufType::kU32:
      return whole(raw_element<std::uint32_t>(array, i));
    case GgufType::kI32:
      return whole(raw_element<std::int32_t>(array, i));
    case GgufType::kU64:
      return whole(raw_element<std::uint64_t>(array, i));
    case GgufType::kI64:
      return whole(raw_element<std::int64_t>(array, i));
    case GgufType::kF32:
      return append_json_number(out, static_cast<double>(raw_element<float>(array, i)));
    case GgufType::kF64:
      return append_json_number(out, raw_element<double>(array, i));
    case GgufType::kBool: {
      out += raw_element<std::uint8_t>(array, i) != 0 ? "true" : "false";
      return;
    }
    case GgufType::kString:
      return append_json_string(out, array.strings[i]);
    case GgufType::kArray:
      return;
  }
}

std::string first_elements(const GgufArray& array) {
  std::string out;
  for (std::size_t i = 0; i < std::min(array.count, kElementsShown); ++i) {
    if (i > 0) out += ", ";
    append_element(out, array, i);
  }
  return out;
}

std::string type_text(const GgufValue& value) {
  const auto* const array = std::get_if<GgufArray>(&value.data);
  if (array == nullptr) return std::string(gguf_type_name(value.type));
  return std::string(gguf_type_name(array->element_type)) + "[" + std::to_string(array->count) +
         "]";
}

// The start of `text` that ends between two characters.
std::string_view shortened(std::string_view text) {
  if (text.size() <= kTextBytesShown) return text;
  std::size_t end = kTextBytesShown;
  while (end > kTextBytesShown - 4 && (static_cast<unsigned char>(text[end]) & 0xc0u) == 0x80u) {
    --end;
  }
  return text.substr(0, end);
}

std::string value_text(const GgufValue& value) {
  std::string out;
  if (const auto* const text = std::get_if<std::string_view>(&value.data)) {
    const std::string_view start = shortened(*text);
    append_json_string(out, start);
    if (start.size() < text->size()) out += "... " + std::to_string(text->size()) + " bytes";
  } else if (const auto* const array = std::get_if<GgufArray>(&value.data)) {
    out += '[';
    out += first_elements(*array);
    out += array->count > kElementsShown ? ", ...]" : "]";
  } else if (const auto* const real = std::get_if<double>(&value.data)) {
    char number[32];
    std::snprintf(number, sizeof number, "%.7g", *real);
    out += number;
  } else if (const auto* const flag = std::get_if<bool>(&value.data)) {
    out += *flag ? "true" : "false";
  } else if (const auto* const natural = std::get_if<std::uint64_t>(&value.data)) {
    out += std::to_string(*natural);
  } else if (const auto* const whole = std::get_if<std::int64_t>(&value.data)) {
    out += std::to_string(*whole);
  }
  return out;
}

std::string shape_text(const GgufTensor& tensor) {
  std::string out;
  for (const std::uint64_t extent : tensor.shape) {
    out += (out.empty() ? "" : " x ") + std::to_string(extent);
  }
  return out.empty() ? "1" : out;
}

// A name on one line: odd characters as JSON escapes them, without the quotes.
std::string line_text(std::string_view name) {
  std::string out;
  append_json_string(out, name);
  return out.substr(1, out.size() - 2);
}

// Rows of cells as lines: columns as wide as their widest cell, those in `right` to the right.
std::string table(const std::vector<std::vector<std::string>>& rows,
                  const std::vector<bool>& right) {
  std::vector<std::size_t> widths(right.size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      widths[i] = std::max(widths[i], std::min<std::size_t>(row[i].size(), 56));
    }
    widths.back() = std::max(widths.back(), right.back() ? row.back().size() : 0);
  }
  std::string out;
  for (const auto& row : rows) {
    out += " ";
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string gap(widths[i] > row[i].size() ? widths[i] - row[i].size() : 0, ' ');
      const bool last = i + 1 == row.size();
      out += " " + (right[i] ? gap + row[i] : last ? row[i] : row[i] + gap + " ");
    }
    out += "\n";
  }
  return out;
}

std::string totals_text(const GgufFile& file) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [type, total] : totals_by_type(file)) {
    rows.push_back({std::string(dtype_info(type).name), std::to_string(total.tensors), "tensors",
                    std::to_string(total.elements), "parameters", bytes_text(total.bytes)});
  }
  const TypeTotal sum = total_of(file);
  rows.push_back({"all", std::to_string(sum.tensors), "tensors", std::to_string(sum.elements),
                  "parameters", bytes_text(sum.bytes)});
  return table(rows, {false, true, false, true, false, true});
}

std::string contexts_text(const GgufFile& file) {
  const std::uint64_t per_token = kv_bytes_per_token(file);
  if (per_token == 0) return "  unknown: the file does not give the shape of its attention\n";
  const std::uint64_t weights = total_of(file).bytes;
  std::vector<std::vector<std::string>> rows;
  for (const std::uint64_t context : kContexts) {
    rows.push_back({std::to_string(context), "tokens", bytes_text(per_token * context),
                    "and weights", bytes_text(per_token * context + weights)});
  }
  return table(rows, {true, false, true, false, true});
}

std::string metadata_json(const GgufFile& file) {
  std::string out;
  for (const auto& [key, value] : file.metadata()) {
    out += out.empty() ? "\n    " : ",\n    ";
    append_json_string(out, key);
    out += ": {\"type\": ";
    if (const auto* const array = std::get_if<GgufArray>(&value.data)) {
      out += "\"array\", \"element_type\": \"" + gguf_type_name(array->element_type) +
             "\", \"count\": " + std::to_string(array->count) + ", \"first\": [" +
             first_elements(*array) + "]}";
      continue;
    }
    out += '"';
    out += gguf_type_name(value.type);
    out += "\", \"value\": ";
    if (const auto* const text = std::get_if<std::string_view>(&value.data)) {
      append_json_string(out, *text);
    } else if (const auto* const real = std::get_if<double>(&value.data)) {
      append_json_number(out, *real);
    } else {
      out += value_text(value);
    }
    out += "}";
  }
  return out;
}

std::string tensors_json(const GgufFile& file) {
  std::string out;
  for (const GgufTensor& tensor : file.tensors()) {
    out += out.empty() ? "\n    {\"name\": " : ",\n    {\"name\": ";
    append_json_string(out, tensor.name);
    out += ", \"type\": \"" + std::string(dtype_info(tensor.type).name) + "\", \"shape\": [";
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      out += (i > 0 ? ", " : "") + std::to_string(tensor.shape[i]);
    }
    out += "], \"bytes\": " + std::to_string(tensor.data.size()) + "}";
  }
  return out;
}

std::string types_json(const GgufFile& file) {
  std::string out;
  for (const auto& [type, total] : totals_by_type(file)) {
    out += (out.empty() ? "\n    \"" : ",\n    \"") + std::string(dtype_info(type).name) +
           "\": {\"tensors\": " + std::to_string(total.tensors) +
           ", \"parameters\": " + std::to_string(total.elements) +
           ", \"bytes\": " + std::to_string(total.bytes) + "}";
  }
  return out;
}

std::string contexts_json(const GgufFile& file) {
  const std::uint64_t per_token = kv_bytes_per_token(file);
  if (per_token == 0) return "null";
  std::string out = "{\"bytes_per_token\": " + std::to_string(per_token);
  for (const std::uint64_t context : kContexts) {
    out += ", \"" + std::to_string(context) + "\": " + std::to_string(per_token * context);
  }
  return out + "}";
}

}  // namespace

std::string inspect_text(const GgufFile& file) {
  std::string out = file.path() + "\n  GGUF version " + std::to_string(file.version()) + ", " +
                    bytes_text(file.file().bytes().size()) + ", " +
                    std::to_string(file.metadata().size()) + " metadata pairs, " +
                    std::to_string(file.tensors().size()) + " tensors, alignment " +
                    std::to_string(file.alignment()) + "\n\nMetadata\n";
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, value] : file.metadata()) {
    rows.push_back({line_text(key), type_text(value), value_text(value)});
  }
  out += table(rows, {false, false, false}) + "\nTensors\n";
  rows.clear();
  for (const GgufTensor& tensor : file.tensors()) {
    rows.push_back({line_text(tensor.name), std::string(dtype_info(tensor.type).name),
                    shape_text(tensor), bytes_text(tensor.data.size())});
  }
  out += table(rows, {false, false, false, true}) + "\nTotals\n" + totals_text(file);
  return out + "\nMemory for a context, keys and values in f16\n" + contexts_text(file);
}

std::string inspect_json(const GgufFile& file) {
  const TypeTotal sum = total_of(file);
  std::string out = "{\n  \"path\": ";
  append_json_string(out, file.path());
  out += ",\n  \"version\": " + std::to_string(file.version()) +
         ",\n  \"alignment\": " + std::to_string(file.alignment()) +
         ",\n  \"file_bytes\": " + std::to_string(file.file().bytes().size()) +
         ",\n  \"parameters\": " + std::to_string(sum.elements) +
         ",\n  \"tensor_bytes\": " + std::to_string(sum.bytes) +
         ",\n  \"kv_f16\": " + contexts_json(file) + ",\n  \"metadata\": {" + metadata_json(file) +
         "\n  },\n  \"types\": {" + types_json(file) + "\n  },\n  \"tensors\": [" +
         tensors_json(file) + "\n  ]\n}\n";
  return out;
}

}  // namespace notso
