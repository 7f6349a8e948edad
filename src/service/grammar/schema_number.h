// Numbers within bounds, as digits.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "service/grammar/expression.h"

namespace notso::grammar {

// digits / 10^scale; the digits are below 10^15.
struct Decimal {
  std::int64_t digits = 0;
  int scale = 0;
};

// What a numeric schema asks for, as the JSON numbers that it gave.
struct NumberBounds {
  const boost::json::value* minimum = nullptr;
  const boost::json::value* maximum = nullptr;
  const boost::json::value* exclusive_minimum = nullptr;
  const boost::json::value* exclusive_maximum = nullptr;
  const boost::json::value* multiple_of = nullptr;
};

// The decimal that a JSON number stands for, where it has at most 15 digits.
std::optional<Decimal> decimal_of(const boost::json::value& number);

// How a program writes a JSON number: shortest form.
std::string number_text(const boost::json::value& number);

// All numbers (integers only if `is_integer`) within the bounds that have at most 15 digits.
// Fails with what cannot be expressed, as the end of a sentence.
tl::expected<ExprId, std::string> bounded_number(const NumberBounds& bounds, bool is_integer,
                                                 ExpressionPool& pool);

}  // namespace notso::grammar
