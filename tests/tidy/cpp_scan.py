"""Reads C++ just well enough to see its functions, declarations and comments.

Not a parser: comments, strings and preprocessor lines are blanked out (`mask`), and what is left is
cut at semicolons and braces (`scan`). Each brace is classified by the text before it, its head, as
a namespace, a type, a function body, or something else such as an initialiser.
"""

import re
from dataclasses import dataclass, field

RAW_STRING = re.compile(r'(?:u8|u|U|L)?R"([^\s()\\]{0,16})\(')
COMMENT_OR_LITERAL = re.compile(r'//|/\*|"|\'|(?:u8|u|U|L)?R"')


def mask(text):
    """The text with comments, literals' insides and preprocessor lines as spaces, and the comments'
    line numbers: a pair of sets, lines that hold nothing but a comment, and lines that hold one."""
    out = list(text)
    spans = []  # of comments
    position = 0

    def blank(begin, end):
        for i in range(begin, end):
            if out[i] != '\n':
                out[i] = ' '

    while match := COMMENT_OR_LITERAL.search(text, position):
        begin = match.start()
        token = match.group()
        if token == '//':
            end = _line_end(text, begin)
            spans.append((begin, end))
            blank(begin, end)
        elif token == '/*':
            end = text.find('*/', begin + 2)
            end = len(text) if end < 0 else end + 2
            spans.append((begin, end))
            blank(begin, end)
        elif token.endswith('R"') and (raw := RAW_STRING.match(text, begin)):
            end = text.find(f'){raw.group(1)}"', raw.end())
            end = len(text) if end < 0 else end + len(raw.group(1)) + 2
            blank(begin + 1, end - 1)
        elif token == "'" and begin > 0 and text[begin - 1].isalnum():
            end = begin + 1  # a digit separator
        else:
            begin = match.end() - 1
            end = _literal_end(text, begin)
            blank(begin + 1, end - 1)
        position = end
    masked = _blank_preprocessor(''.join(out))
    return masked, _comment_lines(text, masked, spans)


def _line_end(text, position):
    end = text.find('\n', position)
    return len(text) if end < 0 else end


def _literal_end(text, begin):
    quote = text[begin]
    i = begin + 1
    while i < len(text) and text[i] not in (quote, '\n'):
        i += 2 if text[i] == '\\' else 1
    return min(i + 1, len(text))


def _blank_preprocessor(text):
    lines = text.split('\n')
    directive = False
    for i, line in enumerate(lines):
        directive = directive or line.lstrip().startswith('#')
        if directive:
            continues = line.rstrip().endswith('\\')
            lines[i] = ' ' * len(line)
            directive = continues
    return '\n'.join(lines)


def _comment_lines(text, masked, spans):
    touched = set()
    for begin, end in spans:
        first = text.count('\n', 0, begin)
        touched.update(range(first, first + text.count('\n', begin, end) + 1))
    lines = masked.split('\n')
    alone = {i + 1 for i in touched if not lines[i].strip()}
    return alone, {i + 1 for i in touched}


@dataclass
class Node:
    """A declaration or a definition. Lines count from 1; `kind` is one of namespace, type, enum,
    function, other; `body` holds what stands inside a namespace or a type."""
    kind: str
    head: str
    first: int
    last: int = 0
    public: bool = True
    defined: bool = False
    body: list = field(default_factory=list)


class BraceError(Exception):
    """Braces do not balance, so nothing can be said about the file."""


ATTRIBUTES = re.compile(r'\[\[.*?\]\]|\balignas\s*\([^()]*\)|\b__attribute__\s*\(\(.*?\)\)', re.S)
ACCESS = re.compile(r'\s*(public|protected|private)\s*:(?!:)')


def plain_head(head):
    """The head without attributes, template parameters and template arguments."""
    head = ATTRIBUTES.sub(' ', head).replace('->', ' ')
    head = re.sub(r'\boperator\s*[<>=!]+', 'operator', head)
    previous = None
    while previous != head:
        previous, head = head, re.sub(r'<[^<>;{}]*>', '', head)
    return re.sub(r'\btemplate\b|\brequires\b', ' ', head).strip()


def is_function(head):
    """Whether a declaration's head declares a function: it has parentheses before any `=`."""
    before_value = re.sub(r'\boperator\s*\S*?\(', 'operator(', plain_head(head)).split('=')[0]
    if re.match(r'\s*(using|typedef|friend|static_assert|extern\s*"|namespace)\b', before_value):
        return False
    return '(' in before_value


def _brace_kind(head):
    plain = plain_head(head)
    if re.match(r'(inline\s+)?namespace\b', plain) or re.match(r'extern\s*"\s*"$', plain):
        return 'namespace'
    if re.match(r'(typedef\s+)?enum\b', plain) and '(' not in plain:
        return 'enum'
    if re.match(r'(typedef\s+)?(class|struct|union)\b', plain) and '(' not in plain:
        return 'type'
    if re.search(r'=\s*\[[^\]]*\][^=]*$', plain):
        return 'function'  # a lambda with a name
    if plain.endswith('=') or '(' not in plain:
        return 'other'
    if re.search(r'\)[^()]*(?<!:):(?!:).*[\w]$', plain, re.S):
        return 'member'  # a{1} in a constructor's list of members
    return 'function'


class Scanner:
    """One walk over masked text; see scan."""

    def __init__(self, text):
        self.text = text
        self.newlines = [i for i, c in enumerate(text) if c == '\n']
        self.position = 0

    def line(self, position):
        low, high = 0, len(self.newlines)
        while low < high:
            middle = (low + high) // 2
            if self.newlines[middle] < position:
                low = middle + 1
            else:
                high = middle
        return low + 1

    def first_line(self, begin, end):
        """The line of the first character that is not a space."""
        while begin < end and self.text[begin].isspace():
            begin += 1
        return self.line(begin)

    def skip_braces(self):
        """Moves from just behind `{` to just behind its `}`."""
        depth = 1
        while depth:
            match = re.compile('[{}]').search(self.text, self.position)
            if not match:
                raise BraceError
            self.position = match.end()
            depth += 1 if match.group() == '{' else -1

    def nodes(self, nested, public=True):
        """The declarations up to the closing brace of this scope, or the end of the file."""
        found, begin = [], self.position
        cut = re.compile(r'[;{}()]')
        parentheses = 0
        while match := cut.search(self.text, self.position):
            access = ACCESS.match(self.text, begin, match.start())
            while access:
                public = access.group(1) == 'public'
                begin = access.end()
                access = ACCESS.match(self.text, begin, match.start())
            self.position = match.end()
            token = match.group()
            if token in '()':
                parentheses += 1 if token == '(' else -1
            elif parentheses and token == '{':
                self.skip_braces()
            elif token == ';' and not parentheses:
                self.add(found, begin, match.start(), public)
                begin = self.position
            elif token == '{' and self.open(found, begin, match.start(), public):
                begin = self.position
            elif token == '}':
                if not nested:
                    raise BraceError
                return found
        if nested:
            raise BraceError
        return found

    def add(self, found, begin, end, public):
        head = self.text[begin:end].strip()
        if head:
            kind = 'function' if is_function(head) else 'other'
            first = self.first_line(begin, end)
            found.append(Node(kind, head, first, self.line(end), public))

    def open(self, found, begin, brace, public):
        """Reads what a brace opens; false if the head goes on behind it."""
        head = self.text[begin:brace].strip()
        kind = _brace_kind(head)
        node = Node(kind, head, self.first_line(begin, brace), 0, public, True)
        if kind in ('namespace', 'type'):
            node.body = self.nodes(True, not re.search(r'\bclass\b', plain_head(head)))
        else:
            self.skip_braces()
        node.last = self.line(self.position - 1)
        if kind in ('member', 'other'):
            return False
        found.append(node)
        rest = re.compile(r'[^\n;{}]*;').match(self.text, self.position)
        if kind in ('type', 'enum') and rest:
            self.position = rest.end()
        return True


def scan(masked):
    """The declarations of a file, as Nodes. Raises BraceError."""
    return Scanner(masked).nodes(False)


def functions(nodes):
    """All functions with a body, at any depth of namespaces and types."""
    for node in nodes:
        if node.kind == 'function' and node.defined:
            yield node
        yield from functions(node.body)
