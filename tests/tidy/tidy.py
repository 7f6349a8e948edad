#!/usr/bin/env python3
"""The house rules that a program can check. Prints one line a finding and fails if there is any.

    tidy.py ROOT

Lengths (files, functions, lines), include arrows (arrows.py), documented public headers, and words
that do not belong in the tree: paths of one machine, registry hosts, banner art, unfinished marks.
Files named *_generated* are exempt from the lengths.
"""

import ast
import os
import re
import sys

import arrows
import cpp_scan

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100

CPP = ('.cpp', '.h', '.cu', '.cuh')
CODE = CPP + ('.py', '.js', '.mjs', '.css', '.html', '.sh', '.cmake')
PROSE = ('.md', '.txt', '.json', '.toml', '.yml', '.yaml', '.service')
SKIPPED_FOLDERS = {'.git', 'build', 'node_modules', '.cache', '__pycache__', 'corpus', 'data'}

# Written in pieces, so that this file may hold them.
MACHINE_PATH = re.compile(r'(?<![\w.})])/' + r'(?:work|tmp|home|root|Users)' + r'/\w')
REGISTRY = re.compile(r'registry\.[a-z]+\.[a-z]+|npm' + r'js\.(?:org|com)|pypi\.' + r'org|deb\.'
                      + r'debian')
BANNER = re.compile(r'^\s*(?://|#|/?\*)\s*([-=*#~/_+])\1{4,}')
UNFINISHED = re.compile(r'\b(?:TO' + r'DO|FIX' + r'ME)\b')


def files_of(root):
    """Pairs of path (with '/', from the root) and extension; scripts without one count as .sh."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(n for n in names if n not in SKIPPED_FOLDERS)
        for name in sorted(files):
            full = os.path.join(folder, name)
            extension = os.path.splitext(name)[1]
            if name == 'CMakeLists.txt':
                extension = '.cmake'
            elif not extension and is_script(full):
                extension = '.sh'
            if extension in CODE + PROSE and not os.path.islink(full):
                yield os.path.relpath(full, root).replace(os.sep, '/'), extension


def is_script(path):
    with open(path, 'rb') as file:
        return file.read(2) == b'#!'


def check_lines(path, lines, is_generated):
    """Lengths of the file and of its lines."""
    if is_generated:
        return
    if len(lines) > FILE_LINES_MAX:
        yield f'{path}: {len(lines)} lines; cut it in two (at most {FILE_LINES_MAX})'
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            yield f'{path}:{number}: {len(line)} columns (at most {COLUMNS_MAX})'


def check_words(path, lines, is_code):
    """What must not stand in any file."""
    for number, line in enumerate(lines, 1):
        if MACHINE_PATH.search(line):
            yield f'{path}:{number}: a path of one machine; take it from the environment'
        if REGISTRY.search(line):
            yield f'{path}:{number}: names a registry host; that is the reader\'s configuration'
        if is_code and BANNER.match(line):
            yield f'{path}:{number}: banner art; a sentence does'
        if is_code and UNFINISHED.search(line):
            yield f'{path}:{number}: unfinished by its own word'


def check_cpp(path, text, is_generated):
    """Function lengths, and comments in public headers."""
    masked, comments = cpp_scan.mask(text)
    try:
        nodes = cpp_scan.scan(masked)
    except cpp_scan.BraceError:
        yield f'{path}: braces do not balance; write each #if branch so that they do'
        return
    if not is_generated:
        for node in cpp_scan.functions(nodes):
            length = node.last - node.first + 1
            if length > FUNCTION_LINES_MAX:
                yield f'{path}:{node.first}: a function of {length} lines (at most ' \
                      f'{FUNCTION_LINES_MAX}): {" ".join(node.head.split())[:60]}'
    if path.startswith('src/') and path.endswith(('.h', '.cuh')):
        if not text.startswith('//'):
            yield f'{path}:1: no comment at the top that says what this file is'
        yield from check_comments(path, nodes, comments, None)


def check_comments(path, nodes, comments, owner):
    """Every declaration of a public header that needs a comment has one above it, or stands in a
    run of lines under one."""
    alone, touched = comments
    run_end = 0  # the last line of the documented run so far
    for position, node in enumerate(nodes):
        if node.kind == 'namespace':
            if node.head.split() != ['namespace']:  # one without a name holds nothing public
                yield from check_comments(path, node.body, comments, None)
            continue
        documented = node.first - 1 in alone or node.first - 1 == run_end \
            or bool({node.first, node.last} & touched)
        if documented:
            run_end = node.last
        elif position == 0 and owner and re.search(rf'\b{owner}\s*\(', node.head):
            continue  # a constructor that comes first: the comment on its class is about both
        elif needs_comment(node, owner):
            yield f'{path}:{node.first}: no comment above: {" ".join(node.head.split())[:60]}'
        if node.kind == 'type' and node.public:
            yield from check_comments(path, node.body, comments, type_name(node.head))


def type_name(head):
    match = re.search(r'\b(?:class|struct|union)\s+(\w+)', cpp_scan.ATTRIBUTES.sub(' ', head))
    return match.group(1) if match else ''


def needs_comment(node, owner):
    """Types and functions do, but for those that speak for themselves: special members, operators,
    overrides (their base says it), and const members without parameters (their name says it)."""
    if owner is None and node.kind in ('type', 'enum'):
        return node.defined
    if node.kind != 'function' or not node.public:
        return False
    head = cpp_scan.plain_head(node.head)
    if owner is None:
        return True
    if re.search(r'=\s*(default|delete|0\s*=)\s*$|\boverride\b|\boperator\b|~', head):
        return False
    if re.search(r'\(\s*\)\s*const\b', head):
        return False
    return not re.search(rf'\b{owner}\s*\(\s*((const\s+)?{owner}\b\s*&.*)?\)', head)


def check_python(path, text):
    """Function lengths of a Python script."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f'{path}:{node.lineno}: a function of {length} lines (at most ' \
                      f'{FUNCTION_LINES_MAX}): {node.name}'


def check_tree(root):
    """All findings under `root`, as lines."""
    sources = {}
    for path, extension in files_of(root):
        with open(os.path.join(root, path), encoding='utf-8', errors='replace') as file:
            text = file.read()
        lines = text.splitlines()
        is_generated = '_generated' in os.path.basename(path)
        if extension in CODE:
            yield from check_lines(path, lines, is_generated)
        yield from check_words(path, lines, extension in CODE)
        if extension in CPP:
            yield from check_cpp(path, text, is_generated)
        if extension == '.py':
            yield from check_python(path, text)
        if path.startswith('src/') and extension in CPP + ('.cmake',):
            sources[path] = text
    yield from arrows.check(sources)


def main():
    findings = list(check_tree(sys.argv[1]))
    for finding in findings:
        print(finding)
    print(f'tidy: {len(findings)} findings')
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main())
