#include "service/chat/fraction.h"

#include <algorithm>
#include <cmath>

namespace notso {
namespace {

constexpr WideInt kLimit = WideInt{1} << 126;
constexpr int kDecimalsMax = 30;
constexpr int kExponentMax = 40;

bool fits(WideInt a) { return a > -kLimit && a < kLimit; }

bool product(WideInt a, WideInt b, WideInt& out) {
  return !__builtin_mul_overflow(a, b, &out) && fits(out);
}

WideInt greatest_divisor(WideInt a, WideInt b) {
  a = a < 0 ? -a : a;
  while (b != 0) {
    const WideInt rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

std::string to_digits(WideInt a) {
  const bool negative = a < 0;
  std::string out;
  do {
    const int digit = static_cast<int>(a % 10);
    out += static_cast<char>('0' + (digit < 0 ? -digit : digit));
    a /= 10;
  } while (a != 0);
  if (negative) out += '-';
  std::reverse(out.begin(), out.end());
  return out;
}

std::optional<WideInt> whole_root(WideInt a) {
  auto root = static_cast<WideInt>(std::sqrt(static_cast<long double>(a)));
  while (root * root > a) --root;
  while ((root + 1) * (root + 1) <= a) ++root;
  if (root * root != a) return std::nullopt;
  return root;
}

}  // namespace

double Fraction::to_double() const {
  return static_cast<double>(static_cast<long double>(top) / static_cast<long double>(bottom));
}

std::optional<Fraction> make_fraction(WideInt top, WideInt bottom) {
  const WideInt divisor = greatest_divisor(top, bottom < 0 ? -bottom : bottom);
  const WideInt sign = bottom < 0 ? -1 : 1;
  const Fraction out{sign * (top / divisor), sign * (bottom / divisor)};
  if (!fits(out.top) || !fits(out.bottom)) return std::nullopt;
  return out;
}

std::optional<Fraction> add_exact(const Fraction& a, const Fraction& b) {
  WideInt left = 0;
  WideInt right = 0;
  WideInt bottom = 0;
  if (!product(a.top, b.bottom, left) || !product(b.top, a.bottom, right) ||
      !product(a.bottom, b.bottom, bottom)) {
    return std::nullopt;
  }
  return make_fraction(left + right, bottom);
}

std::optional<Fraction> multiply_exact(const Fraction& a, const Fraction& b) {
  WideInt top = 0;
  WideInt bottom = 0;
  if (!product(a.top, b.top, top) || !product(a.bottom, b.bottom, bottom)) return std::nullopt;
  return make_fraction(top, bottom);
}

std::optional<Fraction> divide_exact(const Fraction& a, const Fraction& b) {
  WideInt top = 0;
  WideInt bottom = 0;
  if (!product(a.top, b.bottom, top) || !product(a.bottom, b.top, bottom)) return std::nullopt;
  return make_fraction(top, bottom);
}

Fraction floor_exact(const Fraction& a) {
  const WideInt whole = a.top / a.bottom;
  return {a.top % a.bottom < 0 ? whole - 1 : whole, 1};
}

std::optional<Fraction> square_root_exact(const Fraction& a) {
  const auto top = whole_root(a.top);
  const auto bottom = whole_root(a.bottom);
  if (!top || !bottom) return std::nullopt;
  return Fraction{*top, *bottom};
}

std::optional<Fraction> parse_exact(std::string_view whole, std::string_view decimals,
                                    int exponent) {
  WideInt top = 0;
  for (const std::string_view part : {whole, decimals}) {
    for (const char c : part) {
      if (!product(top, 10, top)) return std::nullopt;
      top += c - '0';
    }
  }
  if (decimals.size() > kExponentMax || exponent > kExponentMax || exponent < -kExponentMax) {
    return std::nullopt;
  }
  exponent -= static_cast<int>(decimals.size());
  WideInt scale = 1;
  for (int i = 0; i < std::abs(exponent); ++i) {
    if (!product(scale, 10, scale)) return std::nullopt;
  }
  if (exponent < 0) return make_fraction(top, scale);
  if (!product(top, scale, top)) return std::nullopt;
  return Fraction{top, 1};
}

std::optional<std::string> to_decimal(const Fraction& a) {
  std::string out = to_digits(a.top / a.bottom);
  WideInt rest = a.top % a.bottom;
  if (rest == 0) return out;
  if (rest < 0 && out.front() != '-') out.insert(out.begin(), '-');
  rest = rest < 0 ? -rest : rest;
  out += '.';
  for (int i = 0; i < kDecimalsMax && rest != 0; ++i) {
    if (!product(rest, 10, rest)) return std::nullopt;
    out += static_cast<char>('0' + static_cast<int>(rest / a.bottom));
    rest %= a.bottom;
  }
  if (rest != 0) return std::nullopt;
  return out;
}

}  // namespace notso
