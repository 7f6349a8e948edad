#include "ml/core/tokenizer/small_vocab.h"

#include <algorithm>
#include <fmt/format.h>
#include <random>
#include <set>
#include <stdexcept>

#include "ml/core/gguf/gguf_bytes.h"
#include "ml/core/tokenizer/unicode.h"

namespace notso {

namespace {

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
  return out;
}

template <class List, class Write>
std::string json_list(const List& list, Write write) {
  std::string out;
  for (const auto& item : list) {
    if (!out.empty()) out += ',';
    out += write(item);
  }
  return out;
}

std::string added_token(std::size_t id, const std::string& content, bool special) {
  return fmt::format(
      R"({{"id":{},"content":{},"single_word":false,"lstrip":false,"rstrip":false,"special":{}}})",
      id, json_quoted(content), special);
}

constexpr std::string_view kPreTokenizer =
    R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)"
    R"("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|)"
    R"( ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},)"
    R"("behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,)"
    R"("trim_offsets":true,"use_regex":false}]})";

}  // namespace

std::string in_byte_alphabet(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const std::uint32_t byte = static_cast<unsigned char>(c);
    std::uint32_t shown = byte;
    if (byte <= 0x20) shown = 0x100 + byte;
    if (byte >= 0x7F && byte <= 0xA0) shown = 0x121 + byte - 0x7F;
    if (byte == 0xAD) shown = 0x143;
    append_utf8(shown, out);
  }
  return out;
}

std::vector<std::string> SmallVocab::tokens() const {
  std::vector<std::string> out;
  std::set<std::string> seen;
  const auto add = [&](const std::string& bytes) {
    if (seen.insert(bytes).second) out.push_back(in_byte_alphabet(bytes));
  };
  for (int byte = 0; byte < 256; ++byte) add(std::string(1, static_cast<char>(byte)));
  for (const auto& [left, right] : merges) add(left + right);
  for (const std::string& word : words) add(word);
  out.insert(out.end(), control.begin(), control.end());
  out.insert(out.end(), user_defined.begin(), user_defined.end());
  return out;
}

std::string SmallVocab::to_json() const {
  const std::vector<std::string> all = tokens();
  const std::size_t special_at = all.size() - control.size() - user_defined.size();
  std::string vocab;
  std::string added;
  for (std::size_t id = 0; id < all.size(); ++id) {
    const char* comma = id == 0 || id == special_at ? "" : ",";
    if (id < special_at) {
      vocab += fmt::format("{}{}:{}", comma, json_quoted(all[id]), id);
    } else {
      added += comma;
      added += added_token(id, all[id], id < special_at + control.size());
    }
  }
  const std::string pairs = json_list(merges, [](const auto& merge) {
    return json_quoted(
        fmt::format("{} {}", in_byte_alphabet(merge.first), in_byte_alphabet(merge.second)));
  });
  return fmt::format(
      R"({{"added_tokens":[{}],"normalizer":null,"pre_tokenizer":{},"model":{{"type":"BPE",)"
      R"("dropout":null,"ignore_merges":{},"vocab":{{{}}},"merges":[{}]}}}})",
      added, kPreTokenizer, ignore_merges, vocab, pairs);
}

std::string SmallVocab::to_gguf(std::string_view pre, std::string_view model) const {
  constexpr std::uint32_t kString = 8;
  constexpr std::uint32_t kArray = 9;
  constexpr std::uint32_t kInt32 = 5;
  const std::vector<std::string> all = tokens();
  const std::size_t control_at = all.size() - control.size() - user_defined.size();
  Bytes b;
  b.header(0, 7);
  b.key("tokenizer.ggml.model", kString).string(model);
  b.key("tokenizer.ggml.pre", kString).string(pre);
  b.key("tokenizer.ggml.tokens", kArray).u32(kString).u64(all.size());
  for (const std::string& token : all) b.string(token);
  b.key("tokenizer.ggml.token_type", kArray).u32(kInt32).u64(all.size());
  for (std::size_t id = 0; id < all.size(); ++id) {
    b.u32(id < control_at ? 1 : id < control_at + control.size() ? 3 : 4);
  }
  b.key("tokenizer.ggml.merges", kArray).u32(kString).u64(merges.size());
  for (const auto& [left, right] : merges) {
    b.string(fmt::format("{} {}", in_byte_alphabet(left), in_byte_alphabet(right)));
  }
  b.key("tokenizer.ggml.bos_token_id", 4).u32(static_cast<std::uint32_t>(control_at));
  b.key("tokenizer.ggml.eos_token_id", 4).u32(static_cast<std::uint32_t>(control_at + 1));
  return b.pad().done();
}

std::vector<std::pair<std::string, std::string>> prefix_merges(
    const std::vector<std::string>& words) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (const std::string& word : words) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      std::pair<std::string, std::string> merge{word.substr(0, i), word.substr(i, 1)};
      if (std::find(merges.begin(), merges.end(), merge) == merges.end()) merges.push_back(merge);
    }
  }
  return merges;
}

std::vector<std::pair<std::string, std::string>> random_merges(unsigned seed, std::size_t count,
                                                               std::string_view alphabet) {
  std::mt19937 random(seed);
  std::vector<std::string> tokens;
  for (const char c : alphabet) tokens.emplace_back(1, c);
  std::vector<std::pair<std::string, std::string>> merges;
  std::set<std::pair<std::string, std::string>> seen;
  while (merges.size() < count) {
    const std::string& left = tokens[random() % tokens.size()];
    const std::string& right = tokens[random() % tokens.size()];
    if (left.size() + right.size() > 12 || !seen.emplace(left, right).second) continue;
    merges.emplace_back(left, right);
    tokens.push_back(left + right);
  }
  return merges;
}

Result<std::shared_ptr<const Tokenizer>> load_json(std::string_view contents) {
  const TempFile file;
  return Tokenizer::from_json_file(file.write(contents));
}

Result<std::shared_ptr<const Tokenizer>> load_gguf(std::string_view contents) {
  const TempFile temp;
  auto file = GgufFile::open(temp.write(contents));
  if (!file) return pass_on(file);
  return Tokenizer::from_gguf(**file);
}

std::shared_ptr<const Tokenizer> tokenizer_of(const SmallVocab& vocab) {
  auto tokenizer = load_gguf(vocab.to_gguf());
  if (!tokenizer) throw std::runtime_error(tokenizer.error().message);
  return *tokenizer;
}

}  // namespace notso
