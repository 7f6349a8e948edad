// A set of numbers becomes a choice of digit patterns. With bounds written as whole numbers of the
// smallest decimal place that they have (place f: 1.25 is 125 of place 2), the numbers at place f
// are a range of integers, those with fewer decimals are ranges of the places before, and those
// with more have any tail behind an integer of the range that is not its last.
//
// A range of integers of one length is cut where its ends differ: 372..518 is 37[2-9], 3[8-9]x,
// 4xx, 50x, 51[0-8]. For multipleOf, what a pattern leaves free becomes a rule for each number of
// free digits and each remainder that they must have.
#include "service/grammar/schema_number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace notso::grammar {
namespace {

constexpr int kMaxDigits = 15;
constexpr std::int64_t kLargest = 999'999'999'999'999;
// What may still become one of at most 15 digits, its zeros at the end taken off.
constexpr std::int64_t kLargestToShrink = 999'999'999'999'999'999;
constexpr std::int64_t kMaxModulus = 1000;
// How large numbers with a tail may be, and how long the tail, where there is no upper bound.
constexpr std::int64_t kLargestWithTail = 999'999'999;
constexpr int kTailWithoutBound = 5;

std::int64_t power_of_ten(int exponent) {
  std::int64_t power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

int digit_count(std::int64_t value) {
  int count = 1;
  for (; value >= 10; value /= 10) ++count;
  return count;
}

std::int64_t divide_up(std::int64_t value, std::int64_t by) { return (value + by - 1) / by; }

// The digits of integers, with a point before the last `place` of them, all multiples of `modulus`.
class DigitPatterns {
 public:
  DigitPatterns(int place, std::int64_t modulus, ExpressionPool& pool)
      : place_(place), modulus_(modulus), pool_(pool), digit_(pool.char_class({{'0', '9'}})) {
    for (std::size_t i = 0; i < 10; ++i) {
      digits_[i] = pool.literal(std::string(1, static_cast<char>('0' + i)));
    }
  }

  // lo..hi, both 0 or more.
  ExprId range(std::int64_t lo, std::int64_t hi) {
    std::vector<ExprId> patterns;
    for (int length = place_ + 1; length <= std::max(digit_count(hi), place_ + 1); ++length) {
      const std::int64_t least = length == place_ + 1 ? 0 : power_of_ten(length - 1);
      const std::int64_t most = power_of_ten(length) - 1;
      const std::int64_t from = std::max(lo, least);
      const std::int64_t to = std::min(hi, most);
      if (from <= to) add_of_length(from, to, length, patterns);
    }
    return pool_.choice(patterns);
  }

 private:
  // Zero-padded texts of from..to.
  void add_of_length(std::int64_t from, std::int64_t to, int length, std::vector<ExprId>& out) {
    const std::string low = padded(from, length);
    const std::string high = padded(to, length);
    if (low == high) return add(low, length, out);
    std::size_t fork = 0;
    while (low[fork] == high[fork]) ++fork;
    add_fork(low.substr(0, fork), low[fork] + 1, high[fork] - 1, length, out);
    for (std::size_t i = fork + 1; i < low.size(); ++i) {
      add_fork(low.substr(0, i), low[i] + 1, '9', length, out);
      add_fork(high.substr(0, i), '0', high[i] - 1, length, out);
    }
    add(low, length, out);
    add(high, length, out);
  }

  static std::string padded(std::int64_t value, int length) {
    std::string text = std::to_string(value);
    return std::string(static_cast<std::size_t>(length) - text.size(), '0') + text;
  }

  // `prefix`, then a digit from..to, then free digits.
  void add_fork(const std::string& prefix, int from, int to, int length, std::vector<ExprId>& out) {
    if (from > to) return;
    const int free = length - static_cast<int>(prefix.size()) - 1;
    if (modulus_ > 1) {
      for (int digit = from; digit <= to; ++digit) {
        add(prefix + static_cast<char>(digit), length, out);
      }
      return;
    }
    const CodeRange digits{static_cast<char32_t>(from), static_cast<char32_t>(to)};
    out.push_back(pool_.sequence({with_point(prefix, length), point_before(free + 1, length),
                                  pool_.char_class({digits}), free_digits(free, length)}));
  }

  // `prefix`, then free digits.
  void add(const std::string& prefix, int length, std::vector<ExprId>& out) {
    const int free = length - static_cast<int>(prefix.size());
    if (modulus_ == 1) {
      out.push_back(pool_.sequence({with_point(prefix, length), free_digits(free, length)}));
      return;
    }
    std::int64_t remainder = std::stoll(prefix) % modulus_;
    for (int i = 0; i < free; ++i) remainder = remainder * 10 % modulus_;
    out.push_back(pool_.sequence(
        {with_point(prefix, length), remaining(free, (modulus_ - remainder) % modulus_, length)}));
  }

  ExprId point_before(int digits_left, int length) {
    return place_ > 0 && digits_left == place_ && digits_left < length ? pool_.literal(".")
                                                                       : pool_.empty();
  }

  ExprId with_point(const std::string& prefix, int length) {
    std::string text = prefix;
    const auto whole = static_cast<std::size_t>(length - place_);
    if (place_ > 0 && prefix.size() > whole) text.insert(whole, 1, '.');
    return pool_.literal(text);
  }

  ExprId free_digits(int count, int length) {
    if (place_ == 0 || count < place_)
      return pool_.repeat(digit_, count_of(count), count_of(count));
    const ExprId whole = pool_.repeat(digit_, count_of(count - place_), count_of(count - place_));
    const ExprId decimals = pool_.repeat(digit_, count_of(place_), count_of(place_));
    return pool_.sequence({whole, point_before(place_, length), decimals});
  }

  static std::uint32_t count_of(int value) { return static_cast<std::uint32_t>(value); }

  // `count` digits whose number leaves this remainder. It calls itself once a digit, so at most 15
  // deep.
  ExprId remaining(int count, std::int64_t remainder, int length) {
    if (count == 0) return remainder == 0 ? pool_.empty() : pool_.never();
    const auto key = std::make_pair(count, remainder);
    const auto found = remaining_.find(key);
    if (found != remaining_.end()) return found->second;
    std::vector<ExprId> choices;
    const std::int64_t weight = power_of_ten(count - 1) % modulus_;
    for (std::int64_t digit = 0; digit < 10; ++digit) {
      const std::int64_t left = (remainder + modulus_ - digit * weight % modulus_) % modulus_;
      choices.push_back(pool_.sequence(
          {digits_[static_cast<std::size_t>(digit)], remaining(count - 1, left, length)}));
    }
    ExprId expr = pool_.choice(choices);
    if (expr != pool_.never()) {
      expr = pool_.hidden_rule("(digits)", pool_.sequence({point_before(count, length), expr}));
    }
    return remaining_[key] = expr;
  }

  int place_;
  std::int64_t modulus_;
  ExpressionPool& pool_;
  ExprId digit_;
  std::array<ExprId, 10> digits_{};
  std::map<std::pair<int, std::int64_t>, ExprId> remaining_;
};

// One end of a range of magnitudes, in units of place f.
struct End {
  std::int64_t units = 0;
  bool is_open = false;  // the end itself does not belong
};

// The numbers between two ends that are 0 or more; no upper end is no bound.
struct Magnitudes {
  End low;
  std::optional<End> high;
};

ExprId discrete(const Magnitudes& range, int place, std::int64_t modulus, ExpressionPool& pool) {
  const std::int64_t lo = range.low.units + (range.low.is_open ? 1 : 0);
  const std::int64_t hi = range.high ? range.high->units - (range.high->is_open ? 1 : 0) : kLargest;
  return lo > hi ? pool.never() : DigitPatterns(place, modulus, pool).range(lo, hi);
}

ExprId continuous(const Magnitudes& range, int place, ExpressionPool& pool) {
  std::vector<ExprId> out;
  const std::int64_t lo = range.low.units + (range.low.is_open ? 1 : 0);
  const std::int64_t hi = range.high ? range.high->units - (range.high->is_open ? 1 : 0) : kLargest;
  for (int fewer = 0; fewer <= place; ++fewer) {
    const std::int64_t unit = power_of_ten(place - fewer);
    if (divide_up(lo, unit) <= hi / unit && lo <= hi) {
      out.push_back(DigitPatterns(fewer, 1, pool).range(divide_up(lo, unit), hi / unit));
    }
  }
  const std::int64_t last = range.high ? range.high->units - 1 : kLargestWithTail;
  const int tail = range.high ? kMaxDigits - std::max(digit_count(range.high->units), place + 1)
                              : kTailWithoutBound;
  if (tail <= 0 || range.low.units > last) return pool.choice(out);
  const ExprId digit = pool.char_class({{'0', '9'}});
  const ExprId point = place == 0 ? pool.literal(".") : pool.empty();
  const auto most = static_cast<std::uint32_t>(tail);
  if (lo <= last) {
    out.push_back(pool.sequence(
        {DigitPatterns(place, 1, pool).range(lo, last), point, pool.repeat(digit, 1, most)}));
  }
  if (range.low.is_open) {
    const ExprId end = DigitPatterns(place, 1, pool).range(range.low.units, range.low.units);
    out.push_back(pool.sequence(
        {end, point, pool.repeat(digit, 0, most - 1), pool.char_class({{'1', '9'}})}));
  }
  return pool.choice(out);
}

// The tighter of an inclusive and an exclusive bound, both in units of one place. `sign` is 1 for
// lower bounds and -1 for upper ones.
std::optional<End> tighter(std::optional<std::int64_t> closed, std::optional<std::int64_t> open,
                           int sign) {
  if (!closed && !open) return std::nullopt;
  if (!closed || (open && *open * sign >= *closed * sign)) return End{*open, true};
  return End{*closed, false};
}

// Reads the bounds in units of one place, which it finds. Bounds that no number of 15 digits goes
// beyond are none.
class Bounds {
 public:
  tl::expected<void, std::string> read(const NumberBounds& in, bool is_integer) {
    is_integer_ = is_integer;
    const boost::json::value* const values[] = {in.minimum, in.maximum, in.exclusive_minimum,
                                                in.exclusive_maximum, in.multiple_of};
    std::array<std::optional<Decimal>, 5> decimals;
    for (std::size_t i = 0; i < 5; ++i) {
      if (values[i] == nullptr) continue;
      const bool is_upper = i == 1 || i == 3;
      const double number = values[i]->to_number<double>();
      if (i < 4 && (is_upper ? number > double(kLargest) : number < -double(kLargest))) continue;
      decimals[i] = decimal_of(*values[i]);
      if (!decimals[i]) return tl::unexpected<std::string>("a bound with more than 15 digits");
      place = std::max(place, decimals[i]->scale);
    }
    if (is_integer && decimals[4] && decimals[4]->scale > 0) {
      return tl::unexpected<std::string>("'multipleOf' with decimals for an integer");
    }
    if (is_integer) place = 0;
    std::array<std::optional<std::int64_t>, 5> units;
    for (std::size_t i = 0; i < 5; ++i) {
      if (decimals[i] && !to_units(*decimals[i], i, units[i])) {
        return tl::unexpected<std::string>("bounds with more than 15 digits together");
      }
    }
    low = tighter(units[0], units[2], 1);
    high = tighter(units[1], units[3], -1);
    modulus = units[4].value_or(1);
    if (units[4] && modulus <= 0) return tl::unexpected<std::string>("'multipleOf' not above 0");
    if (modulus > kMaxModulus) return tl::unexpected<std::string>("a 'multipleOf' this large");
    return {};
  }

  int place = 0;
  std::optional<End> low;
  std::optional<End> high;
  std::int64_t modulus = 1;

 private:
  // For integers, bounds with decimals move to the next integer inside; an exclusive one that moved
  // moves one back, since the integer itself belongs.
  bool to_units(const Decimal& value, std::size_t index, std::optional<std::int64_t>& out) const {
    if (value.scale > place) {
      const std::int64_t unit = power_of_ten(value.scale - place);
      const bool is_lower = index == 0 || index == 2;
      const std::int64_t floor =
          value.digits >= 0 ? value.digits / unit : -divide_up(-value.digits, unit);
      const bool is_whole = floor * unit == value.digits;
      const bool is_exclusive = index == 2 || index == 3;
      // Between floor and floor + 1: open at floor and closed at floor + 1 are the same.
      out = is_whole ? floor : is_lower != is_exclusive ? floor + 1 : floor;
      return true;
    }
    const std::int64_t unit = power_of_ten(place - value.scale);
    if (std::abs(value.digits) > kLargest / unit) return false;
    out = value.digits * unit;
    return true;
  }

  bool is_integer_ = false;
};

}  // namespace

std::string number_text(const boost::json::value& number) {
  if (number.is_int64()) return std::to_string(number.get_int64());
  if (number.is_uint64()) return std::to_string(number.get_uint64());
  std::array<char, 40> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number.get_double());
  return {text.data(), end.ptr};
}

std::optional<Decimal> decimal_of(const boost::json::value& number) {
  std::string text = number_text(number);
  int exponent = 0;
  const std::size_t e = text.find('e');
  if (e != std::string::npos) {
    const char* first = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
    std::from_chars(first, text.data() + text.size(), exponent);
    text.resize(e);
  }
  const std::size_t point = text.find('.');
  if (point != std::string::npos) {
    exponent -= static_cast<int>(text.size() - point - 1);
    text.erase(point, 1);
  }
  Decimal out;
  const char* last = text.data() + text.size();
  if (std::from_chars(text.data(), last, out.digits).ec != std::errc()) return std::nullopt;
  if (out.digits > kLargestToShrink || out.digits < -kLargestToShrink) return std::nullopt;
  while (exponent < 0 && out.digits % 10 == 0 && out.digits != 0) {
    out.digits /= 10;
    ++exponent;
  }
  if (exponent > kMaxDigits || exponent < -kMaxDigits) return std::nullopt;
  for (; exponent > 0; --exponent) {
    if (std::abs(out.digits) > kLargest / 10) return std::nullopt;
    out.digits *= 10;
  }
  out.scale = out.digits == 0 ? 0 : -exponent;
  if (std::abs(out.digits) > kLargest) return std::nullopt;
  return out;
}

tl::expected<ExprId, std::string> bounded_number(const NumberBounds& bounds, bool is_integer,
                                                 ExpressionPool& pool) {
  Bounds read;
  const auto status = read.read(bounds, is_integer);
  if (!status) return tl::unexpected(status.error());
  const bool is_discrete = is_integer || bounds.multiple_of != nullptr;
  const auto digits = [&](const Magnitudes& range) {
    return is_discrete ? discrete(range, read.place, read.modulus, pool)
                       : continuous(range, read.place, pool);
  };
  std::vector<ExprId> out;
  if (!read.high || read.high->units >= 0) {
    Magnitudes positive{{0, false}, read.high};
    if (read.low && read.low->units >= 0) positive.low = *read.low;
    out.push_back(digits(positive));
  }
  if (!read.low || read.low->units < 0) {
    // Zero is not written with a sign.
    Magnitudes negative{{0, true}, std::nullopt};
    if (read.high && read.high->units < 0) negative.low = {-read.high->units, read.high->is_open};
    if (read.low) negative.high = End{-read.low->units, read.low->is_open};
    out.push_back(pool.sequence({pool.literal("-"), digits(negative)}));
  }
  return pool.choice(out);
}

}  // namespace notso::grammar
