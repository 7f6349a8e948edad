// Deterministic text of every kind that a tokenizer meets.

// Numbers below n, the same for the same seed.
export function randomNumbers(seed) {
  let state = BigInt(seed) * 2n + 1n;
  return (n) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xFFFFFFFFFFFFFFFFn;
    return Number((state >> 33n) % BigInt(n));
  };
}

const kScripts = [
  [0x20, 0x7F], [0xA0, 0x250], [0x370, 0x530], [0x530, 0x590], [0x5D0, 0x5EB], [0x600, 0x700],
  [0x900, 0xA00], [0xA00, 0xC00], [0xE00, 0xF00], [0x10A0, 0x1200], [0x1200, 0x13A0],
  [0x1E00, 0x2000], [0x3040, 0x3100], [0x4E00, 0x9FA0], [0xAC00, 0xD7A4], [0x10000, 0x10100],
  [0x1D400, 0x1D800], [0x20000, 0x20400],
];
const kWords = `the of and to in a is that it was for on are with as his they be at one have
  this from or had by hot but some what there we can out other were all your when up use word
  how said an each she which do their time if will way about many then them would write like so
  these her long make thing see him two has look more day could go come did my sound no most
  number who over know water than call first people may down side been now find any new work
  part take get place made live where after back little only round man year came show every
  good me give our under name very through just form much great think say help low line before
  turn cause same mean differ move right boy old too does tell sentence set three want air well
  also play small end put home read hand port large spell internationalisation photosynthesis
  Schroedinger QuickSort notwithstanding HTTPServer`.split(/\s+/);
const kContractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'x", "’s"];
const kEmoji = ["😀", "👩‍👩‍👧‍👦", "👍🏽", "🇩🇪", "🏳️‍🌈", "❤️", "🧑🏿‍🚀", "1️⃣",
  "🤷‍♀️", "\u200D", "\uFE0F"];
const kMarks = ["\u0301", "\u0308", "\u0323", "\u20DD", "\u093F", "\u0E31", "\u05B8", "\u064E"];
const kSpaces = [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n", "\r", "\u00A0", "\u3000",
  "\u2003", "\u2028", "\u0085", "\u000B", "\u1680", "\u202F", "\uFEFF", "\u200B", "        "];
const kCode = ["for (int i = 0; i < n; ++i) {\n", "}\n", "    return x->y[i] != nullptr;\n", "\t\t",
  "def f(a, *b):", "# include <vector>\r\n", "SELECT * FROM t WHERE a='b';", "x += 0x1F & ~mask;",
  "//", "/* */", "=>", "std::vector<std::string>", "</div>\n", "{{\"a\": [1, 2.5e-7]}}", "\\n\\t",
  "$HOME/.bashrc", "@#%^&*()", "==========", "----------------\n", "!!!???", "camelCaseName",
  "snake_case_name", "λx.x"];

function pick(random, list) {
  return list[random(list.length)];
}

function character(random) {
  const [first, end] = pick(random, kScripts);
  return String.fromCodePoint(first + random(end - first));
}

// Each makes one small piece.
const kKinds = {
  english: (r) => pick(r, kWords) + pick(r, [" ", " ", " ", ", ", ". ", "\n", "; ", "-"]),
  contractions: (r) => pick(r, kWords) + pick(r, kContractions) + pick(r, ["", " ", "\n"]),
  scripts: (r) => character(r) + pick(r, ["", "", "", " "]),
  letters_of_one_script: (r) => {
    const [first, end] = pick(r, kScripts);
    const letter = () => String.fromCodePoint(first + r(end - first));
    return Array.from({length: 1 + r(12)}, letter).join("");
  },
  code: (r) => pick(r, kCode) + pick(r, ["", " ", pick(r, kWords)]),
  emoji: (r) => pick(r, kEmoji) + pick(r, ["", "", " ", "a"]),
  marks: (r) => character(r) + pick(r, kMarks) + pick(r, ["", pick(r, kMarks)]),
  spaces: (r) => pick(r, kSpaces) + pick(r, ["", "", "", "a", "1", "."]),
  numbers: (r) => "0123456789٣½Ⅷ"[r(13)] + pick(r, ["", "", "", "", ".", ",", " ", "e-"]),
  lone_surrogates: (r) => pick(r, ["\uD800", "\uDFFF", "a", " "]),
};

// About `size` bytes of UTF-8 of each kind, and of all kinds in turn: a list of [name, text].
export function sampleTexts(size, extraPieces) {
  const kinds = {...kKinds, vocabulary: (r) => pick(r, extraPieces)};
  const all = Object.values(kinds);
  kinds.everything = (r) => pick(r, all)(r);
  return Object.entries(kinds).map(([name, piece], seed) => {
    const random = randomNumbers(seed + 1);
    const parts = [];
    for (let length = 0; length < size; ) {
      const part = piece(random);
      parts.push(part);
      length += Buffer.byteLength(part);
    }
    return [name, parts.join("")];
  });
}
