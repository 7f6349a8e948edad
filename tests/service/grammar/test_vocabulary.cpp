#include "service/grammar/test_vocabulary.h"

#include <random>
#include <set>
#include <string_view>

namespace notso {
namespace {

constexpr const char* kWords[] = {"the",   "a",    "name", "value", "true", "false", "null",
                                  "yes",   "no",   "int",  "is",    "node", "and",   "type",
                                  "label", "kind", "user", "text",  "move", "root"};
constexpr const char* kJson[] = {
    "\":",    "\":\"", "\": \"",  "\",",  "\",\"", "\", \"", "},",   "}, {", "{\"",  "{ \"",
    "\"}",    "\"]",   "]}",      "}}",   "}]",    "[]",     "{}",   "[{\"", "\":[", "\": [",
    "\":{\"", "],",    "\"},{\"", "\\\"", "\\n",   "\\u",    "\\\\", "\"\"", "\"\n", "},\n",
    "{\n",    "[\n",   "\":-",    "e+",   ".0",    "\"],\"", "]]",   "\"}}", "0.",   "-1"};
constexpr const char* kCharacters[] = {"é",  "ü",  "ß",  "Ω", "я", "日", "本", "曜",
                                       "ア", "の", "、", "😀", "🌍", "한", "€",  "\u2028"};

// Every cut of `text`, so that characters come in parts as well.
void add_pieces(std::string_view text, std::set<std::string>& out) {
  for (std::size_t from = 0; from < text.size(); ++from) {
    for (std::size_t to = from + 1; to <= text.size(); ++to) {
      out.insert(std::string(text.substr(from, to - from)));
    }
  }
}

}  // namespace

TestVocabulary make_test_vocabulary(std::size_t size) {
  std::set<std::string> pieces;
  for (int byte = 0; byte < 256; ++byte) pieces.insert(std::string(1, static_cast<char>(byte)));
  for (const char* word : kWords) {
    pieces.insert(word);
    pieces.insert(std::string(" ") + word);
    pieces.insert(std::string(word) + "\"");
    pieces.insert(std::string("\"").append(word));
  }
  for (const char* piece : kJson) pieces.insert(piece);
  for (int number = 0; number < 1000; number += 7) pieces.insert(std::to_string(number));
  for (std::size_t blanks = 1; blanks <= 24; ++blanks) {
    pieces.insert(std::string(blanks, ' '));
    pieces.insert(std::string("\n").append(blanks, ' '));
    pieces.insert(std::string(blanks, '\t'));
    pieces.insert(std::string(blanks, '\n'));
  }
  for (const char* character : kCharacters) {
    for (const char* next : kCharacters) add_pieces(std::string(character) + next, pieces);
    pieces.insert(std::string(character) + "\"");
    pieces.insert(std::string(" ") + character);
  }
  std::mt19937 random(1);
  while (pieces.size() < size) {
    std::string word(random() % 4 == 0 ? 1 : 0, ' ');
    for (std::size_t length = 2 + random() % 6; length > 0; --length) {
      word += static_cast<char>((random() % 9 == 0 ? 'A' : 'a') + static_cast<int>(random() % 26));
    }
    pieces.insert(word);
  }
  TestVocabulary out;
  out.tokens.assign(pieces.begin(), pieces.end());
  const auto add = [&](const char* name) {
    out.tokens.push_back(name);
    return static_cast<std::int32_t>(out.tokens.size() - 1);
  };
  out.never = add("true");  // a control token whose text would fit
  out.end = add("<|end|>");
  out.other_end = add("");
  out.tokens.push_back("");  // an empty token
  const std::vector<std::string_view> views(out.tokens.begin(), out.tokens.end());
  const std::int32_t never[] = {out.never};
  const std::int32_t ends[] = {out.end, out.other_end};
  out.vocabulary = std::make_shared<const GrammarVocabulary>(views, never, ends);
  return out;
}

}  // namespace notso
