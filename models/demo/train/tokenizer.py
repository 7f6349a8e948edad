"""The demo's vocabulary: byte-level BPE learned from the corpus, with SmolLM3's special tokens.

The pre-token pattern is SmolLM3's, written for Python's re: [^\\W\\d_] stands for a letter and \\d
for a number, which is the same for all text of the corpus; where it is not (letters with combining
marks, numerals that are no digits) the file's own tokenizer is the one that counts.
"""

import collections
import json
import re

PATTERN = re.compile(
    r"'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])"
    r"|(?:(?![\r\n])[\W_])?[^\W\d_]+|\d{1,3}| ?(?:(?!\s)[\W_])+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

SPECIAL = [
    "<|begin_of_text|>", "<|end_of_text|>", "<think>", "</think>", "<|im_start|>", "<|im_end|>",
    "<tool_response>", "</tool_response>", "<tool_call>", "</tool_call>", "<code>", "</code>"]
SPECIAL_PATTERN = re.compile("(" + "|".join(re.escape(s) for s in SPECIAL) + ")")


def byte_symbols():
    """GPT-2's way to write each byte as a printable character."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = {b: chr(b) for b in plain}
    for b in range(256):
        if b not in symbols:
            symbols[b] = chr(256 + len(symbols) - len(plain))
    return plain, symbols


PLAIN_BYTES, SYMBOLS = byte_symbols()


def symbols_of(text):
    return "".join(SYMBOLS[b] for b in text.encode())


def learn_merges(texts, count):
    """The `count` best merges for these texts, by frequency, ties by the symbols themselves."""
    frequency = collections.Counter()
    for text in texts:
        for part in SPECIAL_PATTERN.split(text):
            if part not in SPECIAL:
                frequency.update(PATTERN.findall(part))
    words = [([*symbols_of(word)], n) for word, n in sorted(frequency.items())
             if not word.isdigit()]
    pairs, places = collections.Counter(), collections.defaultdict(set)
    for index, (word, n) in enumerate(words):
        for pair in zip(word, word[1:]):
            pairs[pair] += n
            places[pair].add(index)
    merges = []
    while len(merges) < count and pairs:
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        if pairs[best] < 2:
            break
        merges.append(best)
        for index in sorted(places[best]):
            word, n = words[index]
            for pair in zip(word, word[1:]):
                pairs[pair] -= n
            word[:] = merge_pair(word, best)
            for pair in zip(word, word[1:]):
                pairs[pair] += n
                places[pair].add(index)
        del pairs[best]
    return merges


def merge_pair(word, pair):
    out, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return out


class Tokenizer:
    def __init__(self, merges):
        self.merges = [tuple(m) for m in merges]
        self.ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        others = [b for b in range(256) if b not in PLAIN_BYTES]
        self.tokens = [SYMBOLS[b] for b in PLAIN_BYTES + others]
        self.tokens += [left + right for left, right in self.merges]
        self.first_special = len(self.tokens)
        self.tokens += SPECIAL
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self.known = {}

    def special(self, name):
        return self.ids[name]

    def encode_word(self, word):
        if word not in self.known:
            symbols = [*symbols_of(word)]
            while len(symbols) > 1:
                pairs = [(self.ranks.get(pair, 1 << 30), i)
                         for i, pair in enumerate(zip(symbols, symbols[1:]))]
                rank, i = min(pairs)
                if rank == 1 << 30:
                    break
                symbols[i:i + 2] = [symbols[i] + symbols[i + 1]]
            if len(self.known) > 200_000:
                self.known.clear()
            self.known[word] = [self.ids[s] for s in symbols]
        return self.known[word]

    def encode(self, text):
        """Ordinary text to ids; special tokens in it stay text."""
        return [i for word in PATTERN.findall(text) for i in self.encode_word(word)]

    def encode_with_special(self, text):
        ids = []
        for part in SPECIAL_PATTERN.split(text):
            if part in SPECIAL:
                ids.append(self.ids[part])
            elif part:
                ids += self.encode(part)
        return ids

    def decode(self, ids):
        back = {symbol: b for b, symbol in SYMBOLS.items()}
        out = bytearray()
        for i in ids:
            if i >= self.first_special:
                out += self.tokens[i].encode()
            else:
                out += bytes(back[c] for c in self.tokens[i])
        return out.decode(errors="replace")

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump([" ".join(m) for m in self.merges], file, ensure_ascii=False, indent=0)
            file.write("\n")

    @staticmethod
    def load(path):
        with open(path, encoding="utf-8") as file:
            return Tokenizer([m.split(" ") for m in json.load(file)])
