"""How people type: openers and closers, capitals or none, signs left out, slips of the fingers."""

import re

PROPER = {
    "kv": "KV", "gguf": "GGUF", "nope": "NoPE", "smollm3": "SmolLM3", "smollm3-3b": "SmolLM3-3B",
    "gqa": "GQA", "api": "API", "yarn": "YaRN", "rope": "RoPE", "q4_k_m": "Q4_K_M", "q4_k": "Q4_K",
    "q8_0": "Q8_0", "q6_k": "Q6_K", "f16": "F16", "json": "JSON", "gpu": "GPU", "cpu": "CPU",
    "ram": "RAM", "https": "HTTPS", "tls": "TLS", "llm": "LLM", "llms": "LLMs", "openai": "OpenAI",
    "i": "I", "i'm": "I'm", "i'd": "I'd", "dna": "DNA", "rna": "RNA", "english": "English",
    "french": "French", "german": "German", "spanish": "Spanish", "linux": "Linux", "mac": "Mac",
    "windows": "Windows", "python": "Python", "java": "Java", "bpe": "BPE", "smollm": "SmolLM",
    "hugging": "Hugging", "face": "Face", "markdown": "Markdown", "ai": "AI", "chatgpt": "ChatGPT",
    "europe": "Europe", "italian": "Italian", "portuguese": "Portuguese"}
CONTRACTIONS = [("what is ", "what's "), ("what is ", "whats "), ("how do i ", "how do you "),
                ("how do i ", "how can i "), ("you are ", "you're "), ("can not ", "can't "),
                ("you ", "u "), ("please", "pls"), ("how do i ", "how does one "),
                ("how do i ", "how to "), ("what is ", "wat is "), ("where is ", "where's "),
                ("i am ", "im "), ("do not ", "dont "), ("don't ", "dont ")]
SYNONYMS = {
    "delete": ["erase", "throw away", "trash", "drop", "get rid of", "clear out", "wipe"],
    "remove": ["erase", "throw out", "drop", "take away", "get rid of", "kick out"],
    "change": ["alter", "modify", "adjust", "edit", "switch", "vary", "tweak"],
    "set": ["choose", "pick", "adjust", "define", "fix"],
    "start": ["launch", "fire up", "boot", "begin", "bring up", "get running"],
    "open": ["bring up", "get to", "show", "reach"],
    "computer": ["pc", "box", "laptop", "system", "desktop", "notebook"],
    "machine": ["pc", "computer", "laptop", "system", "box", "hardware"],
    "chat": ["conversation", "talk", "thread", "discussion"],
    "conversation": ["chat", "talk", "dialogue", "discussion"],
    "conversations": ["chats", "talks", "dialogues"],
    "messages": ["texts", "words", "inputs"],
    "message": ["text", "input", "line"],
    "answer": ["reply", "response", "output"],
    "answers": ["replies", "responses", "outputs"],
    "find": ["locate", "look up", "get at", "see"],
    "see": ["view", "look at", "display", "check", "get to see"],
    "show": ["display", "print", "present", "list"],
    "list": ["show", "display", "print", "see"],
    "download": ["fetch", "get", "load down", "pull down", "grab"],
    "install": ["set up", "put in", "get", "add", "get going"],
    "use": ["work with", "make use of", "employ", "try", "operate"],
    "run": ["execute", "start", "use", "launch", "operate"],
    "need": ["require", "have to have", "want"],
    "fast": ["quick", "speedy", "rapid"], "faster": ["quicker", "speedier"],
    "slow": ["sluggish", "lame", "slowly"], "large": ["big", "huge"], "big": ["large", "huge"],
    "explain": ["describe", "clarify", "spell out", "shed light on"],
    "write": ["compose", "create", "make", "produce"], "good": ["fine", "useful", "decent"],
    "better": ["smarter", "stronger", "improved"], "real": ["actual", "proper", "genuine", "true"],
    "terminal": ["console", "shell", "command prompt"], "browser": ["web browser", "firefox"],
    "page": ["web page", "website", "site", "interface"], "program": ["software", "app", "tool"],
    "stored": ["kept", "saved", "located", "put"], "memory": ["ram", "main memory"],
    "stop": ["halt", "abort", "cancel", "interrupt", "end"], "file": ["document", "data"],
    "made": ["built", "created", "developed"], "mean": ["stand for", "signify"],
    "settings": ["options", "preferences", "configuration"], "think": ["reason", "ponder"],
    "thinking": ["reasoning", "thoughts"], "cost": ["be worth", "charge"],
    "private": ["confidential", "secret", "secure"], "important": ["relevant", "needed"],
    "possible": ["doable", "feasible"], "work": ["function", "operate"],
    "why": ["for what reason", "how come", "what's the reason that"]}
HOW = re.compile(r"^(how do i|how can i|how to|how would i) ")
ASKING = re.compile(r"^(what|who|how|why|where|when|which|is|are|can|could|do|does|did|will|would|"
                    r"should|am|may|has|have|whats|what's|wat|tell me what|was|were)\b")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def slip(text, rng):
    """One slip: a letter doubled, lost, changed, or two letters in the wrong order."""
    places = [i for i, c in enumerate(text) if c.isalpha() and c.isascii()]
    if len(places) < 6:
        return text
    i = rng.choice(places[1:])
    kind = rng.randrange(4)
    if kind == 0:
        return text[:i] + text[i] + text[i:]
    if kind == 1:
        return text[:i] + text[i + 1:]
    if kind == 2:
        return text[:i] + rng.choice(LETTERS) + text[i + 1:]
    return text[:i - 1] + text[i] + text[i - 1] + text[i + 1:]


def proper(text, rng):
    def change(match):
        word = match.group(0)
        return PROPER.get(word, word)
    return re.sub(r"[\w'-]+", change, text)


def reworded(text, rng, hows):
    """Other words for some words, another way to ask how, some words left out."""
    how = HOW.match(text)
    if how and rng.random() < 0.6:
        text = rng.choice(hows) + " " + text[how.end():]
    if rng.random() < 0.4:
        words = text.split(" ")
        for i, word in enumerate(words):
            if word in SYNONYMS and rng.random() < 0.4:
                words[i] = rng.choice(SYNONYMS[word])
        text = " ".join(words)
    if rng.random() < 0.12:
        words = text.split(" ")
        if len(words) > 4:
            kept = [w for w in words if len(w) > 3 or rng.random() > 0.3]
            text = " ".join(kept) if len(kept) > 2 else text
    return text


def wrapped(text, rng, fillers, tails, stories):
    """A word more somewhere, a question at the end, a sentence before, or words in disorder."""
    words = text.split(" ")
    if rng.random() < 0.14 and len(words) > 2:
        words.insert(rng.randrange(1, len(words) + 1), rng.choice(fillers))
    if rng.random() < 0.03 and len(words) > 3:
        rng.shuffle(words)
    text = " ".join(words)
    if rng.random() < 0.05 and not ASKING.match(text):
        text += rng.choice([", ", " - ", ": ", ". "]) + rng.choice(tails)
    if rng.random() < 0.06:
        story = rng.choice(stories)
        text = story + " " + text if rng.random() < 0.7 else text + ". " + story.rstrip(".")
    return text


def as_typed(text, rng, openers, closers, names=()):
    """`text` is in lower case without a sign at its end; `names` are words that may be written
    with capitals."""
    asking = bool(ASKING.match(text))
    if rng.random() < 0.15:
        old, new = rng.choice(CONTRACTIONS)
        text = text.replace(old, new, 1)
    if rng.random() < 0.16:
        text = rng.choice(openers) + " " + text
    if rng.random() < 0.12:
        closer = rng.choice(closers)
        text += closer if closer[0] == "," else " " + closer
    style = rng.random()
    if style < 0.6:
        for name in names:
            if rng.random() < 0.8:
                text = text.replace(name, name.title().replace("'S", "'s"))
        text = proper(text, rng)
        if rng.random() < 0.85:
            text = text[:1].upper() + text[1:]
    if rng.random() < 0.09:
        text = slip(text, rng)
    if rng.random() < 0.02:
        text = slip(text, rng)
    if rng.random() < 0.015:
        text = text.upper()
    if text and (text[-1].isalnum() or text[-1] in ")'>"):
        if asking:
            text += rng.choice(["?"] * 6 + ["", "", "", " ?", "??", "."])
        else:
            text += rng.choice(["", "", "", ".", ".", "!", "?", "..."])
    return text
