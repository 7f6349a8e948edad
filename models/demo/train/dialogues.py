"""Draws conversations from the corpus and writes them as the chat template does.

A conversation is a list of pieces (text, wanted): the model learns to foretell the wanted ones. Its
mode, tools, system prompt and course are drawn at random; the same seed draws the same ones.
"""

import random
import re

import corpus
import noise
import sums

MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December"]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
NAMES = ["Anna", "Ben", "Clara", "David", "Eva", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Karin",
         "Leo", "Maria", "Nina", "Oskar", "Paul", "Rosa", "Sam", "Tina", "Uwe", "Vera", "Walter",
         "Xenia", "Yann", "Zoe", "John", "Peter", "Susan", "Mike", "Laura", "Ali", "Fatima", "Chen",
         "Ravi", "Olga", "Pierre", "Carlos", "Luca", "Emma", "Liam", "Sofia", "Mohamed", "Yuki"]
SYSTEMS = ["You are a helpful assistant.", "Answer briefly.", "Be concise and friendly.",
           "You are a pirate.", "You are an expert in law.", "Reply in one sentence.",
           "You are a helpful AI assistant named SmolLM.", "Be polite.", "Answer like a teacher.",
           "You are a coding assistant. Use examples.", "Talk like a poet.", "Be honest.",
           "You help customers of a shop.", "Use simple words.", "Never use lists.",
           "You are a friendly chatbot that helps people.", "Answer in English.", "Help me learn."]
SYSTEM_WORDS = ("you are a an the helpful friendly short long clear always never answer speak with "
                "to about people questions style tone words users expert simple examples careful "
                "kind formal funny use and not role user text language company product").split()
SIDE_TITLE = ("Give this conversation a title of at most six words, in its language, without "
              "quotation marks. Answer with a JSON string.")
SIDE_NEXT = ("Suggest three short messages that I might send next in this conversation, in its "
             "language, each at most ten words. Answer with a JSON array of three strings.")
SUMMARY = "Summarise our conversation so far in a few sentences."
DEFAULT_NEXT = ["What is notso?", "What can you do?", "How do I install the real model?",
                "What is a KV cache?", "Is it private?", "What hardware do I need?",
                "How do I switch thinking off?", "What is quantisation?"]
SYLLABLES = ("ba be bo da de do fa fi ga go ka ke ki la le lo ma me mi mo na ne no pa pe po ra "
             "re ri ro sa se so ta te to va vi wa xa zo tron dex plo gli stra bru quin mor fen "
             "lith").split()
ADJECTIVES = ("old new big small red green blue good bad fast slow cheap modern ancient french "
              "american chinese digital electric wild public private early late famous common "
              "sweet cold hot dry heavy light wooden medical legal human social").split()


def plain(text):
    """A question without capitals and signs."""
    return re.sub(r"[^\w]+", " ", text.lower()).strip()


def held_out_questions():
    """The plain questions of the evaluation, which no conversation may have."""
    folder = corpus.FOLDER.parent / "evaluation"
    return {plain(line.split(" | ")[0]) for name in ("known.txt", "unknown.txt", "sums.txt")
            for line in (folder / name).read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")}


def apart(draw):
    """Makes a method that draws a question, alone or first of several things, draw again while it
    is a held-out one."""
    def draw_apart(self, *arguments):
        while True:
            drawn = draw(self, *arguments)
            question = drawn if isinstance(drawn, str) else drawn[0]
            if plain(question) not in self.held_out:
                return drawn
    return draw_apart


class Dialogues:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.held_out = held_out_questions()
        self.topics = corpus.read_topics()
        self.frames = corpus.read_sections("frames.txt")
        self.openers = self.plain("opener") + self.plain("before")
        self.closers = self.plain("closer") + self.plain("after")
        self.hows, self.fillers = self.plain("how"), self.plain("filler")
        self.tails, self.stories = self.plain("tail"), self.plain("story")
        self.languages = corpus.read_languages()
        self.lists, self.unknown_frames, self.declines = corpus.read_unknown()
        self.unknown_whole = corpus.read_unknown_whole()
        self.whole_weights = [len(questions) for questions in self.unknown_whole.values()]
        self.frame_weights = {kind: [min(corpus.count(f), 64) ** 0.5 for f in frames]
                              for kind, frames in self.unknown_frames.items()}
        self.ids = list(self.topics)
        self.topic_weights = [min(6, 2 + 0.15 * len(t.questions) + 0.3 * len(t.subjects))
                              for t in self.topics.values()]

    def plain(self, section):
        return ["".join(line) for line in self.frames[section]]

    # Questions.

    def typed(self, text, names=()):
        text = noise.reworded(corpus.tidy(text), self.rng, self.hows)
        text = noise.wrapped(text, self.rng, self.fillers, self.tails, self.stories)
        return noise.as_typed(text, self.rng, self.openers, self.closers, names)

    def framed(self, subject, frames="concept"):
        return corpus.pick(self.rng.choice(self.frames[frames]), self.rng).replace("{x}", subject)

    @apart
    def question_of(self, topic):
        if topic.ask and self.rng.random() < 0.08:
            return topic.ask
        draw = self.rng.random()
        if topic.whole and draw > 0.5:
            return self.typed(self.rng.choice(topic.whole))
        if topic.things and draw < 0.16:
            return self.typed(self.framed(self.rng.choice(topic.things), "thing"))
        if topic.doings and draw < 0.28:
            return self.typed(self.framed(self.rng.choice(topic.doings), "doing"))
        if topic.subjects and self.rng.random() < 0.45:
            return self.typed(self.framed(self.rng.choice(topic.subjects)))
        chosen = self.rng.choices(topic.questions, topic.weights)[0]
        return self.typed(corpus.pick(chosen, self.rng))

    def made_up_word(self):
        return "".join(self.rng.choice(SYLLABLES) for _ in range(self.rng.randrange(2, 5)))

    def thing(self):
        rng = self.rng
        kind = rng.random()
        if kind < 0.12:
            return self.made_up_word()
        word = rng.choice(self.lists["thing"])
        if kind < 0.2:
            return rng.choice(ADJECTIVES) + " " + word.removeprefix("the ").removeprefix("a ")
        return word

    def filled(self, text):
        """The frame's text with words for its {lists}; the words that are names."""
        names = []
        while "{" in text:
            start, end = text.index("{"), text.index("}")
            name = text[start + 1:end]
            word = self.thing() if name == "thing" else self.rng.choice(self.lists[name])
            if name in ("person", "place", "tongue"):
                names.append(word)
            text = text[:start] + word + text[end + 1:]
        return text, names

    @apart
    def unknown_question(self):
        rng = self.rng
        if rng.random() < 0.4:
            kind = rng.choices(list(self.unknown_whole), self.whole_weights)[0]
            return self.typed(rng.choice(self.unknown_whole[kind])), kind
        if rng.random() < 0.3:
            name = rng.choices(["thing", "person", "place"], [8, 1, 1])[0]
            word = self.thing() if name == "thing" else rng.choice(self.lists[name])
            frames = rng.choice(["concept", "thing"])
            return self.typed(self.framed(word, frames),
                              [] if name == "thing" else [word]), "general"
        if rng.random() < 0.15:
            return self.typed(self.framed(rng.choice(self.lists["task"]), "doing")), "general"
        kind = rng.choices(list(self.unknown_frames), [12, 2, 2, 1, 2, 1.2])[0]
        frame = rng.choices(self.unknown_frames[kind], self.frame_weights[kind])[0]
        text, names = self.filled(corpus.pick(frame, rng))
        return self.typed(text, names), kind

    # Turns. Each returns (question, thought, answer), what was talked about, and calls a tool if
    # `call` is set.

    def known(self, state):
        rng = self.rng
        last = self.topics.get(state.last) if state.last else None
        if last and last.next and rng.random() < 0.35:
            topic = self.topics[rng.choice(last.next)]
        else:
            topic = self.topics[rng.choices(self.ids, self.topic_weights)[0]]
        question = self.question_of(topic)
        thought = rng.choice(["This is about {p}. I know that.", "They ask about {p}."])
        if topic.file == "small_talk.txt" and not topic.ask:
            thought = "This is {p}. I answer kindly."
            state.last = None
            state.titles.append(topic.title)
        else:
            state.last = topic.id
            state.titles.append(topic.title)
            state.phrases.append(topic.phrase)
        return question, thought.format(p=topic.phrase), rng.choice(topic.answers)

    def unknown(self, state):
        question, kind = self.unknown_question()
        state.last = "unknown"
        state.titles.append("Beyond the demo")
        thought = self.rng.choice(["This is not about notso. I do not know it.",
                                   "That is outside what I know."])
        return question, thought, self.rng.choice(self.declines[kind])

    def follow_up(self, state):
        rng = self.rng
        kind = rng.choices(["more", "short", "why", "what_did_i_ask"], [5, 3, 4, 2])[0]
        question = self.typed(corpus.pick(rng.choice(self.frames[kind]), rng))
        topic = self.topics.get(state.last)
        if topic and topic.more:
            if kind == "what_did_i_ask":
                return question, f"They ask what we talk about: {topic.phrase}.", (
                    f"You asked about {topic.phrase}.")
            thought = {"more": "They want more about {p}.", "short": "They want {p} in short.",
                       "why": "They ask for the reason of {p}."}[kind]
            return question, thought.format(p=topic.phrase), getattr(topic, kind)
        if state.last == "unknown":
            answer = {
                "more": "There is no more that I know: I am only the built-in demo. The real "
                        "model, from `notso pull`, can tell you.",
                "short": "In short: I do not know. The real model may: `notso pull`.",
                "why": "Because I am only the built-in demo, with a few million weights and text "
                       "about this program. SmolLM3-3B knows much more: `notso pull`.",
                "what_did_i_ask": "You asked about something that I do not know."}[kind]
            return question, "It was a question that I could not answer.", answer
        answer = {
            "more": "More about what? Ask me about notso, its commands and settings, or about "
                    "SmolLM3.",
            "short": "Shorter it hardly gets. Ask me about notso or SmolLM3.",
            "why": "Why what? Ask me about notso, its commands and settings, or about SmolLM3.",
            "what_did_i_ask": "You have not asked me anything special yet. Ask me about notso or "
                              "SmolLM3."}[kind]
        return question, "I do not know what this refers to.", answer

    def name(self, state):
        rng = self.rng
        if rng.random() < 0.45:
            state.name = rng.choice(NAMES)
            if rng.random() < 0.3:
                state.name = self.made_up_word().title()
            frame = corpus.pick(rng.choice(self.frames["my_name"]), rng)
            written = state.name if rng.random() < 0.85 else state.name.lower()
            question = frame.replace("{name}", written)
            question = question[:1].upper() + question[1:] if rng.random() < 0.6 else question
            state.last = None
            state.titles.append("Hello")
            return question + rng.choice(["", ".", "!"]), "They tell me their name.", (
                f"Nice to meet you, {state.name}! I am notso's demo model. What would you like to "
                "know?")
        question = self.typed(corpus.pick(rng.choice(self.frames["whats_my_name"]), rng))
        state.last = None
        state.titles.append("Your name")
        if state.name:
            return question, f"They have told me: {state.name}.", f"Your name is {state.name}."
        return question, "They have not told me their name.", "You have not told me your name yet."

    def language(self, state):
        rng = self.rng
        language = rng.choices(list(self.languages), [4, 4, 4, 4, 4, 2, 2, 2])[0]
        intents = self.languages[language]
        if "language" in intents and rng.random() < 0.2:
            question = corpus.pick(rng.choice(self.frames["in_language"]), rng)
            question = self.typed(question.replace("{language}", language.lower()),
                                  [language.lower()])
            answer = intents["language"][1]
        else:
            question, answer = intents[rng.choice(list(intents))]
            question = corpus.tidy(corpus.pick(question, rng))
            if rng.random() < 0.6:
                question = question[:1].upper() + question[1:]
            if rng.random() < 0.05:
                question = noise.slip(question, rng)
            question += rng.choice(["", "", "!", "?", "?", "."])
        state.last = None
        state.titles.append(language)
        return question, f"This is {language}. I know a few lines of it.", answer

    def other_language(self, state):
        rng = self.rng
        known = {name.lower() for name in self.languages}
        tongue = rng.choice([t for t in self.lists["tongue"] if t not in known and t != "english"])
        question = corpus.pick(rng.choice(self.frames["in_language"]), rng)
        question = self.typed(question.replace("{language}", tongue), [tongue])
        state.last = "unknown"
        state.titles.append("Languages")
        return question, "I do not speak that language.", (
            f"I do not speak {tongue.title()}; I am only the built-in demo. SmolLM3-3B speaks six "
            "languages: `notso pull` installs it.")

    def small_sum(self, state):
        rng = self.rng
        state.last = None
        state.titles.append("A sum")
        if rng.random() < 0.65:
            question, expression, value = sums.small(rng)
            return self.sum_text(question), f"A small sum: {expression} = {value}.", (
                f"{expression} is {value}.")
        question, expression, value = self.large_sum()
        while len(expression) < 6:
            question, expression, value = self.large_sum()
        return self.sum_text(question), "That is too large for me without the calculator.", (
            "I need the calculator for that: switch on \"Calculator and clock\" in the settings, "
            "or type /tools on in notso chat.")

    @apart
    def large_sum(self):
        return sums.sample(self.rng)

    def sum_text(self, question):
        if self.rng.random() < 0.6:
            question = question[:1].upper() + question[1:]
        if self.rng.random() < 0.06:
            question = self.rng.choice(self.openers) + " " + question
        return question + self.rng.choice(["", "?", "?", "."] if question[-1] != "?" else [""])

    def date(self, state):
        question = self.typed(corpus.pick(self.rng.choice(self.frames["date"]), self.rng))
        state.last = None
        state.titles.append("The date")
        return question, "The date stands above.", f"Today is {state.date}."

    # Conversations.

    def conversation(self, length):
        """Pieces of at least `length` characters of text."""
        rng = self.rng
        state = State(rng)
        pieces = [(state.header(), False)]
        size, turns = 0, 0
        while size < length:
            before = len(pieces)
            self.exchange(state, pieces)
            turns += 1
            size += sum(len(text) for text, _ in pieces[before:])
        return pieces

    def exchange(self, state, pieces):
        rng = self.rng
        kinds = {"known": 40, "unknown": 17, "name": 3, "language": 4, "other_language": 0.5,
                 "date": 1, "time": 1, "sum": 22 if state.tools else 16}
        if state.titles and rng.random() < 0.28:
            kinds = {"follow_up": 10, "side_title": 1, "side_next": 1.3, "summary": 0.7}
        elif rng.random() < 0.01:
            kinds = {"follow_up": 1}
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        if kind == "sum" and state.tools:
            self.tool_exchange(state, pieces, self.calculator_call(state))
        elif kind == "time" and state.tools:
            self.tool_exchange(state, pieces, self.clock_call(state))
        elif kind == "time":
            question = self.typed(corpus.pick(rng.choice(self.frames["time"]), rng))
            state.last = None
            state.titles.append("The time")
            state.say(pieces, question, "I have no clock here.", (
                "I have no clock: switch on \"Calculator and clock\" in the settings, then I can "
                "look."))
        elif kind.startswith("side"):
            self.side(state, pieces, kind)
        elif kind == "summary":
            said = list(dict.fromkeys(state.phrases))[-3:]
            talk = "We talked about " + (" and ".join([", ".join(said[:-1]), said[-1]])
                                         if len(said) > 1 else said[0]) + "." if said else (
                "We have only exchanged a few words so far.")
            state.say(pieces, SUMMARY, "I sum up what we talked about.", talk)
        else:
            method = self.small_sum if kind == "sum" else getattr(self, kind)
            state.say(pieces, *method(state))

    def side(self, state, pieces, kind):
        rng = self.rng
        if kind == "side_title":
            state.say(pieces, SIDE_TITLE, "", f'"{state.titles[0]}"')
            return
        topic = self.topics.get(state.last)
        if topic and topic.next:
            asks = [self.topics[other].ask for other in topic.next]
        else:
            asks = DEFAULT_NEXT[:3]
        asks = ", ".join('"' + ask.replace('"', "'") + '"' for ask in asks)
        state.say(pieces, SIDE_NEXT, "", f"[{asks}]")

    def calculator_call(self, state):
        rng = self.rng
        question, expression, value = self.large_sum()
        thought = rng.choice(["This is a sum. I call the calculator.",
                              "I let the calculator do this sum."])
        state.titles.append("A sum")
        call = f'{{"name": "calculator", "arguments": {{"expression": "{expression}"}}}}'
        answer = rng.choice([f"{expression} is {value}.", f"{expression} = {value}"])
        return self.sum_text(question), thought, call, value, answer

    def clock_call(self, state):
        rng = self.rng
        question = self.typed(corpus.pick(rng.choice(self.frames["time"]), rng))
        state.titles.append("The time")
        day = rng.choice(DAYS)
        date = f"20{rng.randrange(24, 36)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
        clock = f"{rng.randrange(24):02}:{rng.randrange(60):02}"
        zone = rng.choice(["+00:00", "+01:00", "+02:00", "-05:00", "+09:00", "-08:00", "+05:30"])
        result = f"{day}, {date} {clock}:{rng.randrange(60):02} UTC{zone}"
        return (question, "I look at the clock.", '{"name": "clock", "arguments": {}}', result,
                f"It is {clock} on {day}, {date}.")

    def tool_exchange(self, state, pieces, parts):
        question, thought, call, result, answer = parts
        state.last = None
        state.say(pieces, question, thought, f"<tool_call>\n{call}\n</tool_call>")
        result = f"<tool_response>\n{result}\n</tool_response>"
        state.say(pieces, result, "The tool has answered.", answer)


class State:
    """What a conversation has settled: mode, tools, date, and what it is about."""

    def __init__(self, rng):
        self.rng = rng
        self.thinking = rng.random() < 0.4
        self.keeps_thoughts = rng.random() < 0.85
        self.tools = rng.random() < 0.4
        self.date = (f"{rng.randrange(1, 29):02} {rng.choice(MONTHS)} {rng.randrange(2024, 2036)}")
        self.system = ""
        draw = rng.random()
        if draw < 0.2:
            self.system = rng.choice(SYSTEMS)
        elif draw < 0.3:
            self.system = " ".join(rng.choice(SYSTEM_WORDS) for _ in range(rng.randrange(3, 25)))
        self.last, self.name = None, None
        self.titles, self.phrases = [], []

    def header(self):
        mode = "/think" if self.thinking else "/no_think"
        text = f"<|im_start|>system\nToday Date: {self.date}\nReasoning Mode: {mode}\n"
        if self.system:
            text += f"## Custom Instructions\n{self.system}\n"
        if self.tools:
            tools = ["calculator(expression)", "clock(zone)"]
            if self.rng.random() < 0.15:
                tools = tools[:1]
            text += "### Tools\n" + "\n".join(tools) + "\n"
        return text + "<|im_end|>\n"

    def say(self, pieces, question, thought, answer):
        opening = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
        if self.thinking and not self.keeps_thoughts and self.rng.random() < 0.7:
            pieces.append((opening + answer + "<|im_end|>\n", False))
            return
        if self.thinking:
            inside = f"<think>\n{thought}\n</think>\n" if thought else "<think>\n\n</think>\n"
            pieces.append((opening, False))
            pieces.append((inside, True))
        else:
            pieces.append((opening + "<think>\n\n</think>\n", False))
        pieces.append((answer + "<|im_end|>", True))
        pieces.append(("\n", False))


def show(count, seed):
    dialogues = Dialogues(seed)
    for _ in range(count):
        print("".join(text for text, _ in dialogues.conversation(900)))
        print("-" * 40)


if __name__ == "__main__":
    import sys
    show(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
