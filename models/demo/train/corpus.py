"""Reads the corpus: topics, frames, lists of unknown things, lines in other languages.

A question is written in a small grammar: [a|b|] is one of the alternatives, {name} a word of a
list. `pick` draws one text of it.
"""

import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "corpus"


def lines_of(name):
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("# "):
            yield line.strip()


def parse(text):
    """The alternatives of a text as nested lists: a sequence of strings and lists of sequences."""
    sequence, _ = parse_sequence(text, 0, "")
    return sequence


def parse_sequence(text, at, ends):
    sequence, plain = [], ""
    while at < len(text) and text[at] not in ends:
        if text[at] == "[":
            if plain:
                sequence.append(plain)
                plain = ""
            options = []
            while text[at] != "]":
                option, at = parse_sequence(text, at + 1, "|]")
                options.append(option)
            sequence.append(options)
        else:
            plain += text[at]
        at += 1
        if at > len(text):
            raise ValueError("unbalanced: " + text)
    if plain:
        sequence.append(plain)
    return sequence, at


def pick(sequence, rng):
    out = []
    for part in sequence:
        out.append(part if isinstance(part, str) else pick(rng.choice(part), rng))
    return "".join(out)


def count(sequence):
    """How many texts a sequence has."""
    total = 1
    for part in sequence:
        if not isinstance(part, str):
            total *= sum(count(option) for option in part)
    return total


def tidy(text):
    return re.sub(r" +", " ", text).strip().replace(" ,", ",").replace(" ?", "?")


class Topic:
    """One thing that the demo knows: ways to ask for it, answers, and what to say on follow-ups."""

    def __init__(self, line, file):
        self.id, self.phrase, self.title = [part.strip() for part in line[2:].split("|")]
        self.file = file
        self.subjects, self.questions, self.answers, self.next = [], [], [], []
        self.things, self.doings, self.whole = [], [], []
        self.ask = self.more = self.short = self.why = ""

    def add(self, key, value):
        if key == "subject":
            self.subjects = [] if value == "none" else [s.strip() for s in value.split("|")]
        elif key == "q":
            self.questions.append(parse(value))
        elif key == "a":
            self.answers.append(value)
        elif key == "next":
            self.next = value.split()
        else:
            setattr(self, key, value)


def read_whole(file):
    """{name: questions} of the lines "NAME: question // question"."""
    whole = {}
    for line in lines_of(file):
        name, questions = line.split(": ", 1)
        whole.setdefault(name, []).extend(q.strip() for q in questions.split(" // "))
    return whole


def read_topics():
    topics = {}
    for file in ("program.txt", "page.txt", "model.txt", "small_talk.txt"):
        topic = None
        for line in lines_of(file):
            if line.startswith("== "):
                topic = Topic(line, file)
                topics[topic.id] = topic
            else:
                key, value = line.split(":", 1)
                topic.add(key, value.strip())
    for line in lines_of("words.txt"):
        name, things, doings = line.split(" | ")
        topics[name].things = things.split("; ")
        topics[name].doings = doings.split("; ")
    for name, questions in read_whole("questions.txt").items():
        topics[name].whole = questions
    for topic in topics.values():
        if topic.ask:
            topic.questions.append(parse(topic.ask.rstrip("?")))
        topic.weights = [min(count(q), 40) ** 0.5 for q in topic.questions]
        for other in topic.next:
            if not topics[other].ask:
                raise ValueError(f"{topic.id}: {other} has no 'ask'")
    return topics


def read_sections(name, grammar=True):
    """{heading: lines} of a file with '= heading' lines."""
    sections, current = {}, None
    for line in lines_of(name):
        if line.startswith("= "):
            current = sections.setdefault(line[2:].strip(), [])
        else:
            current.append(parse(line) if grammar else line)
    return sections


def read_languages():
    """{language: {intent: (question, answer)}}"""
    languages = {}
    for language, lines in read_sections("languages.txt", grammar=False).items():
        intents = languages.setdefault(language, {})
        for line in lines:
            intent, rest = line.split(":", 1)
            question, answer = rest.rsplit(" | ", 1)
            intents[intent] = (parse(question.strip()), answer.strip())
    return languages


def read_unknown_whole():
    """{kind: whole questions that the demo cannot answer}"""
    return read_whole("unknown_questions.txt")


def read_unknown():
    """(lists, frames by kind, declining answers by kind)"""
    lists, frames, declines = {}, {}, {}
    for heading, lines in read_sections("unknown.txt", grammar=False).items():
        what, name = heading.split()
        if what == "list":
            lists[name] = [w.strip() for line in lines for w in line.split("; ") if w.strip()]
        elif what == "frame":
            frames[name] = [parse(line) for line in lines]
        else:
            declines[name] = lines
    return lists, frames, declines
