"""Writes src/service/template/unicode_tables_generated.inc: what Python knows of each character.

Chat templates are written against Python, so Python is the reference: its own upper(), lower(),
title() and is...() answers, as ranges. 
usage: generate_template_tables.py > FILE
"""

import unicodedata

ALPHA, DECIMAL, DIGIT, NUMERIC, SPACE, PRINTABLE = 1, 2, 4, 8, 16, 32


def flags_of(char):
    tests = (
        (char.isalpha(), ALPHA),
        (char.isdecimal(), DECIMAL),
        (char.isdigit(), DIGIT),
        (char.isnumeric(), NUMERIC),
        (char.isspace(), SPACE),
        (char.isprintable(), PRINTABLE),
    )
    return sum(flag for holds, flag in tests if holds)


def flag_ranges():
    ranges = []
    for code in range(0x110000):
        flags = flags_of(chr(code))
        if ranges and ranges[-1][2] == flags:
            ranges[-1][1] = code
        else:
            ranges.append([code, code, flags])
    return [entry for entry in ranges if entry[2]]


def case_ranges(convert):
    """Runs of characters, one or two apart, that move by one distance; and the rest, as text."""
    ranges, specials = [], []
    for code in range(0x110000):
        mapped = convert(chr(code))
        if len(mapped) > 1:
            specials.append((code, mapped))
        elif ord(mapped) != code:
            delta = ord(mapped) - code
            if ranges and ranges[-1][3] == delta:
                first, last, stride, _ = ranges[-1]
                step = code - last
                if step in (1, 2) and (first == last or step == stride):
                    ranges[-1][1:3] = [code, step]
                    continue
            ranges.append([code, code, 1, delta])
    return ranges, specials


def print_case(name, convert):
    ranges, specials = case_ranges(convert)
    print(f"constexpr CaseRange k{name}Ranges[] = {{")
    for first, last, stride, delta in ranges:
        print(f"    {{{first:#x}, {last:#x}, {stride}, {delta}}},")
    print("};")
    print(f"constexpr CaseSpecial k{name}Specials[] = {{")
    for code, text in specials or [(0, "")]:
        escaped = "".join(f"\\x{byte:02x}" for byte in text.encode())
        print(f'    {{{code:#x}, "{escaped}"}},')
    print("};")


def main():
    version = unicodedata.unidata_version
    print(f"// Made by scripts/generate_template_tables.py from Unicode {version}.")
    print("constexpr FlagRange kFlagRanges[] = {")
    for first, last, flags in flag_ranges():
        print(f"    {{{first:#x}, {last:#x}, {flags}}},")
    print("};")
    print_case("Upper", str.upper)
    print_case("Lower", str.lower)
    print_case("Title", str.title)


main()
