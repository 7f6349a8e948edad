// Filters about numbers.
#include <charconv>
#include <cmath>

#include "service/template/builtins.h"
#include "service/template/string_ops.h"
#include "service/template/template_error.h"
#include "service/template/value_format.h"
#include "service/template/value_ops.h"

namespace notso::jinja {
namespace {

using Args = Arguments;

Value filter_abs(Runtime& /*runtime*/, const Value& value, const Args& args) {
  Bound bound("abs", args, {});
  if (value.is(Kind::kFloat)) return Value::number(std::fabs(value.as_float()));
  return index_of(value) < 0 ? negated(value) : unchanged_number(value);
}

// Python's float(): decimal digits, with blanks around them, inf and nan; nothing else.
std::optional<double> parse_float(const Text& source) {
  const Text text = strip(source, nullptr, Ends::kBoth);
  std::string_view digits = text.view();
  if (digits.starts_with('+') && !digits.starts_with("+-")) digits.remove_prefix(1);
  double number = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (result.ptr != digits.data() + digits.size() || digits.empty()) return std::nullopt;
  if (result.ec == std::errc::result_out_of_range) {
    const bool tiny =
        digits.find("e-") != std::string_view::npos || digits.find("E-") != std::string_view::npos;
    const double magnitude = tiny ? 0.0 : HUGE_VAL;
    return digits.starts_with('-') ? -magnitude : magnitude;
  }
  if (result.ec != std::errc()) return std::nullopt;
  return number;
}

// Python's int() of a string: a sign, then digits of the base, with its prefix or without.
std::optional<std::int64_t> parse_int(const Text& source, int base) {
  const Text text = strip(source, nullptr, Ends::kBoth);
  std::string digits;
  for (char c : text.view()) {
    if (c != '_') digits += c;
  }
  std::size_t at = 0;
  const bool negative = !digits.empty() && digits[0] == '-';
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) ++at;
  const char letter = at + 1 < digits.size() ? static_cast<char>(digits[at + 1] | 0x20) : '\0';
  const bool prefixed = at + 1 < digits.size() && digits[at] == '0' &&
                        ((base == 16 && letter == 'x') || (base == 8 && letter == 'o') ||
                         (base == 2 && letter == 'b'));
  if (prefixed) at += 2;
  std::string signed_digits = (negative ? "-" : "") + digits.substr(at);
  std::int64_t number = 0;
  const char* end = signed_digits.data() + signed_digits.size();
  const auto result = std::from_chars(signed_digits.data(), end, number, base);
  const bool bare = signed_digits.empty() || signed_digits.find('-', 1) != std::string::npos;
  if (bare || result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return number;
}

std::optional<std::int64_t> truncate_float(double value) {
  if (!(std::fabs(value) < 9.2e18)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

Value filter_int(Runtime& /*runtime*/, const Value& value, const Args& args) {
  Bound bound("int", args, {"default", "base"});
  const Value fallback = bound.has(0) ? bound.at(0) : Value::integer(0);
  const std::int64_t base = bound.integer(1, 10);
  if (base < 2 || base > 36) throw TemplateError("int: the base must be from 2 to 36");
  std::optional<std::int64_t> number;
  if (value.is(Kind::kUndefined)) throw TemplateError(value.undefined_message());
  if (value.is(Kind::kInt) || value.is(Kind::kBool)) number = index_of(value);
  if (value.is(Kind::kFloat)) number = truncate_float(value.as_float());
  if (value.is(Kind::kString)) {
    number = parse_int(value.as_text(), static_cast<int>(base));
    if (!number) {
      const auto real = parse_float(value.as_text());
      if (real) number = truncate_float(*real);
    }
  }
  return number ? Value::integer(*number) : fallback;
}

Value filter_float(Runtime& /*runtime*/, const Value& value, const Args& args) {
  Bound bound("float", args, {"default"});
  if (value.is(Kind::kUndefined)) throw TemplateError(value.undefined_message());
  if (value.is_number()) return Value::number(float_of(value));
  if (value.is(Kind::kString)) {
    if (const auto number = parse_float(value.as_text())) return Value::number(*number);
  }
  return bound.has(0) ? bound.at(0) : Value::number(0.0);
}

// Rounds half to even, on the exact value of the double, as Python's round() does.
double round_decimal(double value, std::int64_t precision) {
  if (!std::isfinite(value) || precision > 300) return value;
  if (precision < 0) {
    const double scale =
        std::pow(10.0, static_cast<double>(-std::max<std::int64_t>(precision, -400)));
    return std::isinf(scale) ? 0.0 : std::nearbyint(value / scale) * scale;
  }
  std::array<char, 700> buffer{};
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                     std::chars_format::fixed, static_cast<int>(precision));
  double rounded = value;
  std::from_chars(buffer.data(), written.ptr, rounded);
  return rounded;
}

Value filter_round(Runtime& runtime, const Value& value, const Args& args) {
  Bound bound("round", args, {"precision", "method"});
  const std::int64_t precision = bound.integer(0, 0);
  const Text method = bound.text(1, Text("common", true));
  if (!value.is_number()) {
    throw TemplateError("round needs a number, not '" + value.type_name() + "'");
  }
  if (method.view() == "common") {
    if (!value.is(Kind::kFloat) && precision >= 0) return unchanged_number(value);
    const double rounded = round_decimal(float_of(value), precision);
    if (value.is(Kind::kFloat)) return Value::number(rounded);
    return Value::integer(static_cast<std::int64_t>(rounded));
  }
  if (method.view() != "ceil" && method.view() != "floor") {
    throw TemplateError("round: the method must be common, ceil or floor");
  }
  const Value scale =
      arithmetic(runtime, Arithmetic::kPower, Value::integer(10), Value::integer(precision));
  const double scaled = float_of(value) * float_of(scale);
  const double whole = method.view() == "ceil" ? std::ceil(scaled) : std::floor(scaled);
  return Value::number(whole / float_of(scale));
}

constexpr FilterEntry kFilters[] = {
    {"abs", filter_abs}, {"float", filter_float}, {"int", filter_int}, {"round", filter_round}};

}  // namespace

std::span<const FilterEntry> number_filters() { return kFilters; }

}  // namespace notso::jinja
