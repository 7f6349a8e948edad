// Exact fractions of 127-bit whole numbers. Every operation gives nothing when its result does not
// fit. Private to the chat library.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace notso {

__extension__ using WideInt = __int128;

// In lowest terms, with a denominator above nought; both are below 2^126 in size.
struct Fraction {
  WideInt top = 0;
  WideInt bottom = 1;
  [[nodiscard]] double to_double() const;
};

// top / bottom in lowest terms; `bottom` must not be nought.
[[nodiscard]] std::optional<Fraction> make_fraction(WideInt top, WideInt bottom);

// a + b.
[[nodiscard]] std::optional<Fraction> add_exact(const Fraction& a, const Fraction& b);
// a * b.
[[nodiscard]] std::optional<Fraction> multiply_exact(const Fraction& a, const Fraction& b);
// a / b; `b` must not be nought.
[[nodiscard]] std::optional<Fraction> divide_exact(const Fraction& a, const Fraction& b);
// The next whole number below.
[[nodiscard]] Fraction floor_exact(const Fraction& a);
// The root, if it is a fraction; `a` must not be negative.
[[nodiscard]] std::optional<Fraction> square_root_exact(const Fraction& a);

// whole.decimals * 10^exponent.
[[nodiscard]] std::optional<Fraction> parse_exact(std::string_view whole, std::string_view decimals,
                                                  int exponent);

// All digits of the number, if they end within 30 decimals.
[[nodiscard]] std::optional<std::string> to_decimal(const Fraction& a);

}  // namespace notso
