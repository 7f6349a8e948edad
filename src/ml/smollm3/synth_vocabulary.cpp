// The built-in vocabulary is the 256 bytes and then merges that are derived, not learned: runs of
// white space, common words letter by letter, two-byte characters, digits, and combinations of
// letters until it is full. Any text has tokens, English has short ones.
#include "ml/smollm3/synth_vocabulary.h"

#include <array>
#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/check.h"

namespace notso {
namespace {

constexpr std::int32_t kNormal = 1;
constexpr std::int32_t kControl = 3;
constexpr std::int32_t kUserDefined = 4;
constexpr std::int32_t kUnused = 5;

constexpr std::uint32_t kImEnd = 12;

// SmolLM3's special tokens, counted from <|begin_of_text|>.
constexpr std::array<std::string_view, 19> kSpecialTokens = {
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<think>",
    "</think>",
    "<|finetune_right_pad_id|>",
    "<|reserved_special_token_2|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
    "<|im_start|>",
    "<|im_end|>",
    "<tool_response>",
    "</tool_response>",
    "<tool_call>",
    "</tool_call>",
    "<code>",
    "</code>",
};

// The special tokens that are SmolLM3's own; the rest of the table is Llama 3's.
constexpr std::array<std::uint32_t, 12> kSmolLm3Places = {0,  1,  2,  3,  11, 12,
                                                          13, 14, 15, 16, 17, 18};

std::int32_t special_kind(std::string_view name) {
  return name.starts_with("<|") ? kControl : kUserDefined;
}

// Words whose prefixes become tokens, with and without a space before them.
constexpr std::string_view kWords =
    "the of and to in is that for it you was on are with as be at this have from or one had by "
    "word but not what all were we when your can said there use an each which she do how their if "
    "will up other about out many then them these so some her would make like him into time has "
    "look two more write go see number no way could people my than first water been call who its "
    "now find long down day did get come made may part over new sound take only little work know "
    "place year live me back give most very after thing our just name good sentence man think say "
    "great where help through much before line right too mean old any same tell boy follow came "
    "want show also around form three small set put end does another well large must big even such "
    "because turn here why ask went men read need land different home us move try kind hand "
    "picture again change off play spell air away animal house point page letter mother answer "
    "found study still learn should world system user assistant message model token return const "
    "void int float string public class import function def self print true false null while else "
    "include std vector size data value error file";

// One byte as GPT-2 writes it: printable ones stand for themselves, the others are U+0100 and up.
std::string byte_symbol(unsigned byte) {
  const auto printable = [](unsigned b) {
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  };
  unsigned code = byte;
  if (!printable(byte)) {
    code = 256;
    for (unsigned b = 0; b < byte; ++b) code += printable(b) ? 0 : 1;
  }
  if (code < 128) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 63))};
}

// Collects tokens and the merges that make them until `size` tokens are there.
class VocabularyBuilder {
 public:
  explicit VocabularyBuilder(std::size_t size) : size_(size) {
    for (unsigned byte = 0; byte < 256; ++byte) symbols_[byte] = byte_symbol(byte);
    // GPT-2's order: the bytes that stand for themselves come first.
    for (const bool high : {false, true}) {
      for (const std::string& symbol : symbols_) {
        const bool moved = symbol.size() == 2 && static_cast<unsigned char>(symbol[0]) > 0xc3;
        if (moved == high) add(symbol);
      }
    }
  }

  [[nodiscard]] bool full() const { return tokens.size() >= size_; }

  // The text of raw bytes in the vocabulary's symbols.
  [[nodiscard]] std::string symbols(std::string_view bytes) const {
    std::string out;
    for (const char c : bytes) out += symbols_[static_cast<unsigned char>(c)];
    return out;
  }

  // Makes left + right a token if it is new; both are tokens already, else nothing happens.
  void merge(const std::string& left, const std::string& right) {
    const std::string whole = left + right;
    if (full() || known_.contains(whole)) return;
    if (!known_.contains(left) || !known_.contains(right)) return;
    add(whole);
    merges.push_back(left + " " + right);
  }

  // Makes every prefix of `bytes` a token.
  void merge_prefixes(std::string_view bytes) {
    for (std::size_t i = 1; i < bytes.size(); ++i) {
      merge(symbols(bytes.substr(0, i)), symbols(bytes.substr(i, 1)));
    }
  }

  std::vector<std::string> tokens;
  std::vector<std::string> merges;

 private:
  void add(const std::string& token) {
    known_.emplace(token, tokens.size());
    tokens.push_back(token);
  }

  std::size_t size_;
  std::array<std::string, 256> symbols_;
  std::unordered_map<std::string, std::size_t> known_;
};

void add_white_space(VocabularyBuilder& builder) {
  for (std::size_t length = 1; length <= 16; length *= 2) {
    const std::string run = builder.symbols(std::string(length, ' '));
    builder.merge(run, run);
  }
  for (const std::string_view text : {"\n\n", "\r\n", "\t\t", ".\n", "...", "()", "//", "=="}) {
    builder.merge_prefixes(text);
  }
}

void add_words(VocabularyBuilder& builder) {
  std::string_view rest = kWords;
  while (!rest.empty()) {
    const std::string word(rest.substr(0, rest.find(' ')));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    builder.merge_prefixes(" " + word);
    if (word.size() > 3) builder.merge_prefixes(word);
  }
}

// Latin and Cyrillic letters whole, the first two bytes of Chinese characters and emoji.
void add_utf8(VocabularyBuilder& builder) {
  for (const int lead : {0xc3, 0xd0, 0xd1, 0xe4, 0xe5}) {
    for (int next = 0x80; next < 0xc0; ++next) {
      const char pair[] = {static_cast<char>(lead), static_cast<char>(next)};
      builder.merge_prefixes({pair, 2});
    }
  }
  builder.merge_prefixes("\xf0\x9f\x98\x80");
}

void add_digits(VocabularyBuilder& builder) {
  for (int number = 0; number < 100; ++number) {
    const std::string digits = std::to_string(100 + number).substr(1);
    builder.merge_prefixes(digits);
  }
}

// Pairs, triples and quadruples of letters, alone and after a space.
void add_letters(VocabularyBuilder& builder) {
  constexpr std::string_view kLetters = "etaoinsrhldcumfpgwybvkxjqz";
  std::vector<std::string> pairs;
  for (const char first : kLetters) {
    for (const char second : kLetters) pairs.push_back({first, second});
  }
  const std::string space = builder.symbols(" ");
  for (const std::string& pair : pairs) builder.merge_prefixes(pair);
  for (const std::string& pair : pairs) builder.merge_prefixes(" " + pair);
  for (const std::string& pair : pairs) {
    for (const char third : kLetters) builder.merge(pair, std::string(1, third));
  }
  for (const std::string& left : pairs) {
    for (const std::string& right : pairs) {
      builder.merge(left, right);
      builder.merge(space + left, right);
      if (builder.full()) return;
    }
  }
}

std::string reserved_name(std::size_t place) {
  return "<|reserved_special_token_" + std::to_string(place - 8) + "|>";
}

tl::unexpected<Error> bad_json(const std::string& path, const std::string& why) {
  return fail(ErrorCode::kInvalidArgument,
              "'" + path + "' is not a usable tokenizer.json: " + why +
                  "; name the tokenizer.json of a byte-level BPE model");
}

Result<std::string> read_text(const std::string& path) {
  constexpr std::size_t kBytesMax = 64 << 20;
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::kNotFound, "cannot open '" + path + "'; check the path");
  std::string text(kBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kBytesMax) return bad_json(path, "it is larger than 64 MiB");
  if (text.empty()) return bad_json(path, "it is empty or a folder");
  return text;
}

// A text and its id, put into the vocabulary; false if they are not that.
bool place_token(SynthVocabulary& vocabulary, const boost::json::value* text,
                 const boost::json::value* id, std::int32_t kind) {
  constexpr std::int64_t kIdMax = 1 << 22;
  if (text == nullptr || id == nullptr || !text->is_string() || !id->is_int64()) return false;
  const std::int64_t place = id->get_int64();
  if (place < 0 || place > kIdMax) return false;
  const auto index = static_cast<std::size_t>(place);
  if (index >= vocabulary.tokens.size()) {
    vocabulary.tokens.resize(index + 1);
    vocabulary.kinds.resize(index + 1, kUnused);
  }
  vocabulary.tokens[index] = text->get_string().c_str();
  vocabulary.kinds[index] = kind;
  return true;
}

// One merge, as "a b" or as ["a", "b"].
bool place_merge(SynthVocabulary& vocabulary, const boost::json::value& merge) {
  if (const auto* const text = merge.if_string()) {
    vocabulary.merges.emplace_back(text->c_str());
    return true;
  }
  const auto* const pair = merge.if_array();
  if (pair == nullptr || pair->size() != 2) return false;
  if (!(*pair)[0].is_string() || !(*pair)[1].is_string()) return false;
  vocabulary.merges.push_back(std::string((*pair)[0].get_string()) + " " +
                              std::string((*pair)[1].get_string()));
  return true;
}

// Gaps get names, SmolLM3's tokens their places.
void finish_vocabulary(SynthVocabulary& vocabulary) {
  auto& tokens = vocabulary.tokens;
  std::size_t base = 0;
  while (base < tokens.size() && tokens[base] != kSpecialTokens[0]) ++base;
  if (base + kSpecialTokens.size() > tokens.size()) {
    tokens.resize(base + kSpecialTokens.size());
    vocabulary.kinds.resize(tokens.size(), kUnused);
  }
  for (const std::uint32_t place : kSmolLm3Places) {
    tokens[base + place] = kSpecialTokens[place];
    vocabulary.kinds[base + place] = special_kind(kSpecialTokens[place]);
  }
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) tokens[id] = "[UNUSED" + std::to_string(id) + "]";
  }
  vocabulary.bos = static_cast<std::uint32_t>(base);
  vocabulary.eos = vocabulary.bos + kImEnd;
}

}  // namespace

SynthVocabulary built_in_vocabulary(std::size_t size, std::size_t special_count) {
  NOTSO_CHECK(special_count >= kSpecialTokens.size() && size >= special_count + 256);
  const std::size_t base = size - special_count;
  VocabularyBuilder builder(base);
  add_white_space(builder);
  add_words(builder);
  add_utf8(builder);
  add_digits(builder);
  add_letters(builder);
  NOTSO_CHECK(builder.full());
  SynthVocabulary vocabulary;
  vocabulary.tokens = std::move(builder.tokens);
  vocabulary.merges = std::move(builder.merges);
  vocabulary.kinds.assign(base, kNormal);
  for (std::size_t place = 0; place < special_count; ++place) {
    const bool named = place < kSpecialTokens.size();
    vocabulary.tokens.push_back(named ? std::string(kSpecialTokens[place]) : reserved_name(place));
    vocabulary.kinds.push_back(special_kind(vocabulary.tokens.back()));
  }
  vocabulary.bos = static_cast<std::uint32_t>(base);
  vocabulary.eos = vocabulary.bos + kImEnd;
  return vocabulary;
}

Result<SynthVocabulary> vocabulary_from_json(const std::string& path) {
  Result<std::string> text = read_text(path);
  if (!text) return pass_on(text);
  boost::system::error_code error;
  const boost::json::value root = boost::json::parse(*text, error);
  if (error) return bad_json(path, "it is not JSON (" + error.message() + ")");
  const auto* const object = root.if_object();
  const auto* const model_value = object != nullptr ? object->if_contains("model") : nullptr;
  const auto* const model = model_value != nullptr ? model_value->if_object() : nullptr;
  if (model == nullptr) return bad_json(path, "it has no 'model'");
  const auto* const tokens = model->if_contains("vocab");
  const auto* const merges = model->if_contains("merges");
  if (tokens == nullptr || !tokens->is_object() || merges == nullptr || !merges->is_array()) {
    return bad_json(path, "its model has no 'vocab' with 'merges'");
  }
  SynthVocabulary vocabulary;
  for (const auto& [token, id] : tokens->get_object()) {
    const boost::json::value name(token);
    if (!place_token(vocabulary, &name, &id, kNormal)) return bad_json(path, "a token has no id");
  }
  for (const boost::json::value& merge : merges->get_array()) {
    if (!place_merge(vocabulary, merge)) return bad_json(path, "a merge is no pair");
  }
  const auto* const added = object->if_contains("added_tokens");
  if (added != nullptr && added->is_array()) {
    for (const boost::json::value& token : added->get_array()) {
      const auto* const entry = token.if_object();
      if (entry == nullptr || !place_token(vocabulary, entry->if_contains("content"),
                                           entry->if_contains("id"), kControl)) {
        return bad_json(path, "an added token has no id");
      }
    }
  }
  finish_vocabulary(vocabulary);
  return vocabulary;
}

}  // namespace notso
