// The template language as chat templates use it. tests/peer/template holds the same constructs,
// and many more, against Python's jinja2.
#include "service/template/template.h"

#include <gtest/gtest.h>

#include "service/template/render.h"

namespace notso::jinja {
namespace {

TEST(Template, UndefinedVariablesPrintNothingAndPassInTests) {
  EXPECT_EQ(render("[{{ x }}]{{ 'a' in x }}{% if x %}yes{% endif %}{{ x is defined }}"),
            "[]FalseFalse");
}

TEST(Template, AnAttributeOfAnUndefinedVariableIsAnError) {
  EXPECT_EQ(render("line one\n{{ x.y }}"), "template test line 2: 'x' is undefined");
}

TEST(Template, TransformersWhitespaceRulesAreTheDefault) {
  EXPECT_EQ(render("a\n  {% if true %}\nb\n  {% endif %}\nc\n"), "a\nb\nc");
}

TEST(Template, ATrailingNewlineCanBeKept) {
  Options options;
  options.keep_trailing_newline = true;
  EXPECT_EQ(render("a\n", {}, options), "a\n");
}

TEST(Template, GenerationTagsAreIgnored) {
  EXPECT_EQ(render("{% generation %}a{% endgeneration %}"), "a");
}

TEST(Template, DictsPrintAsPythonPrintsThem) {
  Dict tool;
  tool.set("name", Value::string("it's"));
  tool.set("strict", Value::boolean(true));
  tool.set("limit", Value::none());
  Dict context;
  context.set("tool", Value::dict(tool));
  EXPECT_EQ(render("{{ tool | string }}", context),
            "{'name': \"it's\", 'strict': True, 'limit': None}");
}

TEST(Template, ToJsonKeepsCharactersInChatsAndEscapesThemInPages) {
  const Dict context = with("x", "<é>");
  EXPECT_EQ(render("{{ x | tojson }}", context), "\"<é>\"");
  EXPECT_EQ(render("{{ x | tojson }}", context, html_options()), "\"\\u003c\\u00e9\\u003e\"");
}

TEST(Template, TheClockIsTheEmbedders) {
  Options options;
  options.clock = [] {
    std::tm time{};
    time.tm_year = 126;
    time.tm_mon = 10;
    time.tm_mday = 20;
    return time;
  };
  EXPECT_EQ(render("{{ strftime_now('%d %B %Y, %q') }}", {}, options), "20 November 2026, %q");
}

TEST(Template, RaiseExceptionIsAnErrorWithItsMessage) {
  EXPECT_EQ(render("\n\n{{ raise_exception('roles must\nalternate') }}"),
            "template test line 3: roles must alternate");
}

TEST(Template, TheErrorNamesTheTemplateThatIsWrong) {
  auto environment = std::make_shared<Environment>();
  environment->set_loader([](std::string_view name) -> std::optional<std::string> {
    if (name == "inner") return "\n{{ 1 / 0 }}";
    return std::nullopt;
  });
  auto parsed = Template::parse(environment, "outer", "{% include 'inner' %}");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->render(Value::dict({})).error().message,
            "template inner line 2: division by zero");
}

TEST(Template, SyntaxErrorsSayWhatWasExpectedAndWhere) {
  EXPECT_EQ(render("a\n{% if x %}"),
            "template test line 2: the block that begins at line 2 is not closed: "
            "expected 'endif'");
  EXPECT_EQ(render("{{ (1 }}"), "template test line 1: unexpected '}', expected ')'");
  EXPECT_EQ(render("{% nosuch %}"), "template test line 1: unknown tag 'nosuch'");
}

TEST(Template, AnUnknownFilterFailsOnlyWhereItIsReached) {
  EXPECT_EQ(render("{% if false %}{{ 1 | nosuch }}{% endif %}ok"), "ok");
  EXPECT_EQ(render("{{ 1 | nosuch }}"), "template test line 1: there is no filter 'nosuch'");
}

TEST(Template, ListsAndDictsOfTheTemplateCanBeChanged) {
  EXPECT_EQ(
      render("{% set l = [3, 1] %}{% do l.append(2) %}{% do l.insert(0, 9) %}"
             "{% do l.extend([4, 5]) %}{{ l.pop() }}{{ l.pop(0) }}{% do l.reverse() %}{{ l }}"),
      "59[4, 2, 1, 3]");
  EXPECT_EQ(render("{% set d = {'a': 1} %}{% do d.update({'b': 2}, c=3) %}{{ d.pop('a') }}{{ d }}"),
            "1{'b': 2, 'c': 3}");
}

TEST(Template, ValuesOfTheCallerCannotBeChanged) {
  Dict context;
  context.set("messages", Value::list({Value::string("a")}));
  const std::string error = render("{% do messages.append('b') %}", context);
  EXPECT_NE(error.find("a list of the caller's cannot be changed"), std::string::npos) << error;
}

TEST(Template, AContainerCannotContainItself) {
  EXPECT_EQ(render("{% set l = [] %}{% do l.append([l]) %}"),
            "template test line 1: a container cannot contain itself");
}

TEST(Template, NamespacesThatHoldEachOtherAreFreed) {
  // The leak checker of the sanitizer build is the judge.
  EXPECT_EQ(render("{% set a = namespace() %}{% set a.self = a %}{% macro m() %}{% endmacro %}"
                   "{% set a.m = m %}{% for x in [1] %}{% set a.loop = loop %}{% endfor %}ok"),
            "ok");
}

TEST(Template, CharactersAreCodePoints) {
  EXPECT_EQ(render("{{ x | length }}{{ x[1] }}{{ x[-1:] }}", with("x", "aé👍")), "3é👍");
}

TEST(Template, BytesThatAreNotUtf8PassThrough) {
  EXPECT_EQ(render("{{ x | upper }}{{ x | length }}", with("x", "a\xFF\xC3z")), "A\xFF\xC3Z4");
}

TEST(Template, IntegersThatDoNotFitAreAnError) {
  EXPECT_EQ(render("{{ 9223372036854775807 + 1 }}"),
            "template test line 1: an integer does not fit in 64 bits");
  EXPECT_EQ(render("{{ -9223372036854775807 - 1 }}"), "-9223372036854775808");
  EXPECT_EQ(render("{{ (-9223372036854775807 - 1) // -1 }}"),
            "template test line 1: an integer does not fit in 64 bits");
  EXPECT_EQ(render("{{ (-9223372036854775807 - 1) % -1 }}"), "0");
}

TEST(Template, TheEmbedderAddsFiltersFunctionsAndGlobals) {
  auto environment = std::make_shared<Environment>();
  environment->add_filter("twice", [](const Arguments& arguments) -> Result<Value> {
    return Value::integer(arguments.positional.at(0).as_int() * 2);
  });
  environment->add_function("refuse", [](const Arguments&) -> Result<Value> {
    return fail(ErrorCode::kNotFound, "not here");
  });
  environment->add_global("version", Value::trusted("1.0"));
  auto good = Template::parse(environment, "t",
                              "{{ 21 | twice }} {{ [1, 2] | map('twice') | sum }} "
                              "{{ version }}");
  EXPECT_EQ(good->render(Value::dict({}))->text(), "42 6 1.0");
  auto bad = Template::parse(environment, "t", "{{ refuse() }}")->render(Value::dict({}));
  EXPECT_EQ(bad.error().message, "template t line 1: not here");
  EXPECT_EQ(bad.error().code, ErrorCode::kNotFound);
}

TEST(Template, OneTemplateRendersManyTimes) {
  auto parsed =
      Template::parse(std::make_shared<Environment>(), "t", "{% set n = x ~ '!' %}{{ n }}");
  EXPECT_EQ(parsed->render(Value::dict(with("x", "a")))->text(), "a!");
  EXPECT_EQ(parsed->render(Value::dict(with("x", "b")))->text(), "b!");
}

TEST(Template, TheContextMustBeADict) {
  auto parsed = Template::parse(std::make_shared<Environment>(), "t", "x");
  EXPECT_EQ(parsed->render(Value::none()).error().message,
            "the context of a template must be a dict");
}

TEST(Template, LoadAsksTheLoader) {
  auto environment = std::make_shared<Environment>();
  EXPECT_EQ(Template::load(environment, "a").error().code, ErrorCode::kNotFound);
  environment->set_loader([](std::string_view name) { return "I am " + std::string(name); });
  EXPECT_EQ(Template::load(environment, "a")->render(Value::dict({}))->text(), "I am a");
}

TEST(Template, PagesAreEscapedAndMarkupIsNot) {
  const Dict context = with("x", "<b>&'\"");
  EXPECT_EQ(render("<p>{{ x }}{{ '<i>' | safe }}</p>", context, html_options()),
            "<p>&lt;b&gt;&amp;&#39;&#34;<i></p>");
}

TEST(Template, ABlockOverridesItsParentsAndCanAskForIt) {
  auto environment = std::make_shared<Environment>(html_options());
  environment->set_loader([](std::string_view) {
    return "<h1>{% block title %}base{% endblock %}</h1>{% block end %}.{% endblock %}";
  });
  auto page = Template::parse(environment, "page",
                              "{% extends 'base' %}unseen{% block title %}my {{ super() }}"
                              "{% endblock %}");
  EXPECT_EQ(page->render(Value::dict({}))->text(), "<h1>my base</h1>.");
}

}  // namespace
}  // namespace notso::jinja
