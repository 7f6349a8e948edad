#!/usr/bin/env python3
"""Shows that each house rule finds what it forbids and leaves alone what it allows."""

import os
import tempfile
import textwrap
import unittest

import tidy

LIBRARY = 'notso_library({name} SOURCES {sources} LINKS {links})\n'
HEADER = '// A file.\n#pragma once\n\n'
MANY_LINES = '  f();\n' * 69


def body(lines):
    """A function of that many lines."""
    return 'void g() {\n' + '  f();\n' * (lines - 2) + '}\n'


class TidyTest(unittest.TestCase):
    def findings(self, files):
        """What tidy says about a tree of these files (texts by path)."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full) or root, exist_ok=True)
                with open(full, 'w', encoding='utf-8') as file:
                    file.write(textwrap.dedent(text))
            return list(tidy.check_tree(root))

    def assert_clean(self, files):
        self.assertEqual(self.findings(files), [])

    def assert_one(self, files, *words):
        """Exactly one finding, with all these words."""
        found = self.findings(files)
        self.assertEqual(len(found), 1, found)
        for word in words:
            self.assertIn(word, found[0])

    def test_files_may_have_600_lines(self):
        self.assert_clean({'tests/a.cpp': '\n' * 600})
        self.assert_one({'tests/a.cpp': '\n' * 601}, '601 lines')

    def test_lines_may_have_100_columns(self):
        self.assert_clean({'tests/a.cpp': '//' + 'é' * 98})
        self.assert_one({'tests/a.cpp': '//' + 'x' * 99}, 'a.cpp:1', '101 columns')
        self.assert_one({'run': '#!/bin/sh\n' + 'x' * 101}, 'run:2')
        self.assert_one({'bench/a.js': 'x' * 101}, 'a.js:1')

    def test_functions_may_have_70_lines(self):
        self.assert_clean({'tests/a.cpp': body(70)})
        self.assert_one({'tests/a.cpp': body(71)}, 'a.cpp:1', '71 lines')

    def test_functions_are_seen_in_namespaces_classes_and_tests(self):
        for before, after in (
                ('namespace a::b {\n', '}\n'),
                ('namespace {\nextern "C" {\n', '}\n}\n'),
                ('namespace {\nclass A final : public B<int> {\n public:\n', '};\n}\n'),
                ('struct A {\n  int x{3};\n', '};\n'),
        ):
            files = {'tests/a.cpp': before + body(71) + after}
            self.assert_one(files, '71 lines')
        files = {'tests/a.cpp': 'TEST(Suite, name) {\n' + MANY_LINES + '}\n'}
        self.assert_one(files, '71 lines')

    def test_the_signature_and_lambdas_inside_count(self):
        inside = '  auto h = [](int x) {\n' + '  f();\n' * 66 + '  };\n'
        self.assert_one({'tests/a.cpp': 'void\ng() {\n' + inside + '}\n'}, '71 lines')
        self.assert_one({'tests/a.cpp': 'const auto h = [](int x) {\n' + MANY_LINES + '};\n'})

    def test_every_form_of_head_is_seen(self):
        for head in ('template <class T, int N = 3>\nT g(std::array<T, N> x) {',
                     'auto g(int x) -> std::vector<int>\n{',
                     'A::A(int x) : b_{x}, c_(x)\n{',
                     'bool A::operator<(const A& other) const noexcept\n{',
                     '[[nodiscard]] constexpr int g(int a = f(2))\n{',
                     'void g(B b = {})\n{'):
            files = {'tests/a.cpp': head + '\n' + '  f();\n' * 68 + '}\n'}
            self.assert_one(files, '71 lines')

    def test_braces_in_comments_literals_and_directives_do_not_confuse(self):
        tricks = textwrap.dedent('''\
            #define OPEN {
            const char* a = "{\\"{";  // {
            const char b = '{';
            const int c = 1'000;
            /* { */ const char* d = R"x({ " )" {)x";
            ''')
        self.assert_clean({'tests/a.cpp': tricks + body(70)})
        self.assert_one({'tests/a.cpp': tricks + body(71)}, 'a.cpp:6')

    def test_braces_that_do_not_balance_are_reported(self):
        self.assert_one({'tests/a.cpp': 'void g() {\n'}, 'braces')
        self.assert_one({'tests/a.cpp': '}\n'}, 'braces')

    def test_tables_and_types_are_no_functions(self):
        table = 'const A kTable[] = {\n' + '  {1, f(2)},\n' * 90 + '};\n'
        self.assert_clean({'tests/a.cpp': table})
        self.assert_clean({'tests/a.cpp': 'class A {\n' + '  int x;\n' * 90 + '};\n'})
        self.assert_clean({'tests/a.cpp': 'enum class A : int {\n' + '  kX,\n' * 90 + '};\n'})

    def test_python_functions_count_too(self):
        self.assert_one({'scripts/a.py': 'def g():\n' + '    f()\n' * 70}, '71 lines')

    def test_generated_files_may_be_long(self):
        text = '// ' + 'x' * 200 + '\n' + '//\n' * 700 + body(90)
        self.assert_clean({'tests/a_generated.cpp': text})

    def test_headers_say_what_they_are(self):
        self.assert_one({'src/base/a.h': '#pragma once\n'}, 'a.h:1', 'at the top')
        self.assert_clean({'tests/a.h': '#pragma once\n'})

    def test_types_and_functions_of_headers_have_comments(self):
        for text in ('class A {\n};\n', 'struct A {};\n', 'enum class A { kX };\n',
                     'void g();\n', 'inline int g() { return 1; }\n',
                     'template <class T>\nT g(T x);\n', 'std::vector<int> g() noexcept;\n'):
            files = {'src/base/a.h': HEADER + 'namespace notso {\n\n' + text + '\n}\n'}
            self.assert_one(files, 'a.h:6', 'no comment above')
            files = {'src/base/a.h': HEADER + '// Why.\n' + text}
            self.assert_clean(files)

    def test_public_member_functions_have_comments(self):
        text = HEADER + '// A.\nclass A {\n public:\n  void g(int x);\n private:\n  void h();\n};\n'
        self.assert_one({'src/base/a.h': text}, 'a.h:7', 'void g(int x)')
        text = HEADER + '// A.\nstruct A {\n  int x = 0;\n\n  void g();\n};\n'
        self.assert_one({'src/base/a.h': text}, 'a.h:8')

    def test_a_namespace_without_a_name_holds_nothing_public(self):
        text = HEADER + 'namespace notso {\nnamespace {\n\nvoid g();\n\n}\n\nvoid h();\n}\n'
        self.assert_one({'src/base/a.h': text}, 'a.h:11', 'void h()')

    def test_constructors_have_comments_unless_they_come_first(self):
        text = HEADER + '// A.\nclass A {\n public:\n  A();\n\n  explicit A(int x);\n};\n'
        self.assert_one({'src/base/a.h': text}, 'a.h:9', 'explicit A(int x)')

    def test_a_comment_covers_the_lines_that_follow_it_closely(self):
        run = '// Both.\nvoid g();\nint h();\n'
        self.assert_clean({'src/base/a.h': HEADER + run})
        self.assert_one({'src/base/a.h': HEADER + run + '\nvoid i();\n'}, 'a.h:8')

    def test_what_speaks_for_itself_needs_no_comment(self):
        self.assert_clean({'src/base/a.h': HEADER + textwrap.dedent('''\
            class B;
            using C = std::function<void(int)>;
            static_assert(sizeof(int) == 4);

            // A.
            class A {
             public:
              explicit A(int size);

              A(A&& other) noexcept;
              A& operator=(const A&) = delete;
              ~A();

              [[nodiscard]] int size() const { return size_; }

              void g() override;

              std::function<int()> run;

             private:
              void h();
              int size_ = f(3);
            };
            ''')})

    def test_no_machine_paths_hosts_banners_or_unfinished_marks(self):
        for text, word in (('// in /ho' + 'me/someone/x\n', 'machine'),
                           ('const char* a = "/tm' + 'p/x";\n', 'machine'),
                           ('// registry.npm' + 'js.org\n', 'registry'),
                           ('// ----' + '----\n', 'banner'),
                           ('// ====' + '= Part one\n', 'banner'),
                           ('// TO' + 'DO: more\n', 'unfinished')):
            self.assert_one({'tests/a.cpp': text}, 'a.cpp:1', word)
        self.assert_one({'README.md': 'see /wo' + 'rk/x\n'}, 'README.md:1', 'machine')
        self.assert_clean({'README.md': 'https://a.b/home' + '/x\n\n| a |\n|-----|\n'})

    TREE = {
        'src/base/CMakeLists.txt': LIBRARY.format(name='n_base', sources='a.cpp', links=''),
        'src/base/a.h': HEADER,
        'src/ml/core/x/CMakeLists.txt':
            LIBRARY.format(name='n_x', sources='x.cpp', links='n_base'),
        'src/ml/core/x/x.h': HEADER,
        'src/ml/core/y/CMakeLists.txt':
            LIBRARY.format(name='n_y', sources='y.cpp', links='n_x'),
        'src/ml/core/y/y.h': HEADER,
    }

    def with_include(self, path, include):
        return {**self.TREE, path: f'// A file.\n#include "{include}"\n'}

    def test_includes_may_follow_links_even_through_others(self):
        self.assert_clean(self.with_include('src/ml/core/y/y.cpp', 'ml/core/x/x.h'))
        self.assert_clean(self.with_include('src/ml/core/y/y.cpp', 'base/a.h'))
        self.assert_clean(self.with_include('src/ml/core/y/y.cpp', 'ml/core/y/y.h'))

    def test_includes_upwards_are_found(self):
        files = self.with_include('src/base/a.cpp', 'ml/core/x/x.h')
        self.assert_one(files, 'src/base/a.cpp:2', 'against the arrows')

    def test_includes_without_a_link_are_found(self):
        files = self.with_include('src/ml/core/x/x.cpp', 'ml/core/y/y.h')
        self.assert_one(files, 'src/ml/core/x/x.cpp:2', 'does not link')

    def test_two_libraries_of_one_folder_are_told_apart(self):
        files = {**self.TREE, 'src/ml/core/y/z.h': '// A.\n#include "ml/core/y/y.h"\n'}
        files['src/ml/core/y/CMakeLists.txt'] += LIBRARY.format(
            name='n_z', sources='z.cpp', links='n_base')
        self.assert_one(files, 'z.h:2', 'n_y', 'n_z')

    def test_includes_start_at_the_root_of_src(self):
        self.assert_one(self.with_include('src/base/a.cpp', 'a.h'), 'root of src')

    def test_links_upwards_are_found(self):
        files = {**self.TREE, 'src/base/CMakeLists.txt': LIBRARY.format(
            name='n_base', sources='a.cpp', links='n_x')}
        self.assert_one(files, 'n_base links n_x')

    def test_sources_without_a_library_are_found(self):
        files = self.with_include('src/web/w.cpp', 'base/a.h')
        self.assert_one(files, 'src/web/w.cpp', 'declares a library')

    def test_a_header_without_a_library_is_free_from_its_layer_up(self):
        files = {**self.with_include('src/ml/core/x/x.cpp', 'ml/core/i.h'),
                 'src/ml/core/i.h': '// An interface.\n#include "base/a.h"\n'}
        self.assert_clean(files)
        files['src/ml/core/i.h'] += '#include "web/w.h"\n'
        files['src/web/w.h'] = HEADER
        self.assert_one(files, 'i.h:3', 'against the arrows')


if __name__ == '__main__':
    unittest.main()
