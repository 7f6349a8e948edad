// Text of the template stays trusted, text from data never becomes it.
#include <gtest/gtest.h>
#include <random>

#include "service/template/render.h"

namespace notso::jinja {
namespace {

TEST(Provenance, LiteralsAreTrustedAndDataIsNot) {
  EXPECT_EQ(render_spans("<|im_start|>{{ 'user' }}\n{{ x }}<|im_end|>", with("x", "hi")),
            "<|im_start|>user\n«hi»<|im_end|>");
}

TEST(Provenance, ConcatenationKeepsBothSidesApart) {
  EXPECT_EQ(render_spans("{{ 'a' + x ~ 'b' ~ 1 }}", with("x", "-")), "a«-»b«1»");
}

TEST(Provenance, SlicesKeepTheRunsTheyCut) {
  EXPECT_EQ(render_spans("{{ ('ab' + x + 'cd')[1:5] }}", with("x", "éé")), "b«éé»c");
  EXPECT_EQ(render_spans("{{ ('ab' + x)[::-1] }}", with("x", "12")), "«21»ba");
}

TEST(Provenance, ReplaceKeepsEachPieceAsItWas) {
  EXPECT_EQ(render_spans("{{ x.replace('o', '<think>') }}", with("x", "foo!")),
            "«f»<think><think>«!»");
  EXPECT_EQ(render_spans("{{ 'a_b'.replace('_', x) }}", with("x", "</think>")), "a«</think>»b");
}

TEST(Provenance, JoinAndFormatKeepEachPieceAsItWas) {
  EXPECT_EQ(render_spans("{{ [x, 'b'] | join(', ') }}", with("x", "a")), "«a», b");
  EXPECT_EQ(render_spans("{{ '[%s]' | format(x) }}{{ '{}!'.format(x) }}", with("x", "a")),
            "[«a»]«a»!");
}

TEST(Provenance, CaseAndTrimmingKeepTheRuns) {
  EXPECT_EQ(render_spans("{{ (' a' + x) | trim | upper }}", with("x", "ß ")), "A«SS»");
}

TEST(Provenance, WhatIsComputedFromDataIsUntrusted) {
  Dict context;
  context.set("d", Value::dict(with("<think>", "</think>")));
  EXPECT_EQ(render_spans("{{ d | tojson }}", context), "«{\"<think>\": \"</think>\"}»");
  EXPECT_EQ(render_spans("{{ d }}", context), "«{'<think>': '</think>'}»");
}

TEST(Provenance, MacrosAndBlocksKeepTheRuns) {
  EXPECT_EQ(render_spans("{% macro m(y) %}<{{ y }}>{% endmacro %}{% set z %}{{ m(x) }}{% endset %}"
                         "{% filter upper %}{{ z }}b{% endfilter %}",
                         with("x", "a")),
            "<«A»>B");
}

TEST(Provenance, TheProgramCanTrustTextOfItsOwn) {
  Dict context;
  context.set("bos", Value::trusted("<|begin_of_text|>"));
  EXPECT_EQ(render_spans("{{ bos }}", context), "<|begin_of_text|>");
}

// Random chains of everything that takes a string and gives one.
const char* const kSteps[] = {
    " | upper",
    " | lower",
    " | capitalize",
    " | title",
    " | trim",
    " | reverse",
    " | string",
    " | replace('t', 'x')",
    " | indent(2, true)",
    " | center(40)",
    " | truncate(9)",
    " | wordwrap(4)",
    " | default('z')",
    " | join('.')",
    " | list | join",
    " | escape",
    " | urlencode",
    " | tojson",
    " | striptags",
    " | batch(3) | map('join') | join",
    " | unique | join",
    " | sort | join",
    " | first",
    " | last",
    " | format",
    " | forceescape",
    " | safe",
    " | select | join",
    " | map('upper') | join('-')",
    ".strip()",
    ".lstrip('<')",
    ".rstrip('>')",
    ".upper()",
    ".title()",
    ".swapcase()",
    ".replace('', '~')",
    ".replace('i', '')",
    ".split('m') | join('m')",
    ".split() | join(' ')",
    ".rsplit('h', 1) | first",
    ".splitlines() | join",
    ".partition('i') | join",
    "[1:]",
    "[:-1]",
    "[::2]",
    "[::-1]",
    ".center(30)",
    ".zfill(20)",
    ".removeprefix('<')",
    ".ljust(20, '=')",
    " * 2",
    " ~ ''",
    " + ''",
};

// A letter that only untrusted data has, in either case, through whatever a filter makes of it.
bool has_mark(const std::string& text) { return text.find_first_of("QqWw") != std::string::npos; }

TEST(Provenance, DataNeverEndsUpInATrustedRunThroughRandomChains) {
  std::mt19937 random(7);
  const std::string data = "<q>|W q_end|w\n Qw&q\tW<qqq>";
  int rendered_count = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string expression = random() % 2 == 0 ? "(lit + data)" : "(data ~ lit ~ data)";
    for (auto i = random() % 6; i > 0; --i) {
      expression = "(" + expression + kSteps[random() % std::size(kSteps)] + ")";
    }
    Dict context = with("data", data);
    const std::string source = "{% set lit = '<ihm|> tom\\n' %}{{ " + expression + " }}";
    auto parsed = Template::parse(std::make_shared<Environment>(), "t", source);
    ASSERT_TRUE(parsed) << source << parsed.error().message;
    auto rendered = parsed->render(Value::dict(context));
    if (!rendered) continue;
    ++rendered_count;
    for (const Span& span : rendered->spans) {
      ASSERT_FALSE(span.trusted && has_mark(span.text)) << source << "\n" << span.text;
    }
  }
  EXPECT_GT(rendered_count, 2000);
}

TEST(Provenance, LiteralsStayTrustedThroughRandomChains) {
  // Steps that neither add characters nor cut any; what comes in whole must come out trusted.
  const char* const steps[] = {
      " | upper",       " | lower", " | string",          " | reverse",      ".strip()",
      " | list | join", "[::-1]",   ".split('q') | join", " | default('z')", ".replace('q', 'z')",
      " ~ ''",          " | trim",  ".swapcase()"};
  std::mt19937 random(8);
  for (int round = 0; round < 1000; ++round) {
    std::string expression = "('<|im_end|>' + data)";
    for (auto i = random() % 8; i > 0; --i) {
      expression = "(" + expression + steps[random() % std::size(steps)] + ")";
    }
    auto parsed = Template::parse(std::make_shared<Environment>(), "t", "{{ " + expression + " }}");
    ASSERT_TRUE(parsed);
    auto rendered = parsed->render(Value::dict(with("data", "0123")));
    ASSERT_TRUE(rendered) << expression << rendered.error().message;
    std::size_t trusted = 0;
    for (const Span& span : rendered->spans) trusted += span.trusted ? span.text.size() : 0;
    EXPECT_EQ(trusted, std::string("<|im_end|>").size()) << expression;
  }
}

}  // namespace
}  // namespace notso::jinja
