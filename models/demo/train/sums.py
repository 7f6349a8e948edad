"""Sums: ways to ask for them, the expression for the calculator, its result."""

import fractions

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
         "eleven", "twelve"]
SIGNS = {"+": ["+", "plus", "and"], "-": ["-", "minus"], "*": ["*", "x", "times", "multiplied by"],
         "/": ["/", "divided by", "over"]}
FRAMES = ["what is {s}", "what's {s}", "whats {s}", "{s}", "{s} =", "{s} = ?", "how much is {s}",
          "calculate {s}", "compute {s}", "can you calculate {s}", "please calculate {s}",
          "what does {s} make", "tell me {s}", "work out {s}", "solve {s}",
          "what do you get for {s}",
          "i need {s}", "what is the result of {s}", "and {s}", "{s} please", "evaluate {s}",
          "how much would {s} be", "could you work out {s} for me", "give me {s}", "sum: {s}",
          "now {s}", "what about {s}", "do you know what {s} is", "what is the value of {s}"]
THINGS = ["apples", "books", "euros", "cards", "eggs", "coins", "pages", "bottles", "tickets",
          "chairs", "cookies", "stamps", "dollars", "pens", "cups", "boxes", "plates", "sheep"]
NAMES = ["Tom", "Anna", "Ben", "Maria", "Lisa", "Paul", "My sister", "A shop", "Sam", "Eva"]


def number(rng, large=True):
    digits = rng.choice([1, 2, 2, 3, 3, 4, 5, 6] if large else [1, 2, 2, 3])
    return rng.randrange(1 if digits == 1 else 10 ** (digits - 1), 10 ** digits)


def text_of(value):
    """A fraction as the calculator writes it."""
    value = fractions.Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    return repr(round(float(value), 12))


def binary(rng):
    op = rng.choice("++--***//")
    a, b = number(rng), number(rng, op in "+-")
    if op == "/" and rng.random() < 0.7:
        a = a * b
    if rng.random() < 0.1:
        a = fractions.Fraction(a, 10)
    value = {"+": a + b, "-": a - b, "*": a * b, "/": fractions.Fraction(a) / b}[op]
    a = text_of(a)
    sign = rng.choice(SIGNS[op]) if rng.random() < 0.5 else op
    tight = sign in "+-*/x" and rng.random() < 0.4
    asked = f"{a}{sign}{b}" if tight else f"{a} {sign} {b}"
    return rng.choice(FRAMES).format(s=asked), f"{a} {op} {b}", value


def ordered(rng):
    """A sum as an order or with its numbers in another order than the expression's."""
    a, b = number(rng), number(rng, False)
    c = a * b
    asked, expression, value = rng.choice([
        (rng.choice([f"add {a} and {b}", f"add up {a} and {b}", f"sum up {a} and {b}"]),
         f"{a} + {b}", a + b),
        (rng.choice([f"add {b} to {a}", f"take {a} and add {b}", f"{b} more than {a}"]),
         f"{a} + {b}", a + b),
        (rng.choice([f"subtract {b} from {a}", f"take {b} away from {a}", f"take {b} off {a}",
                     f"deduct {b} from {a}", f"{b} less than {a}"]), f"{a} - {b}", a - b),
        (rng.choice([f"multiply {a} by {b}", f"multiply {a} with {b}", f"{a} multiplied with {b}",
                     f"multiply {a} and {b}"]), f"{a} * {b}", c),
        (rng.choice([f"divide {c} by {b}", f"split {c} into {b} equal parts",
                     f"divide up {c} among {b}", f"how often does {b} go into {c}",
                     f"how many times does {b} fit into {c}"]), f"{c} / {b}", a)])
    frame = rng.choice(["{s}", "{s}", "{s}", "please {s}", "can you {s}", "could you {s} for me",
                        "{s} please", "now {s}", "i want you to {s}", "and {s}"])
    return frame.format(s=asked), expression, value


def ternary(rng):
    a, b, c = (number(rng, False) for _ in range(3))
    form = rng.randrange(5)
    if form == 0:
        expression, value = f"{a} + {b} + {c}", a + b + c
    elif form == 1:
        expression, value = f"{a} * {b} + {c}", a * b + c
    elif form == 2:
        expression, value = f"({a} + {b}) * {c}", (a + b) * c
    elif form == 3:
        expression, value = f"{a} + {b} * {c}", a + b * c
    else:
        expression, value = f"{a} - {b} + {c}", a - b + c
    asked = expression
    if rng.random() < 0.3:
        asked = asked.replace(" ", "")
    elif rng.random() < 0.4 and "(" not in asked:
        for op in "+-*":
            signs = SIGNS[op][1:] if op != "+" else ["plus"]
            asked = asked.replace(f" {op} ", f" {rng.choice(signs)} ")
    return rng.choice(FRAMES).format(s=asked), expression, value


def words(rng):
    a, b, op = rng.randrange(13), rng.randrange(13), rng.choice("+-*")
    sign = rng.choice(SIGNS[op][1:])
    value = {"+": a + b, "-": a - b, "*": a * b}[op]
    return rng.choice(FRAMES).format(s=f"{WORDS[a]} {sign} {WORDS[b]}"), f"{a} {op} {b}", value


def percent(rng):
    p, a = rng.choice([1, 2, 3, 5, 7, 8, 10, 12, 15, 18, 19, 20, 25, 30, 35, 40, 45, 50, 60, 75,
                       80, 90, rng.randrange(1, 100)]), number(rng)
    asked = rng.choice(["{p}% of {a}", "{p} % of {a}", "{p} percent of {a}", "{p} per cent of {a}"])
    asked = asked.format(p=p, a=a)
    return (rng.choice(FRAMES).format(s=asked), f"{a} * {p} / 100",
            fractions.Fraction(a * p, 100))


def powers(rng):
    form = rng.randrange(4)
    if form == 0:
        a = rng.randrange(2, 100)
        asked = rng.choice([f"{a} squared", f"the square of {a}", f"{a}^2",
                            f"{a} to the power of 2"])
        return rng.choice(FRAMES).format(s=asked), f"{a}^2", a * a
    if form == 1:
        a = rng.randrange(2, 100)
        asked = rng.choice(["the square root of {n}", "sqrt({n})", "the root of {n}", "sqrt {n}"])
        n = a * a
        return rng.choice(FRAMES).format(s=asked.format(n=n)), f"sqrt({n})", a
    if form == 2:
        a, b = rng.randrange(2, 13), rng.randrange(2, 9)
        asked = rng.choice([f"{a}^{b}", f"{a} to the power of {b}", f"{a} ** {b}",
                            f"{a} to the power {b}"])
        return rng.choice(FRAMES).format(s=asked), f"{a}^{b}", a ** b
    a = rng.randrange(2, 30)
    asked = rng.choice([f"{a} cubed", f"the cube of {a}", f"{a}^3"])
    return rng.choice(FRAMES).format(s=asked), f"{a}^3", a ** 3


def halves(rng):
    a = number(rng)
    word, expression, value = rng.choice([
        ("half of {a}", f"{a} / 2", fractions.Fraction(a, 2)),
        ("twice {a}", f"2 * {a}", 2 * a), ("double {a}", f"2 * {a}", 2 * a),
        ("a third of {a}", f"{a} / 3", fractions.Fraction(a, 3)),
        ("three times {a}", f"3 * {a}", 3 * a), ("a quarter of {a}", f"{a} / 4",
                                                  fractions.Fraction(a, 4)),
        ("the sum of {a} and {b}", None, None), ("the product of {a} and {b}", None, None),
        ("the difference of {a} and {b}", None, None)])
    b = number(rng)
    if expression is None:
        op = "+" if "sum" in word else "*" if "product" in word else "-"
        expression, value = f"{a} {op} {b}", {"+": a + b, "*": a * b, "-": a - b}[op]
    return rng.choice(FRAMES).format(s=word.format(a=a, b=b)), expression, value


def story(rng):
    a, b, thing = rng.randrange(2, 500), rng.randrange(2, 200), rng.choice(THINGS)
    who = rng.choice(NAMES)
    have = rng.choice(["i have", who + " has", "there are"])
    form = rng.randrange(5)
    if form == 0:
        more = rng.choice(["get {b} more", "buy {b} more", "find {b} more", "add {b}",
                           "gets {b} more", "buys another {b}", "finds {b} more", "receive {b}"])
        now = rng.choice(["how many {t} are there now", "how many now", "how many in all",
                          "how many {t} is that", "how many does that make"]).format(t=thing)
        asked = f"{have} {a} {thing} and {more.format(b=b)}. {now}"
        return asked, f"{a} + {b}", a + b
    if form == 1:
        a, b = max(a, b), min(a, b)
        less = rng.choice(["lose {b}", "give {b} away", "sell {b}", "eat {b}", "use {b}"])
        asked = f"{have} {a} {thing} and {less.format(b=b)}. how many are left"
        return asked, f"{a} - {b}", a - b
    if form == 2:
        asked = rng.choice([f"{a} boxes with {b} {thing} each: how many {thing} in all",
                            f"how many {thing} are in {a} boxes of {b}",
                            f"if one costs {b} euros, what do {a} {thing} cost",
                            f"what do i pay for {a} {thing} at {b} euros each",
                            f"one of the {thing} weighs {b} grams, what do {a} weigh",
                            f"{who} buys {a} {thing} for {b} euros apiece. what is the total"])
        return asked, f"{a} * {b}", a * b
    if form == 3:
        a = a * b
        asked = rng.choice([f"{a} {thing} are shared by {b} people. how many does each get",
                            f"how many {thing} does each of {b} people get out of {a}"])
        return asked, f"{a} / {b}", fractions.Fraction(a, b)
    asked = rng.choice([f"how many minutes are {a} hours", f"how many minutes are in {a} hours"])
    return asked, f"{a} * 60", a * 60


def sample(rng):
    """(question, expression, result as text)"""
    kinds = [binary, ordered, ternary, words, percent, powers, halves, story]
    question, expression, value = rng.choices(kinds, [10, 4, 3, 1, 2, 2, 2, 3])[0](rng)
    return question, expression, text_of(value)


def small(rng):
    """(question, the sum, result) that can be known by heart."""
    a, b, op = rng.randrange(11), rng.randrange(11), rng.choice("+-**")
    if op == "-" and rng.random() < 0.8:
        a, b = max(a, b), min(a, b)
    value = {"+": a + b, "-": a - b, "*": a * b}[op]
    if rng.random() < 0.3:
        asked = f"{WORDS[a]} {rng.choice(SIGNS[op][1:])} {WORDS[b]}"
    else:
        sign = rng.choice(SIGNS[op])
        asked = f"{a}{sign}{b}" if len(sign) == 1 and rng.random() < 0.4 else f"{a} {sign} {b}"
    return rng.choice(FRAMES).format(s=asked), f"{a} {op} {b}", str(value)
