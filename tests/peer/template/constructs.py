"""Single constructs of the template language. Each is rendered by us and by the oracles.

`python_only` says why @huggingface/jinja is not asked: it lacks the construct, or it disagrees with
Python, whom we follow then.
"""

LACKS = '@huggingface/jinja does not have all of it'
PRINTS = '@huggingface/jinja does not keep to Python here, as in number formats and error cases'
DISAGREES = '@huggingface/jinja prints true, null and "a" for True, None and \'a\', or refuses'

PEOPLE = [{'name': 'Ann', 'age': 31, 'city': 'Rome'}, {'name': 'bob', 'age': 25, 'city': 'Oslo'},
          {'name': 'Cid', 'age': 31, 'city': 'Rome'}]
BASE = {'s': 'Hello World', 'empty': '', 'n': 7, 'neg': -3, 'f': 2.5, 'yes': True, 'no': False,
        'nothing': None, 'l': [3, 1, 2], 'words': ['b', 'A', 'c'], 'd': {'x': 1, 'y': 'two'},
        'people': PEOPLE, 'html': '<b>"Tom" & \'Jerry\'</b>', 'u': 'Größe 你好 👍',
        'nested': {'a': {'b': [10, 20, {'c': 'deep'}]}}, 'multi': 'one\ntwo\n\nthree'}


def both(*templates):
    return [{'template': template, 'context': BASE} for template in templates]


def python(reason, *templates):
    return [{'template': template, 'context': BASE, 'python_only': reason}
            for template in templates]


def pages(*templates, sources=None):
    return [{'template': template, 'context': BASE, 'html': True, 'templates': sources or {},
             'python_only': 'pages are not its business'} for template in templates]


VARIABLES = both(
    '{% set x = 1 %}{{ x }}', '{% set a, b = (1, 2) %}{{ a }}-{{ b }}',
    '{% set x %}hi {{ n }}{% endset %}[{{ x }}]',
    '{% set ns = namespace(a=1) %}{% set ns.a = ns.a + 1 %}{{ ns.a }}',
    '{% set ns = namespace() %}{% for i in l %}{% set ns.last = i %}{% endfor %}{{ ns.last }}',
    '{% set x = 1 %}{% for i in l %}{% set x = i %}{% endfor %}{{ x }}',
    '{% if yes %}{% set x = 5 %}{% endif %}{{ x }}', '[{{ missing }}]',
    '{% if missing %}a{% else %}b{% endif %}', '{{ d.missing }}|', '{{ nested.a.b[2].c }}',
    '{{ nested["a"]["b"][-1]["c"] }}', '{{ d["x"] }}{{ d.y }}',
    '{{ people[0].name ~ people[-1]["name"] }}')
VARIABLES += python(
    DISAGREES,
    '{{ missing is defined }}|{{ s is defined }}', '{{ "a" in missing }}',
    '{{ missing.attribute }}')

CONTROL = both(
    '{% if n > 5 %}big{% elif n > 2 %}mid{% else %}small{% endif %}',
    '{{ "yes" if no else "no" }}', '[{{ "yes" if no }}]', '{{ 1 if no else 2 if no else 3 }}',
    '{% for i in l %}{{ i }}{% endfor %}', '{% for i in [] %}x{% else %}none{% endfor %}',
    '{% for i in l %}{{ loop.revindex }}{{ loop.revindex0 }}{% endfor %}',
    '{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}',
    '{% for i in l if i != 1 %}{{ loop.index }}:{{ i }} {% endfor %}',
    '{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}',
    '{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}'
    '{% break %}{% endif %}{{ i }}{% endfor %}',
    '{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(6, 0, -2) %}{{ i }}'
    '{% endfor %}',
    '{% for i in [1, 2] %}{% for j in [3, 4] %}{{ i }}{{ j }} {% endfor %}{% endfor %}',
    '{% macro m(a, b=2) %}[{{ a }}:{{ b }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{'
    '{ m(a=4, b=5) }}',
    '{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}inner{% endcall %}',
    '{% filter upper %}hi {{ s }}{% endfilter %}',
    '{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(3) }}',
    '{% generation %}words{% endgeneration %}', '{{ raise_exception("no") }}',
    '{{ strftime_now("%d %B %Y") }}', 'a{# comment {{ x }} #}b',
    '{% if not (yes and no) or nothing %}t{% endif %}')
CONTROL += python(
    DISAGREES,
    '{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{'
    '{ loop.last }}{{ loop.length }};{% endfor %}')
CONTROL += python(
    LACKS,
    '{% for i in l %}{{ loop.cycle("a", "b") }}{% endfor %}',
    '{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{% endfor %}',
    '{% for i in [[1, [2, []]], [3]] recursive %}{{ loop.depth }}{'
    '{ loop(i) if i is iterable else i }}{% endfor %}',
    '{% for x, (y, z) in [(1, (2, 3))] %}{{ x }}{{ y }}{{ z }}{% endfor %}',
    '{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, k=4) }}',
    '{% macro m() %}{{ caller(5) }}{% endmacro %}{% call(v) m() %}got {{ v }}{% endcall %}',
    '{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}',
    '{% raw %}{{ not }} {% a %}{% endraw %}',
    '{% set x | upper | trim %} hi {% endset %}[{{ x }}]', '{% do range(3) %}ok',
    '{% set c = cycler("a", "b") %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}',
    '{% set j = joiner(", ") %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}',
    '{{ dict(a=1, b="x") }}', '{% print s, n %}', '{% for i in l %}{% else %}x{% endfor %}|',
    '{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}', '{% set d2 = {} %}{% set d2.x = 1 %}',
    '{{ (1, 2) }}{{ (1,) }}{{ () }}', '{% for c in "añ" %}{{ c }}.{% endfor %}',
    '{% set f = s.upper %}{{ f() }}', '{{ d.items is defined }}')

OPERATORS = both(
    '{{ 1 + 2 * 3 - 4 }}', '{{ 7 // 2 }} {{ 7 % 3 }}', '{{ 7 / 2 }}', '{{ -n }}',
    '{{ "a" + "b" ~ 1 ~ 2 }}', '{{ [1] + [2] }}', '{{ s[0] }}{{ s[-1] }}',
    '{{ s[1:4] }}|{{ s[:3] }}|{{ s[6:] }}', '{{ l[1:] }}{{ l[:-1] }}', '{{ l[::-1] }}')
OPERATORS += python(
    DISAGREES,
    '{{ 1 ~ none ~ true }}', '{{ 1 < 2 }}{{ 2 <= 1 }}{{ 1 == 1.0 }}', '{{ "b" > "a" }}',
    '{{ 1 in l }}{{ 9 not in l }}{{ "ell" in s }}{{ "x" in d }}',
    '{{ not yes }}{{ yes and n }}{{ empty or "fallback" }}', '{{ u[1:3] }}{{ u | length }}',
    '{{ "x" == "x" and 1 != 2 }}')
OPERATORS += python(
    PRINTS,
    '{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}', '{{ 2 ** 10 }}',
    '{{ 2 ** -1 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }}', '{{ "ab" * 3 }}{{ [0] * 3 }}',
    '{{ 4 / 2 }}', '{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }}',
    '{{ 0.1 + 0.2 }} {{ 1e16 }} {{ 1e15 }} {{ 1e-5 }} {{ 1.0 }}',
    '{{ 123456789.125 }} {{ 1e100 }} {{ 5e-324 }} {{ -0.0 }}',
    '{{ s[::-1] }}{{ s[::2] }}{{ s[8:2:-2] }}', '{{ l[-100:100] }}{{ l[5:] }}{{ s[3:1] }}|',
    '{{ true + true }}', '{{ [1, "a"] < [1, "b"] }}', '{{ 1 + "a" }}', '{{ 1 < "a" }}',
    '{{ 1 / 0 }}', '{{ missing + 1 }}', '{{ none + 1 }}',
    '{{ "%s is %d and %.2f%%" % ("x", 3, 2.5) }}', '{{ "%(a)s-%(b)05d" % {"a": 1, "b": 42} }}',
    '{{ "%-5s|%5s|%x|%+d" % ("a", "b", 255, 3) }}', '{{ 0x1F + 0b11 + 0o17 + 1_000 }}',
    '{{ "a" "b" }}', '{{ "\\x41\\u00e9\\t\\\\ \\q" }}', '{{ 10 - 2 - 3 }}{{ 2 - -2 }}',
    '{{ +n }}', '{{ [1, 2] == [1, 2] }}{{ {"a": 1} == {"a": 1.0} }}{{ (1,) == [1] }}',
    '{{ {1: "a", True: "b"} }}', '{{ s.x.y }}', '{{ s() }}', '{{ undefined_function() }}',
    '{{ {[]: 1} }}')

FORMATS = both(
    '{{ d | tojson }}', '{{ nested | tojson }}', '{{ [1, true, none, "a\\"b"] | tojson }}',
    '{{ u | tojson }}', '{{ people | tojson(indent=2) }}', '{{ multi | tojson }}',
    '{{ html | tojson }}')
FORMATS += python(
    DISAGREES,
    '{{ d | string }}', '{{ [1, "a", true, none, [2], {"k": "v"}] | string }}',
    '{{ none }}{{ true }}{{ false }}')
FORMATS += python(
    PRINTS,
    '{{ ["it\'s", \'say "hi"\', \'both \\\' and "\', "tab\\t", "nl\\n", "\\\\"] }}',
    '{{ ["é", "\\u200b", "\\u00a0", "\\x07", "\\U0001F44D", "\\u2028"] }}',
    '{{ [1.0, 1e20, 0.1] }}', '{{ {} }}{{ [] }}{{ {"a": {"b": []}} }}',
    '{{ d.items() }}{{ d.keys() }}{{ d.values() }}',
    '{{ {"b": 1, "a": [1, 2]} | tojson(sort_keys=true) }}', '{{ {} | tojson(indent=2) }}',
    '{{ u | tojson(ensure_ascii=true) }}', '{{ d | tojson(separators=(",", ":")) }}',
    '{{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }}', '{{ [1.0, 1e-7] | tojson }}',
    '{{ "\\x00\\x1f\\x7f\\b\\f" | tojson }}', '{{ missing | tojson }}',
    '{{ [[], {}] | tojson(indent=1) }}', '{{ (1, 2) | tojson }}', '{{ "a/b" | tojson }}',
    '{{ [missing] }}', '{{ range | tojson }}')

FILTERS = both(
    '{{ s | upper }}{{ s | lower }}{{ "hello" | capitalize }}', '{{ "  x " | trim }}|',
    '{{ l | length }}{{ s | length }}{{ d | length }}', '{{ l | first }}{{ l | last }}',
    '{{ l | sort }}', '{{ l | join(", ") }}{{ l | join }}', '{{ l | reverse | list }}',
    '{{ missing | default("d") }}{{ empty | default("d") }}|{{ empty | default("d", true) }}',
    '{{ neg | abs }}', '{{ "42" | int + 1 }}',
    '{{ people | rejectattr("city", "equalto", "Rome") | map(attribute="name") | join }}',
    '{{ "a,b" | replace(",", ";") }}', '{{ multi | indent }}', '{{ multi | indent(2, true) }}',
    '{{ "3.7" | float }}', '{{ people | map(attribute="missing", default="?") | join(",") }}')
FILTERS += python(
    DISAGREES,
    '{{ people | map(attribute="name") | list }}',
    '{{ people | selectattr("age", "equalto", 31) | list | length }}', '{{ d | items | list }}',
    '{{ d | dictsort }}', '{{ words | map("upper") | list }}')
FILTERS += python(
    LACKS,
    '{{ "hello wORLD foo-bar (baz)" | title }}', '{{ "xxhixx" | trim("x") }}',
    '{{ l | sort(reverse=true) }}{{ words | sort }}{{ words | sort(case_sensitive=true) }}',
    '{{ people | sort(attribute="age,name") | map(attribute="name") | join }}',
    '{{ people | groupby("city") }}',
    '{% for g in people | groupby("city") %}{{ g.grouper }}:{{ g.list | length }} {% endfor %}',
    '{{ people | groupby("city", default="x") | length }}',
    '{{ l | max }}{{ l | min }}{{ l | sum }}{{ people | sum(attribute="age") }}',
    '{{ words | max }}{{ people | min(attribute="age") }}', '{{ [] | max }}|',
    '{{ [1, 2, 3, 4, 5] | batch(2) | list }}{{ [1, 2, 3] | batch(2, "x") | list }}',
    '{{ [1, 2, 3, 4, 5] | slice(3) | list }}{{ [1, 2, 3, 4] | slice(3, "f") | list }}',
    '{{ [1, 1, "a", "A", 2] | unique | list }}', '{{ l | select("odd") | list }}',
    '{{ l | reject("odd") | list }}{{ [0, 1, ""] | select | list }}', '{{ d | attr("x") }}|',
    '{{ 2.5 | round }}{{ 3.5 | round }}{{ 2.675 | round(2) }}{{ 42 | round }}{'
    '{ 1234 | round(-2) }}',
    '{{ 2.1 | round(0, "ceil") }}{{ 2.9 | round(method="floor") }}{'
    '{ 1.234 | round(1, "ceil") }}',
    '{{ "12x" | int(5) }}{{ "0x1A" | int(0, 16) }}{{ "ff" | int(base=16) }}{{ 3.9 | int }}',
    '{{ "-3.9" | int }}{{ " 7 " | int }}{{ none | int }}{{ "x" | float(1.5) }}{'
    '{ "1e3" | float }}', '{{ "%s=%d" | format("a", 1) }}',
    '{{ "hello big world" | truncate(10) }}{'
    '{ "hello big world" | truncate(10, true) }}{{ "hello" | truncate(3, true, "", 0) }}',
    '{{ "hello big wide world" | truncate(12, false, "…") }}',
    '{{ s | center(21) }}|{{ "ab" | center(5) }}', '{{ "a b-c  d_e" | wordcount }}',
    '{{ "the quick brown fox jumps" | wordwrap(10) }}',
    '{{ "averyveryverylongword x" | wordwrap(5) }}|{{ "averylongword x" | wordwrap(5, false) }}',
    '{{ html | escape }}{{ html | e | e }}{{ html | forceescape }}', '{{ html | striptags }}',
    '{{ "a b/c?d=é&f" | urlencode }}{{ {"a b": "c/d", "e": 1} | urlencode }}',
    '{{ {"class": "x", "id": none, "t": "<"} | xmlattr }}', '{{ {"a b": 1} | xmlattr }}',
    '{{ u | upper }}{{ "ßﬁ" | upper }}{{ "ΑΣ ΣΑΣ" | lower }}{{ "İ" | lower }}{'
    '{ "ǆx" | capitalize }}', '{{ u | reverse }}{{ s | reverse }}', '{{ s | list }}',
    '{{ s | first }}{{ s | last }}', '{{ d | list }}{{ d | first }}',
    '{{ missing | length }}{{ missing | upper }}|{{ missing | list }}',
    '{{ nested | map("upper") | list }}', '{{ 5 | string ~ 5 }}', '{{ l | nofilter }}',
    '{{ 3 | length }}', '{{ "a" | default }}{{ missing | d }}|',
    '{{ multi | indent(2, blank=true) }}', '{{ multi | indent("> ") }}',
    '{{ "a.b" | replace(".", "") | replace("", "-") }}', '{{ "aaa" | replace("a", "b", 2) }}',
    '{{ people | map(attribute="name") | sort | join("|") }}', '{{ [3, "a"] | sort }}',
    '{{ people | selectattr("age") | list | length }}',
    '{{ [[1, 2], [3]] | map("sum") | list }}{{ [[1, 2], [3]] | map("first") | list }}',
    '{{ [[1, 2], [3]] | sum(start=[]) }}', '{{ people | join(", ", attribute="name") }}',
    '{{ {"b": 2, "A": 1} | dictsort }}{{ {"b": 1, "a": 2} | dictsort(by="value") }}',
    '{{ {"b": 2, "A": 1} | dictsort(true) }}{{ {"b": 2, "a": 1} | dictsort(reverse=true) }}',
    '{{ people | map(attribute="name.0") | list }}', '{{ -s | upper }}', '{{ -n | abs }}')

TESTS = both(
    '{{ "y" if s is string else "n" }}{{ "y" if n is string else "n" }}',
    '{{ "y" if n is number else "n" }}{{ "y" if s is number else "n" }}',
    '{{ "y" if d is mapping else "n" }}{{ "y" if l is mapping else "n" }}',
    '{{ "y" if l is iterable else "n" }}{{ "y" if n is iterable else "n" }}',
    '{{ "y" if nothing is none else "n" }}{{ "y" if n is not none else "n" }}',
    '{{ "y" if missing is undefined else "n" }}{{ "y" if s is defined else "n" }}',
    '{{ "y" if n is odd and n is not even else "n" }}{{ "y" if yes is true else "n" }}')
TESTS += python(
    DISAGREES,
    '{{ s is string }}{{ n is string }}', '{{ n is number }}{{ f is number }}{{ s is number }}',
    '{{ n is integer }}{{ f is integer }}', '{{ d is mapping }}{{ l is mapping }}',
    '{{ l is iterable }}{{ s is iterable }}{{ n is iterable }}',
    '{{ nothing is none }}{{ n is not none }}', '{{ n is odd }}{{ n is even }}',
    '{{ yes is true }}{{ no is false }}{{ yes is boolean }}', '{{ missing is undefined }}',
    '{{ n is equalto 7 }}', '{{ s is defined and s is not none }}')
TESTS += python(
    LACKS,
    '{{ yes is number }}{{ yes is integer }}{{ l is sequence }}{{ d is sequence }}{'
    '{ n is sequence }}', '{{ n is divisibleby 7 }}{{ n is divisibleby(2) }}',
    '{{ n is eq 7 }}{{ n is ne 7 }}{{ n is gt 3 }}{{ n is ge 7 }}{{ n is lt 3 }}{{ n is le 7 }}',
    '{{ 1 is in l }}{{ 1 is not in l }}',
    '{{ "ab" is lower }}{{ "AB" is upper }}{{ "1" is upper }}',
    '{{ range is callable }}{{ n is callable }}', '{{ nothing is sameas none }}',
    '{{ f is float }}{{ n is float }}', '{{ "upper" is filter }}', '{{ n is nosuchtest }}',
    '{{ "odd" is test }}', '{{ 1 is == 1 }}', '{{ n is defined is true }}',
    '{{ not missing is defined }}',
    '{{ missing is none }}{{ missing is string }}{{ missing is iterable }}')

METHODS = both(
    '{{ s.replace("l", "L") }}{{ s.replace("l", "L", 1) }}', '{{ s.upper() }}{{ s.lower() }}',
    '{{ "hello world".title() }}', '{{ "hello".capitalize() }}',
    '{{ "a</think>b".split("</think>")[-1].lstrip("\\n") }}',
    '{{ "".join(["a"]) if false else "x" }}')
METHODS += python(
    DISAGREES,
    '{{ " x ".strip() }}|{{ "xxhix".strip("x") }}|{{ " x".lstrip() }}|{{ "x ".rstrip() }}|',
    '{{ "a,b,c".split(",") }}', '{{ " a  b ".split() }}', '{{ "a,b,c".split(",", 1) }}',
    '{{ s.startswith("Hell") }}{{ s.endswith("ld") }}',
    '{{ d.get("x") }}{{ d.get("zz") }}{{ d.get("zz", 5) }}',
    '{{ d.keys() | list }}{{ d.values() | list }}')
METHODS += python(
    LACKS,
    '{{ "a,b,c".rsplit(",", 1) }}{{ "a b c".rsplit(None, 1) }}{{ "a\\nb\\r\\nc".splitlines() }}',
    '{{ "a\\nb\\n".splitlines(true) }}{{ " a b c ".split(None, 1) }}', '{{ ",".join(words) }}',
    '{{ s.startswith(("x", "He")) }}{{ s.endswith(("x",)) }}{{ s.startswith("lo", 3) }}',
    '{{ s.find("o") }}{{ s.rfind("o") }}{{ s.find("zz") }}{{ s.index("W") }}{{ s.count("l") }}',
    '{{ s.index("zz") }}', '{{ u.find("好") }}{{ u.count("") }}', '{{ "{} {1}".format(1, 2) }}',
    '{{ "{} {}".format(1, "b") }}{{ "{0}{1}{0}".format("a", "b") }}{{ "{x:>5}|'
    '{y:.2f}".format(x="a", y=2) }}',
    '{{ "{{}}".format() }}|{{ "{:<4}|{:^5}|{:04d}|{:,}".format("a", "b", 7, 1234567) }}',
    '{{ "{!r}".format("a") }}{{ "{:x}{:%}{:e}".format(255, 0.5, 12345.678) }}',
    '{{ "prefix-x".removeprefix("prefix-") }}{{ "x.txt".removesuffix(".txt") }}',
    '{{ "12".isdigit() }}{{ "ab".isalpha() }}{{ "a1".isalnum() }}{{ " ".isspace() }}'
    '{{ "".isdigit() }}',
    '{{ "²".isdigit() }}{{ "½".isnumeric() }}{{ "é".isalpha() }}{{ "AB".isupper() }}'
    '{{ "a1".islower() }}',
    '{{ "a-b-c".partition("-") }}{{ "a-b-c".rpartition("-") }}{{ "abc".partition("-") }}',
    '{{ "ab".ljust(4, ".") }}{{ "ab".rjust(4) }}{{ "ab".center(5, "*") }}{'
    '{ "abc".center(6, "*") }}{{ "-5".zfill(4) }}',
    '{{ "they\'re bill\'s".title() }}{{ "ab cd".swapcase() }}',
    '{{ l.index(1) }}{{ l.count(1) }}', '{{ l.index(99) }}', '{{ (1, 2, 1).count(1) }}',
    '{{ l.append(4) }}', '{{ d.update({"a": 1}) }}', '{{ s.nomethod() }}', '{{ s.upper(1) }}',
    '{{ "a".split("") }}', '{{ d.copy() }}', '{{ "x".join([1]) }}')

WHITESPACE = both(
    'a\n{% if yes %}\nb\n{% endif %}\nc\n', '  {% if yes %}\n  b\n  {% endif %}\n',
    'a {%- if yes %} b {%- endif %} c', 'a {{- s -}} b', '{{ s }}\n{{ s }}\n',
    '{% for i in l %}\n{{ i }}\n{% endfor %}\n', 'x\n\n', 'a{#- c -#} b', '  {# c #}\nb',
    '\n\n{% set x = 1 -%}\n\n  b')
WHITESPACE += python(
    PRINTS,
    'a\n  {%+ if yes %}b{% endif +%}\nc', 'a\r\nb\rc\n',
    '  {{ s }}  \n  {%- if yes -%}  \n x {% endif %}',
    'a\n{% raw -%}\n  {{ x }} \n{%- endraw %}\nb', '  {% raw %}\n x{% endraw %}\ny',
    '{% if yes %}\r\nb{% endif %}', 'a {#- c #}\n b',
    '   {% if yes %}x{% endif %}   {% if no %}{% endif %}\n  y', '{{ {"a": {"b": 1}}["a"] }}',
    '{{ "}}" }}{{ "%}" }}{% if "%}" %}x{% endif %}', '{{', '{% if %}', '{% endif %}',
    '{{ 1 + }}', '{% for x %}{% endfor %}', '{{ (1 }}', '{{ ]1 }}', '{% nosuchtag %}',
    '{% if yes %}', '{{ "abc }}', '{# open', '{% raw %}x', '{{ 1 2 }}', '{% break %}',
    '{{ a b }}', '{{ $ }}', '{% set 1 = 2 %}', '{% set none = 2 %}', '{{ f(a=1, 2) }}',
    '{}{ {{ "x" }} }')

SOURCES = {
    'base': '<t>{% block title %}Base{% endblock %}</t>\n'
    '{% block body scoped %}<p>{{ html }}</p>{% endblock %}\n',
    'middle': '{% extends "base" %}{% block body %}[{{ super() }}]{% endblock %}',
    'part': 'part {{ html }} {{ local }}', 'broken': '{% if %}',
    'macros': '{% macro link(text) %}<a>{{ text }}</a>{% endmacro %}{% set version = 3 %}'
    '{% set _own = 1 %}'}
PAGES = pages(
    '{{ html }}{{ html | safe }}{{ "<i>" }}', '{{ html | upper }}{{ html | e }}',
    '{{ ("<b>" | safe) ~ html }}',
    '{{ ("<b>" | safe) + html }}', '{{ [html, "<b>" | safe] | join("<") }}',
    '{{ {"a": html} | tojson }}',
    '{% set x %}<b>{{ html }}</b>{% endset %}{{ x }}',
    '{% macro m(x) %}<i>{{ x }}</i>{% endmacro %}{{ m(html) }}',
    '{% macro m() %}<i>{{ caller() }}</i>{% endmacro %}{% call m() %}{{ html }}{% endcall %}',
    '{% filter upper %}<b>{{ html }}</b>{% endfilter %}',
    '{% autoescape false %}{{ html }}{% endautoescape %}{{ html }}',
    '{{ "<b>%s</b>" | safe | format(html) }}', '{{ ("<b>{}</b>" | safe).format(html) }}',
    '{{ html | replace("<", ">") }}',
    '{{ ("<a>" | safe).replace("a", html) }}', '{{ people[0] }}', '{{ html[:3] }}',
    '{{ u | tojson }}', '{{ 5 }}{{ none }}',
    '{{ {"class": html} | xmlattr }}', '{{ html | striptags }}', '{{ html | truncate(8) }}',
    '{{ html | trim }}')
PAGES += pages(
    '{% extends "base" %}{% block title %}Own{% endblock %}ignored',
    '{% extends "middle" %}{% block title %}{{ super() }}!{% endblock %}',
    '{% include "part" %}', '{% set local = "<" %}{% include "part" %}',
    '{% include "nowhere" ignore missing %}ok',
    '{% include "nowhere" %}', '{% include ["nowhere", "part"] %}',
    '{% import "macros" as m %}{{ m.link(html) }}{{ m.version }}{{ m._own }}',
    '{% from "macros" import link as l, version %}{{ l("x") }}{{ version }}',
    '{% include "broken" %}',
    '{% set local = 1 %}{% include "part" without context %}',
    '{% extends "base" %}{% set title = "t" %}{% block title %}{{ title }}{% endblock %}',
    '{% for i in [1, 2] %}{% include "part" %}{% endfor %}',
    '{% block a %}x{% endblock %}{% block a %}y{% endblock %}', sources=SOURCES)

CASES = (VARIABLES + CONTROL + OPERATORS + FORMATS + FILTERS + TESTS + METHODS + WHITESPACE + PAGES)
