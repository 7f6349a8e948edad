#include "service/template/value_ops.h"

#include <cmath>

#include "service/template/string_format.h"
#include "service/template/template_error.h"
#include "service/template/unicode.h"
#include "service/template/value_format.h"

namespace notso::jinja {
namespace {

bool is_integral(const Value& value) { return value.is(Kind::kInt) || value.is(Kind::kBool); }

// Exact for every 64-bit integer and every double: long double has 64 bits of mantissa or more.
long double wide(const Value& value) {
  if (is_integral(value)) return static_cast<long double>(index_of(value));
  return static_cast<long double>(value.as_float());
}

void require_defined(const Value& a, const Value& b) {
  for (const Value* value : {&a, &b}) {
    if (value->is(Kind::kUndefined)) throw TemplateError(value->undefined_message());
  }
}

bool lists_equal(Runtime& runtime, const Value& a, const Value& b) {
  const auto plain = [](const Value& value) {
    return value.list_kind() == ListKind::kGroup ? ListKind::kTuple : value.list_kind();
  };
  if (plain(a) != plain(b) || a.as_list().size() != b.as_list().size()) return false;
  for (std::size_t i = 0; i < a.as_list().size(); ++i) {
    if (!equals(runtime, a.as_list()[i], b.as_list()[i])) return false;
  }
  return true;
}

bool dicts_equal(Runtime& runtime, const Dict& a, const Dict& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [key, value] : a.entries()) {
    const Value* other = b.find(key);
    if (other == nullptr || !equals(runtime, value, *other)) return false;
  }
  return true;
}

// -1, 0, 1, or 2 when neither comes first (NaN).
int order(Runtime& runtime, const Value& a, const Value& b) {
  DepthGuard depth(runtime);
  runtime.step();
  require_defined(a, b);
  if (a.is_number() && b.is_number()) {
    const long double left = wide(a);
    const long double right = wide(b);
    if (left < right) return -1;
    if (left > right) return 1;
    return left == right ? 0 : 2;
  }
  if (a.is(Kind::kString) && b.is(Kind::kString)) {
    runtime.step(std::min(a.as_view().size(), b.as_view().size()) / 64);
    const int result = a.as_view().compare(b.as_view());
    return result < 0 ? -1 : (result > 0 ? 1 : 0);
  }
  if (a.is(Kind::kList) && b.is(Kind::kList) && a.type_name() == b.type_name()) {
    const auto& left = a.as_list();
    const auto& right = b.as_list();
    for (std::size_t i = 0; i < left.size() && i < right.size(); ++i) {
      if (!equals(runtime, left[i], right[i])) return order(runtime, left[i], right[i]);
    }
    if (left.size() == right.size()) return 0;
    return left.size() < right.size() ? -1 : 1;
  }
  throw TemplateError("'" + a.type_name() + "' and '" + b.type_name() + "' cannot be ordered");
}

}  // namespace

std::int64_t index_of(const Value& value) {
  if (value.is(Kind::kInt)) return value.as_int();
  if (value.is(Kind::kBool)) return value.as_bool() ? 1 : 0;
  if (value.is(Kind::kUndefined)) throw TemplateError(value.undefined_message());
  throw TemplateError("an integer is needed, not '" + value.type_name() + "'");
}

double float_of(const Value& value) {
  return value.is(Kind::kFloat) ? value.as_float() : static_cast<double>(index_of(value));
}

bool equals(Runtime& runtime, const Value& a, const Value& b) {
  DepthGuard depth(runtime);
  runtime.step();
  if (a.is_number() && b.is_number()) return wide(a) == wide(b);
  if (a.kind() != b.kind()) return false;
  if (a.is(Kind::kString)) {
    runtime.step(std::min(a.as_view().size(), b.as_view().size()) / 64);
    return a.as_view() == b.as_view();
  }
  if (a.is(Kind::kList)) return lists_equal(runtime, a, b);
  if (a.is(Kind::kDict)) return dicts_equal(runtime, a.as_dict(), b.as_dict());
  return a.same_as(b);
}

bool less(Runtime& runtime, const Value& a, const Value& b) { return order(runtime, a, b) == -1; }

bool less_or_equal(Runtime& runtime, const Value& a, const Value& b) {
  const int result = order(runtime, a, b);
  return result == -1 || result == 0;
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::kString:
      if (!item.is(Kind::kString)) {
        throw TemplateError("'in <string>' needs a string on the left, not '" + item.type_name() +
                            "'");
      }
      runtime.step(container.as_view().size() / 64);
      return container.as_view().find(item.as_view()) != std::string_view::npos;
    case Kind::kDict:
      return container.as_dict().find(item) != nullptr;
    case Kind::kUndefined:
      return false;
    case Kind::kList:
      for (const Value& candidate : container.as_list()) {
        if (equals(runtime, candidate, item)) return true;
      }
      return false;
    default:
      throw TemplateError("argument of type '" + container.type_name() + "' is not iterable");
  }
}

bool is_iterable(const Value& value) {
  return value.is(Kind::kString) || value.is(Kind::kList) || value.is(Kind::kDict) ||
         value.is(Kind::kUndefined);
}

std::vector<Value> characters_of(Runtime& runtime, const Text& text, bool safe) {
  runtime.check_items(text.length());
  runtime.step(text.length());
  runtime.charge(text.length() * 160);
  std::vector<Value> characters;
  characters.reserve(text.length());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = decode_at(text.view(), at).size;
    characters.push_back(Value::text(text.slice_bytes(at, at + size), safe));
    at += size;
  }
  return characters;
}

std::vector<Value> items_of(Runtime& runtime, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return {};
    case Kind::kString:
      return characters_of(runtime, value.as_text(), value.is_safe());
    case Kind::kList:
      runtime.step(value.as_list().size() / 8);
      return value.as_list();
    case Kind::kDict: {
      std::vector<Value> keys;
      runtime.step(value.as_dict().size() / 8);
      for (const auto& entry : value.as_dict().entries()) keys.push_back(entry.first);
      return keys;
    }
    default:
      throw TemplateError("'" + value.type_name() + "' object is not iterable");
  }
}

std::size_t length_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return value.as_text().length();
    case Kind::kList:
      return value.as_list().size();
    case Kind::kDict:
      return value.as_dict().size();
    default:
      throw TemplateError("object of type '" + value.type_name() + "' has no len()");
  }
}

std::optional<Value> item_at(Runtime& runtime, const Value& value, const Value& key) {
  if (value.is(Kind::kDict)) {
    const Value* found = value.as_dict().find(key);
    return found == nullptr ? std::nullopt : std::optional<Value>(*found);
  }
  const bool sequence = value.is(Kind::kList) || value.is(Kind::kString);
  if (!sequence || !is_integral(key)) return std::nullopt;
  const auto length = static_cast<std::int64_t>(length_of(value));
  std::int64_t index = index_of(key);
  if (index < 0) index += length;
  if (index < 0 || index >= length) return std::nullopt;
  const auto at = static_cast<std::size_t>(index);
  if (value.is(Kind::kList)) return value.as_list()[at];
  const Text& text = value.as_text();
  if (!text.is_single_byte()) runtime.step(text.size() / 64);
  const std::size_t begin = text.offset_of(at);
  const std::size_t end = begin + decode_at(text.view(), begin).size;
  return Value::text(text.slice_bytes(begin, end), value.is_safe());
}

namespace {

// Python's slice.indices(): where to begin and how many items to take.
struct SliceRange {
  std::int64_t first = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;
};

bool left_out(const Value& value) { return value.is(Kind::kUndefined) || value.is(Kind::kNone); }

SliceRange resolve_slice(std::int64_t length, const Value& start, const Value& stop,
                         const Value& step) {
  SliceRange range;
  range.step = left_out(step) ? 1 : index_of(step);
  if (range.step == 0) throw TemplateError("slice step cannot be zero");
  const bool forward = range.step > 0;
  const auto clamp = [&](const Value& bound, std::int64_t fallback) {
    if (left_out(bound)) return fallback;
    std::int64_t at = index_of(bound);
    if (at < 0) at = at < -length ? -1 : at + length;
    if (forward) return std::clamp<std::int64_t>(at, 0, length);
    return std::clamp<std::int64_t>(at, -1, length - 1);
  };
  range.first = clamp(start, forward ? 0 : length - 1);
  const std::int64_t last = clamp(stop, forward ? length : -1);
  const std::int64_t distance = forward ? last - range.first : range.first - last;
  if (distance > 0) {
    const auto stride = forward ? static_cast<std::uint64_t>(range.step)
                                : std::uint64_t{0} - static_cast<std::uint64_t>(range.step);
    range.count =
        static_cast<std::int64_t>((static_cast<std::uint64_t>(distance) - 1) / stride) + 1;
  }
  return range;
}

}  // namespace

Value slice_of(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
               const Value& step) {
  if (value.is(Kind::kUndefined)) throw TemplateError(value.undefined_message());
  if (!value.is(Kind::kList) && !value.is(Kind::kString)) {
    throw TemplateError("'" + value.type_name() + "' object cannot be sliced");
  }
  const auto length = static_cast<std::int64_t>(length_of(value));
  const SliceRange range = resolve_slice(length, start, stop, step);
  const auto first = static_cast<std::size_t>(range.first);
  const auto count = static_cast<std::size_t>(range.count);
  runtime.step(count / 8);
  if (value.is(Kind::kString)) {
    const Text& text = value.as_text();
    runtime.step(text.size() / 64);
    if (range.step == 1) {
      const std::size_t begin = text.offset_of(first);
      const Text rest = text.slice_bytes(begin, text.size());
      return Value::text(rest.slice_bytes(0, rest.offset_of(count)), value.is_safe());
    }
    const auto characters = characters_of(runtime, text);
    TextBuilder out = runtime.builder();
    for (std::size_t i = 0; i < count; ++i) {
      const auto at = range.first + static_cast<std::int64_t>(i) * range.step;
      out.append(characters[static_cast<std::size_t>(at)].as_text());
    }
    return Value::text(out.finish(), value.is_safe());
  }
  std::vector<Value> items;
  items.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = range.first + static_cast<std::int64_t>(i) * range.step;
    items.push_back(value.as_list()[static_cast<std::size_t>(at)]);
  }
  const bool tuple = value.type_name() == "tuple";
  return runtime.make_list(std::move(items), tuple ? ListKind::kTuple : ListKind::kList);
}

}  // namespace notso::jinja
