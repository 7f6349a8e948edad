"""Checks that includes follow the architecture's arrows.

Two rules. Between layers: base <- ml/core <- ml/smollm3 <- service <- web <- app, for includes and
for CMake links alike. Between libraries: a file may include a header of another library only if its
own library links that one, directly or through others. The libraries are read from src/'s
CMakeLists.txt files; a file belongs to the library that lists it (or the .cpp of the same name) as
a source, else to all libraries of the nearest folder above it that has any. A header that belongs
to no library, an interface such as ml/core/backend.h, is free for all layers from its own up.
"""

import posixpath
import re

LAYERS = ('base', 'ml/core', 'ml/smollm3', 'service', 'web', 'app')
COMMAND = re.compile(r'\b(notso_library|add_library|add_executable|target_link_libraries|'
                     r'target_sources)\s*\(([^()]*)\)', re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.M)
KEYWORDS = {'PUBLIC', 'PRIVATE', 'INTERFACE', 'STATIC', 'OBJECT', 'SHARED', 'SOURCES', 'LINKS'}


class Library:
    """One CMake target of src/."""

    def __init__(self, folder):
        self.folder = folder
        self.links = set()
        self.stems = set()  # of its sources: paths from src/ without the extension


def layer_of(path):
    """The number of a path's layer, or None."""
    for number, layer in enumerate(LAYERS):
        if path == layer or path.startswith(layer + '/'):
            return number
    return None


def read_libraries(sources):
    """All targets by name."""
    libraries = {}
    for path, text in sources.items():
        if not path.endswith('CMakeLists.txt'):
            continue
        folder = posixpath.dirname(path)[len('src/'):]
        for command, arguments in COMMAND.findall(re.sub(r'#.*', '', text)):
            words = arguments.split()
            library = libraries.setdefault(words[0], Library(folder))
            into_links = command == 'target_link_libraries'
            for word in words[1:]:
                if word in KEYWORDS:
                    into_links = word == 'LINKS' or (into_links and word != 'SOURCES')
                elif into_links:
                    library.links.add(word)
                else:
                    stem = posixpath.splitext(word)[0]
                    library.stems.add(posixpath.normpath(posixpath.join(folder, stem)))
    return libraries


def reach(names, libraries):
    """The libraries that `names` link, themselves included."""
    seen, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name in libraries and name not in seen:
            seen.add(name)
            waiting.extend(libraries[name].links)
    return seen


def owners(path, libraries):
    """The names of the libraries that a file (from src/) belongs to."""
    stem = posixpath.splitext(path)[0]
    listed = {name for name, library in libraries.items() if stem in library.stems}
    folder = posixpath.dirname(path)
    while not listed and folder:
        listed = {name for name, library in libraries.items() if library.folder == folder}
        folder = posixpath.dirname(folder)
    return listed


def check_links(libraries):
    for name, library in sorted(libraries.items()):
        for link in sorted(library.links & libraries.keys()):
            here, there = layer_of(library.folder), layer_of(libraries[link].folder)
            if here is not None and there is not None and there > here:
                yield f'src/{library.folder}/CMakeLists.txt: {name} links {link}, which is ' \
                      f'above it ({LAYERS[there]} over {LAYERS[here]})'


def check_include(place, own_path, target, files, libraries):
    if target not in files:
        if '_generated' not in target:
            yield f'{place}: "{target}" is no file under src/; include from the root of src/'
        return
    here, there = layer_of(own_path), layer_of(target)
    if here is not None and there is not None and there > here:
        yield f'{place}: {LAYERS[here]} includes "{target}" of {LAYERS[there]}, against the arrows'
        return
    mine, theirs = owners(own_path, libraries), owners(target, libraries)
    if not mine and not own_path.endswith('.h'):
        yield f'{place}: no CMakeLists.txt beside or above src/{own_path} declares a library for it'
    elif mine and theirs and not reach(mine, libraries) & theirs:
        yield f'{place}: includes "{target}" of {"/".join(sorted(theirs))}, which ' \
              f'{"/".join(sorted(mine))} does not link'


def check(sources):
    """Findings for `sources`, texts by path from the root ('src/...')."""
    libraries = read_libraries(sources)
    yield from check_links(libraries)
    files = {path[len('src/'):] for path in sources}
    for path, text in sources.items():
        if path.endswith('CMakeLists.txt'):
            continue
        for match in INCLUDE.finditer(text):
            place = f'{path}:{text.count(chr(10), 0, match.start()) + 1}'
            yield from check_include(place, path[len('src/'):], match.group(1), files, libraries)
