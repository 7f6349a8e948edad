// Hostile templates are refused or stopped, with one clear error, whatever they try.
#include <gtest/gtest.h>

#include "service/template/render.h"

namespace notso::jinja {
namespace {

std::string repeated(std::string_view text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

void expect_refused(const std::string& source, std::string_view reason) {
  const std::string error = render(source);
  EXPECT_EQ(error.rfind("template test line ", 0), 0U) << error.substr(0, 200);
  EXPECT_NE(error.find(reason), std::string::npos) << error.substr(0, 200);
}

TEST(Limits, ManyOpeningBracketsAreRefused) {
  const std::pair<const char*, const char*> brackets[] = {
      {"(", ")"}, {"[", "]"},   {"{1:", "}"}, {"a[", "]"},          {"f(", ")"},
      {"-", ""},  {"not ", ""}, {"-+", ""},   {"1 if x else ", ""}, {"(1,", ")"}};
  for (const auto& [open, close] : brackets) {
    expect_refused("{{ " + repeated(open, 60000) + "1" + repeated(close, 60000) + " }}",
                   "nested deeper than");
    expect_refused("{{ " + repeated(open, 60000), "unexpected end of template");
  }
}

TEST(Limits, DeeplyNestedBlocksAreRefused) {
  for (const char* tag :
       {"{% if x %}", "{% for a in b %}", "{% filter upper %}", "{% block b %}", "{% macro m() %}",
        "{% call f() %}", "{% set x %}", "{% with %}", "{% generation %}"}) {
    const std::string error = render(repeated(tag, 10000));
    EXPECT_TRUE(error.find("nested deeper than") != std::string::npos ||
                error.find("defined twice") != std::string::npos)
        << error;
  }
}

TEST(Limits, LongChainsAreRefused) {
  for (const char* link : {" + 1", " | upper", ".a", "[0]", "()", " and 1", " or 1", " // 1",
                           " if x", " ** 1", " ** -1"}) {
    expect_refused("{{ x" + repeated(link, 60000) + " }}", "chains more than");
  }
}

TEST(Limits, LongFlatTemplatesAreFine) {
  EXPECT_EQ(render(repeated("{% if 1 %}{% endif %}", 20000)), "");
  EXPECT_EQ(render("{% if 0 %}" + repeated("{% elif 0 %}", 20000) + "{% else %}x{% endif %}"), "x");
  EXPECT_EQ(render("{{ [" + repeated("1,", 20000) + "] | length }}"), "20000");
  EXPECT_EQ(render("{{ ''" + repeated(" ~ 'a'", 20000) + " }}").size(), 20000U);
}

TEST(Limits, EndlessLoopsAreStopped) {
  const std::string inner = "{% for a in range(99999) %}";
  expect_refused(inner + inner + inner + "{% endfor %}{% endfor %}{% endfor %}", "steps");
  expect_refused(inner + "{% set x = range(99999) | sum %}{% endfor %}", "steps");
}

TEST(Limits, EndlessRecursionIsStopped) {
  expect_refused("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested deeper than");
  expect_refused("{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}", "nested deeper than");
  auto environment = std::make_shared<Environment>();
  environment->set_loader([](std::string_view) { return "{% include 'x' %}"; });
  auto rendered = Template::load(environment, "x")->render(Value::dict({}));
  EXPECT_NE(rendered.error().message.find("nested deeper than"), std::string::npos);
}

TEST(Limits, ATemplateThatExtendsItselfIsStopped) {
  auto environment = std::make_shared<Environment>();
  environment->set_loader([](std::string_view) { return "{% extends 'x' %}"; });
  auto rendered = Template::load(environment, "x")->render(Value::dict({}));
  EXPECT_NE(rendered.error().message.find("steps"), std::string::npos);
}

TEST(Limits, HugeValuesAreRefused) {
  expect_refused("{{ range(1000000000) }}", "items");
  expect_refused("{{ 'a' * 1000000000000 }}", "bytes");
  expect_refused("{{ [1] * 1000000000000 }}", "items");
  expect_refused("{{ 'a'.center(1000000000000) }}", "bytes");
  expect_refused("{{ '%999999999s' % 'a' }}", "too large");
  expect_refused("{{ '{:999999999}'.format(1) }}", "too large");
  expect_refused("{{ [1] | batch(1000000000, 1) }}", "items");
  expect_refused("{{ [1] | slice(1000000000) }}", "items");
  expect_refused("{{ ('a' * 1000000) | replace('a', 'b' * 1000000) }}", "bytes");
  expect_refused("{{ ('\\n' * 1000) | indent(1000000, true, true) }}", "bytes");
  expect_refused("{{ (',' * 30000000).split(',') }}", "s");
  expect_refused("{{ 10 ** 10 ** 10 }}", "64 bits");
}

TEST(Limits, DoublingIsStopped) {
  expect_refused(
      "{% set n = namespace(x='ab') %}{% for i in range(99) %}"
      "{% set n.x = n.x ~ n.x %}{% endfor %}",
      "bytes");
  expect_refused(
      "{% set n = namespace(x=[1, 2]) %}{% for i in range(99) %}"
      "{% set n.x = n.x + n.x %}{% endfor %}",
      "items");
}

TEST(Limits, SharedStructuresThatUnfoldWithoutEndAreStopped) {
  const std::string build =
      "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(99) %}"
      "{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}{% endfor %}";
  expect_refused(build + "{{ n.x }}", "s");
  expect_refused(build + "{{ n.x == n.y }}", "steps");
  expect_refused(build + "{{ n.x | tojson }}", "s");
}

TEST(Limits, LongChainsOfContainersAreFreedWithoutRecursion) {
  EXPECT_EQ(render("{% set n = namespace(x=[]) %}{% for i in range(100000) %}"
                   "{% set n.x = [n.x] %}{% endfor %}ok"),
            "ok");
  expect_refused(
      "{% set n = namespace(x=[]) %}{% for i in range(100000) %}"
      "{% set n.x = [n.x] %}{% endfor %}{{ n.x }}",
      "nested deeper than");
}

TEST(Limits, MemoryThatIsKeptIsBounded) {
  expect_refused(
      "{% set l = [] %}{% for i in range(99999) %}{% do l.append('a' * 1000000) %}"
      "{% endfor %}",
      "bytes of values");
}

TEST(Limits, OutputIsBounded) {
  expect_refused("{% set x = 'a' * 1000000 %}{% for i in range(1000) %}{{ x }}{% endfor %}",
                 "bytes");
}

TEST(Limits, SourceIsBounded) {
  expect_refused(std::string((std::size_t{1} << 20U) + 1, 'a'), "source is longer");
}

}  // namespace
}  // namespace notso::jinja
