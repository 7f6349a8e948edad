// The calculator's and the clock's known answers are those of Python's fractions, math and
// datetime.
#include "service/chat/builtin_tools.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <utility>

#include "service/chat/calculator.h"

namespace notso {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

void expect_values(std::initializer_list<std::pair<std::string_view, std::string_view>> cases) {
  for (const auto& [expression, value] : cases) {
    const auto result = calculate(expression);
    ASSERT_TRUE(result) << expression << ": " << result.error().message;
    EXPECT_EQ(*result, value) << expression;
  }
}

TEST(Calculator, WholeNumbersAndDecimalsAreExact) {
  expect_values({{"1 + 2 * 3", "7"},
                 {"0.1 + 0.2", "0.3"},
                 {"1.10 * 3", "3.3"},
                 {"1/3 + 2/3", "1"},
                 {"123456789 * 987654321", "121932631112635269"},
                 {"2^100", "1267650600228229401496703205376"},
                 {"7 / 8", "0.875"},
                 {"-7 / 2", "-3.5"},
                 {"-1 / 8", "-0.125"},
                 {"1e3 + 2.5E-1", "1000.25"},
                 {"2 ** -3", "0.125"},
                 {"1.05 ^ 10", "1.62889462677744140625"}});
}

TEST(Calculator, SignsAndPowersBindAsInMathematics) {
  expect_values({{"-2^2", "-4"},
                 {"2^3^2", "512"},
                 {"2^-1", "0.5"},
                 {"(1+2)*(3-4)", "-3"},
                 {"10 - 4 - 3", "3"},
                 {"2*-3", "-6"},
                 {"100 / 10 / 5", "2"}});
}

TEST(Calculator, SignsOfPrintedMathematicsAreRead) {
  expect_values({{"3 \u00D7 4", "12"},
                 {"3\u00B74", "12"},
                 {"3 \u22C5 4", "12"},
                 {"12 \u00F7 4", "3"},
                 {"\u22123 \u2212 4", "-7"}});
}

TEST(Calculator, AModuloHasTheSignOfItsDivisor) {
  expect_values({{"7 % 3", "1"}, {"-7 % 3", "2"}, {"7 % -3", "-2"}, {"5.5 % 2", "1.5"}});
}

TEST(Calculator, FunctionsAreKnown) {
  expect_values({{"sqrt(144)", "12"},
                 {"sqrt(2)", "1.4142135623731"},
                 {"sqrt(0.25)", "0.5"},
                 {"abs(-3.5)", "3.5"},
                 {"round(2.5)", "3"},
                 {"round(-2.5)", "-3"},
                 {"round(3.14159, 2)", "3.14"},
                 {"floor(-1.5)", "-2"},
                 {"ceil(-1.5)", "-1"},
                 {"min(3, 1, 2)", "1"},
                 {"max(3, 10/3, 2)", "3.33333333333333"},
                 {"ln(e)", "1"},
                 {"log(1000)", "3"},
                 {"log(8, 2)", "3"},
                 {"exp(1)", "2.71828182845905"},
                 {"sin(pi)", "0"},
                 {"cos(pi)", "-1"},
                 {"pi", "3.14159265358979"}});
}

TEST(Calculator, WhatDoesNotFitIsApproximated) {
  expect_values({{"1/3", "0.333333333333333"},
                 {"2^200", "1.60693804425899e+60"},
                 {"10^30 * 10^30", "1e+60"},
                 {"2^0.5", "1.4142135623731"}});
}

TEST(Calculator, WhatIsWrongIsSaid) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "ends too early"},
      {"1 +", "ends too early"},
      {"1 2", "unexpected '2' at character 3"},
      {"(1", "ends too early"},
      {"1)", "unexpected ')' at character 2"},
      {"1/0", "division by zero"},
      {"5 % 0", "division by zero"},
      {"0^-1", "division by zero"},
      {"sqrt(-1)", "not real"},
      {"(-8)^(1/3)", "not a real number"},
      {"ln(0)", "above 0"},
      {"10^1000", "too large"},
      {"system(1)", "'system' is not known"},
      {"x", "'x' is not known"},
      {"sqrt 4", "sqrt needs '('"},
      {"sqrt(1, 2)", "takes one argument"},
      {"round(1, 99)", "0 to 30 decimals"},
      {"1,234", "unexpected ','"},
      {"\u00D7", "unexpected '\u00D7' at character 1"},
      {"3 \u00D7 4\u00B2", "unexpected '\u00B2' at character 6"},
      {"3 \xC3", "unexpected '\uFFFD' at character 3"},
  };
  for (const auto& [expression, error] : cases) {
    const auto result = calculate(expression);
    ASSERT_FALSE(result) << expression << " = " << *result;
    EXPECT_THAT(result.error().message, HasSubstr(error)) << expression;
  }
}

TEST(Calculator, LengthAndNestingAreBounded) {
  EXPECT_THAT(calculate(std::string(60000, '(')).error().message, HasSubstr("longer than"));
  EXPECT_THAT(calculate(std::string(500, '(')).error().message, HasSubstr("nested too deep"));
  EXPECT_THAT(calculate(std::string(900, '-') + "1").error().message, HasSubstr("too deep"));
  EXPECT_TRUE(calculate(std::string(40, '(') + "1" + std::string(40, ')')));
}

// Friday, the 20th of November 2026, 21:30 UTC; local time is an hour ahead.
ToolClock fixed_clock() {
  return {[] { return std::int64_t{1795210200}; }, [](std::int64_t) { return 3600; }};
}

std::string clock_says(const std::string& zone) {
  return *run_builtin_tool({"1", "clock", R"({"zone": ")" + zone + "\"}"}, fixed_clock());
}

TEST(Clock, TellsTheTimeOfAZone) {
  EXPECT_EQ(clock_says("UTC"), "Friday, 2026-11-20 21:30:00 UTC+00:00");
  EXPECT_EQ(clock_says("local"), "Friday, 2026-11-20 22:30:00 UTC+01:00");
  EXPECT_EQ(clock_says(""), "Friday, 2026-11-20 22:30:00 UTC+01:00");
  EXPECT_EQ(clock_says("+05:30"), "Saturday, 2026-11-21 03:00:00 UTC+05:30");
  EXPECT_EQ(clock_says("-0800"), "Friday, 2026-11-20 13:30:00 UTC-08:00");
  EXPECT_EQ(clock_says("UTC+2"), "Friday, 2026-11-20 23:30:00 UTC+02:00");
}

TEST(Clock, AnUnknownZoneIsSaid) {
  for (const char* zone : {"Mars", "+", "+25:00", "+1:2:3", "+00:99", "+12345"}) {
    EXPECT_THAT(clock_says(zone), StartsWith("error: zone must be")) << zone;
  }
}

TEST(BuiltinTools, OnlyTheTwoOfThemAreRun) {
  EXPECT_FALSE(run_builtin_tool({"1", "shell", R"({"command": "ls"})"}));
  EXPECT_FALSE(run_builtin_tool({"1", "", ""}));
  ASSERT_EQ(builtin_tools().size(), 2U);
  for (const Tool& tool : builtin_tools()) {
    EXPECT_TRUE(run_builtin_tool({"1", tool.name, "{}"})) << tool.name;
  }
}

TEST(BuiltinTools, BadArgumentsAreAResultThatSaysSo) {
  const auto run = [](std::string arguments) {
    return *run_builtin_tool({"1", "calculator", std::move(arguments)});
  };
  EXPECT_EQ(run(R"({"expression": "6*7"})"), "42");
  EXPECT_EQ(run("{"), "error: the arguments must be a JSON object");
  EXPECT_EQ(run("[]"), "error: the arguments must be a JSON object");
  EXPECT_EQ(run("{}"), "error: expression is missing");
  EXPECT_EQ(run(R"({"expression": 3})"), "error: expression must be a string");
  EXPECT_EQ(run(R"({"expression": "1/0"})"), "error: division by zero");
  EXPECT_EQ(run(std::string(60000, '[')), "error: the arguments must be a JSON object");
}

}  // namespace
}  // namespace notso
