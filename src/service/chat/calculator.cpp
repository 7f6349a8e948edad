#include "service/chat/calculator.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numbers>
#include <optional>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "service/chat/fraction.h"

namespace notso {
namespace {

constexpr std::size_t kBytesMax = 1000;
constexpr int kDepthMax = 50;
constexpr double kExactPowerMax = 127;
constexpr double kDecimalsMax = 30;

// A number: exact for as long as a fraction can hold it.
struct Number {
  std::optional<Fraction> exact;
  double value = 0;

  Number(const Fraction& fraction) : exact(fraction), value(fraction.to_double()) {}
  Number(double approximate) : value(approximate) {}
};

// Why a calculation failed; it never leaves this file.
struct CalculatorError {
  std::string message;
};

using Operation = std::optional<Fraction> (*)(const Fraction&, const Fraction&);

Number apply(const Number& a, const Number& b, Operation exact, double approximate) {
  if (a.exact && b.exact) {
    if (const auto result = exact(*a.exact, *b.exact)) return *result;
  }
  return approximate;
}

Number add(const Number& a, const Number& b) { return apply(a, b, add_exact, a.value + b.value); }

Number multiply(const Number& a, const Number& b) {
  return apply(a, b, multiply_exact, a.value * b.value);
}

Number negate(const Number& a) {
  return a.exact ? Number(Fraction{-a.exact->top, a.exact->bottom}) : Number(-a.value);
}

bool is_zero(const Number& a) { return a.exact ? a.exact->top == 0 : a.value == 0; }

Number divide(const Number& a, const Number& b) {
  if (is_zero(b)) throw CalculatorError{"division by zero"};
  return apply(a, b, divide_exact, a.value / b.value);
}

Number floor_of(const Number& a) {
  return a.exact ? Number(floor_exact(*a.exact)) : Number(std::floor(a.value));
}

Number modulo(const Number& a, const Number& b) {
  return add(a, negate(multiply(b, floor_of(divide(a, b)))));
}

Number power(const Number& a, const Number& b) {
  if (is_zero(a) && b.value < 0) throw CalculatorError{"division by zero"};
  const bool whole = b.exact && b.exact->bottom == 1 && std::abs(b.value) <= kExactPowerMax;
  if (!whole || !a.exact) return std::pow(a.value, b.value);
  Number result(Fraction{1, 1});
  for (int i = 0; i < std::abs(static_cast<int>(b.value)); ++i) result = multiply(result, a);
  if (!result.exact) return std::pow(a.value, b.value);
  return b.value < 0 ? divide(Fraction{1, 1}, result) : result;
}

// Halves go away from zero, as people round.
Number round_to(const Number& a, const Number& decimals) {
  if (!(decimals.value >= 0 && decimals.value <= kDecimalsMax) ||
      decimals.value != std::floor(decimals.value)) {
    throw CalculatorError{"round() takes 0 to 30 decimals"};
  }
  const Number scale = power(Fraction{10, 1}, decimals);
  const bool negative = a.value < 0;
  const Number scaled = multiply(negative ? negate(a) : a, scale);
  const Number rounded = divide(floor_of(add(scaled, Fraction{1, 2})), scale);
  return negative ? negate(rounded) : rounded;
}

Number square_root(const Number& a) {
  if (a.value < 0) throw CalculatorError{"the square root of a negative number is not real"};
  if (a.exact) {
    if (const auto root = square_root_exact(*a.exact)) return *root;
  }
  return std::sqrt(a.value);
}

double logarithm(double x) {
  if (!(x > 0)) throw CalculatorError{"the logarithm needs a number above 0"};
  return std::log(x);
}

// sin(pi) is nought to a person.
double without_noise(double x) { return std::abs(x) < 1e-15 ? 0 : x; }

// A function of the calculator, its least and most arguments.
struct Function {
  std::string_view name;
  std::size_t least;
  std::size_t most;
  Number (*call)(const std::vector<Number>& a);
};

constexpr std::size_t kAnyCount = 100;

const Function kFunctions[] = {
    {"sqrt", 1, 1, [](const auto& a) { return square_root(a[0]); }},
    {"abs", 1, 1, [](const auto& a) { return a[0].value < 0 ? negate(a[0]) : a[0]; }},
    {"round", 1, 2,
     [](const auto& a) {
       return round_to(a[0], a.size() > 1 ? a[1] : Number(Fraction{0, 1}));
     }},
    {"floor", 1, 1, [](const auto& a) { return floor_of(a[0]); }},
    {"ceil", 1, 1, [](const auto& a) { return negate(floor_of(negate(a[0]))); }},
    {"min", 1, kAnyCount,
     [](const auto& a) {
       return *std::min_element(a.begin(), a.end(),
                                [](const auto& x, const auto& y) { return x.value < y.value; });
     }},
    {"max", 1, kAnyCount,
     [](const auto& a) {
       return *std::max_element(a.begin(), a.end(),
                                [](const auto& x, const auto& y) { return x.value < y.value; });
     }},
    {"ln", 1, 1, [](const auto& a) { return Number(logarithm(a[0].value)); }},
    {"log", 1, 2,
     [](const auto& a) {
       const double top = logarithm(a[0].value);
       if (a.size() == 1) return Number(std::log10(a[0].value));
       return divide(top, logarithm(a[1].value));
     }},
    {"exp", 1, 1, [](const auto& a) { return Number(std::exp(a[0].value)); }},
    {"sin", 1, 1, [](const auto& a) { return Number(without_noise(std::sin(a[0].value))); }},
    {"cos", 1, 1, [](const auto& a) { return Number(without_noise(std::cos(a[0].value))); }},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Reads and computes in one pass, by the grammar in the header.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Number whole() {
    const Number result = expression();
    if (at_ < text_.size()) stop("unexpected");
    return result;
  }

 private:
  [[noreturn]] void stop(std::string_view what) {
    skip_spaces();
    if (at_ >= text_.size()) throw CalculatorError{"the expression ends too early"};
    const std::string_view sign = text_.substr(at_, utf8_length(text_.substr(at_)));
    const auto before =
        std::count_if(text_.begin(), text_.begin() + std::ptrdiff_t(at_),
                      [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
    throw CalculatorError{
        fmt::format("{} '{}' at character {}", what, sign.empty() ? "\uFFFD" : sign, before + 1)};
  }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) {
      ++at_;
    }
  }

  bool take(std::string_view sign) {
    skip_spaces();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }

  Number expression() {
    Number result = product();
    while (true) {
      if (take("+")) {
        result = add(result, product());
      } else if (take("-") || take("\u2212")) {
        result = add(result, negate(product()));
      } else {
        return result;
      }
    }
  }

  Number product() {
    Number result = signed_operand();
    while (true) {
      if (take("*") || take("\u00D7") || take("\u00B7") || take("\u22C5")) {
        result = multiply(result, signed_operand());
      } else if (take("/") || take("\u00F7")) {
        result = divide(result, signed_operand());
      } else if (take("%")) {
        result = modulo(result, signed_operand());
      } else {
        return result;
      }
    }
  }

  // Every way down passes here, so here the depth is counted.
  Number signed_operand() {
    if (++depth_ > kDepthMax) throw CalculatorError{"the expression is nested too deep"};
    Number result(0.0);
    if (take("-") || take("\u2212")) {
      result = negate(signed_operand());
    } else if (take("+")) {
      result = signed_operand();
    } else {
      result = operand();
      if (take("**") || take("^")) result = power(result, signed_operand());
    }
    --depth_;
    return result;
  }

  Number operand() {
    if (take("(")) {
      const Number result = expression();
      if (!take(")")) stop("expected ')' before");
      return result;
    }
    if (at_ < text_.size() && (is_digit(text_[at_]) || text_[at_] == '.')) return number();
    if (at_ < text_.size() && is_letter(text_[at_])) return named();
    stop("unexpected");
  }

  std::string_view digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  Number number() {
    const std::size_t begin = at_;
    const std::string_view whole = digits();
    std::string_view decimals;
    if (at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      decimals = digits();
    }
    if (whole.empty() && decimals.empty()) stop("expected a number before");
    int exponent = 0;
    if (at_ + 1 < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      const std::size_t sign = text_[at_ + 1] == '-' || text_[at_ + 1] == '+' ? 1 : 0;
      if (at_ + 1 + sign < text_.size() && is_digit(text_[at_ + 1 + sign])) {
        const bool negative = text_[at_ + 1] == '-';
        at_ += 1 + sign;
        for (const char c : digits()) exponent = std::min(exponent * 10 + (c - '0'), 9999);
        if (negative) exponent = -exponent;
      }
    }
    if (const auto exact = parse_exact(whole, decimals, exponent)) return *exact;
    return std::strtod(std::string(text_.substr(begin, at_ - begin)).c_str(), nullptr);
  }

  Number named() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    if (name == "pi") return std::numbers::pi;
    if (name == "e") return std::numbers::e;
    for (const Function& function : kFunctions) {
      if (function.name == name) return called(function);
    }
    throw CalculatorError{fmt::format(
        "'{}' is not known; there are pi, e, sqrt, abs, round, floor, ceil, min, max, ln, log, "
        "exp, sin and cos",
        name)};
  }

  Number called(const Function& function) {
    if (!take("(")) throw CalculatorError{fmt::format("{} needs '('", function.name)};
    std::vector<Number> arguments;
    do {
      arguments.push_back(expression());
    } while (take(","));
    if (!take(")")) stop("expected ')' before");
    if (arguments.size() < function.least || arguments.size() > function.most) {
      throw CalculatorError{fmt::format("{}() takes {} argument{}", function.name,
                                        function.most == 1 ? "one" : "one or two",
                                        function.most == 1 ? "" : "s")};
    }
    return function.call(arguments);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<std::string> calculate(std::string_view expression) {
  if (expression.size() > kBytesMax) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("the expression is longer than {} bytes", kBytesMax));
  }
  try {
    const Number result = Parser(expression).whole();
    if (result.exact) {
      if (auto text = to_decimal(*result.exact)) return *std::move(text);
    }
    if (std::isnan(result.value)) throw CalculatorError{"the result is not a real number"};
    if (std::isinf(result.value)) throw CalculatorError{"the result is too large"};
    return fmt::format("{:.15g}", result.value);
  } catch (const CalculatorError& error) {
    return fail(ErrorCode::kInvalidArgument, error.message);
  }
}

}  // namespace notso
