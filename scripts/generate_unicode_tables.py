#!/usr/bin/env python3
"""Write the Unicode character classes of the pre-tokeniser as C++ tables.

usage: generate_unicode_tables.py [--ucd FOLDER] OUT.cpp

Reads UnicodeData.txt and PropList.txt (Debian package unicode-data, Unicode 15.0) and writes
src/ml/core/tokenizer/unicode_tables_generated.cpp. llama.cpp classifies by Unicode 15.1, whose only
new letters or numbers over 15.0 are CJK extension I; they are added here, so that the table agrees
with llama.cpp on every code point.
"""
import argparse

OTHER, LETTER, NUMBER, SPACE = range(4)
CODE_POINTS = 0x110000
BLOCK = 256
CJK_EXTENSION_I = range(0x2EBF0, 0x2EE5D + 1)


def classes(folder):
    table = bytearray(CODE_POINTS)
    previous = 0
    for line in open(f"{folder}/UnicodeData.txt", encoding="utf-8"):
        code, name, category = line.split(";")[:3]
        code = int(code, 16)
        first = previous + 1 if name.endswith(", Last>") else code
        value = {"L": LETTER, "N": NUMBER}.get(category[0], OTHER)
        for point in range(first, code + 1):
            table[point] = value
        previous = code
    for point in CJK_EXTENSION_I:
        table[point] = LETTER
    for line in open(f"{folder}/PropList.txt", encoding="utf-8"):
        fields = line.split("#")[0].split(";")
        if len(fields) == 2 and fields[1].strip() == "White_Space":
            ends = [int(end, 16) for end in fields[0].strip().split("..")]
            for point in range(ends[0], ends[-1] + 1):
                table[point] = SPACE
    return table


def pack(block):
    """Four classes a byte, the lowest code point in the lowest bits."""
    return bytes(block[i] | block[i + 1] << 2 | block[i + 2] << 4 | block[i + 3] << 6
                 for i in range(0, len(block), 4))


def rows(values):
    for start in range(0, len(values), 16):
        yield "    " + ", ".join(str(value) for value in values[start:start + 16]) + ",\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ucd", default="/usr/share/unicode", metavar="FOLDER")
    parser.add_argument("out", metavar="OUT.cpp")
    options = parser.parse_args()
    table = classes(options.ucd)
    blocks, index = {}, []
    for start in range(0, CODE_POINTS, BLOCK):
        index.append(blocks.setdefault(pack(table[start:start + BLOCK]), len(blocks)))
    assert len(blocks) <= 256
    with open(options.out, "w", encoding="ascii") as out:
        out.write("// Written by scripts/generate_unicode_tables.py; do not edit.\n"
                  '#include "ml/core/tokenizer/unicode.h"\n\n'
                  "namespace notso::unicode_tables {\n\n// clang-format off\n")
        out.write(f"const std::uint8_t kBlockOf[{len(index)}] = {{\n")
        out.writelines(rows(index))
        out.write("};\n\n")
        out.write(f"const std::uint8_t kClasses[{len(blocks) * BLOCK // 4}] = {{\n")
        for block in blocks:
            out.writelines(rows(block))
        out.write("};\n// clang-format on\n\n}  // namespace notso::unicode_tables\n")


main()
