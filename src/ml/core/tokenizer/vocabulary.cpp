#include "ml/core/tokenizer/vocabulary.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <fmt/format.h>

#include "ml/core/tokenizer/unicode.h"

namespace notso {

namespace {

constexpr std::uint32_t kAlphabetSize = 0x144;

constexpr bool stands_for_itself(std::uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// The byte of each character of GPT-2's alphabet, or -1.
constexpr std::array<std::int16_t, kAlphabetSize> kByteOfChar = [] {
  std::array<std::int16_t, kAlphabetSize> table{};
  for (auto& entry : table) entry = -1;
  std::uint32_t next = 0x100;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    table[stands_for_itself(byte) ? byte : next++] = static_cast<std::int16_t>(byte);
  }
  return table;
}();

std::uint64_t load_bytes(const char* data, std::size_t count) {
  std::uint64_t value = 0;
  std::memcpy(&value, data, count);
  return value;
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xD1B54A32D192ED03u);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// The byte that a byte token such as "<0x0A>" names.
std::optional<unsigned> byte_named(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  unsigned byte = 0;
  const auto [stop, error] = std::from_chars(token.data() + 3, token.data() + 5, byte, 16);
  if (error != std::errc() || stop != token.data() + 5) return std::nullopt;
  return byte;
}

// A hash of a short string: the usual word is read by two overlapping loads.
std::uint64_t hash_bytes(std::string_view bytes) {
  const char* data = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t hash = left;
  for (; left > 16; left -= 8, data += 8) hash = mix(hash, load_bytes(data, 8));
  if (left >= 8) return mix(load_bytes(data, 8) ^ hash, load_bytes(data + left - 8, 8));
  if (left >= 4) return mix(load_bytes(data, 4) ^ hash << 32, load_bytes(data + left - 4, 4));
  if (left == 0) return 0;
  const std::uint64_t low = load_bytes(data, 1) | load_bytes(data + left / 2, 1) << 8;
  return mix(low ^ hash << 32, load_bytes(data + left - 1, 1));
}

}  // namespace

std::optional<std::string> decode_byte_alphabet(std::string_view written) {
  std::string bytes;
  for (std::size_t at = 0; at < written.size();) {
    const DecodedChar c = decode_utf8(written, at);
    if (c.code_point >= kAlphabetSize || kByteOfChar[c.code_point] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kByteOfChar[c.code_point]));
    at += c.length;
  }
  return bytes;
}

Result<Vocabulary> Vocabulary::build(const VocabSource& source) {
  Vocabulary vocab;
  const std::size_t count = source.tokens.size();
  vocab.is_word_.resize(count);
  vocab.kinds_ = source.kinds;
  vocab.offsets_.reserve(count + 1);
  for (std::size_t id = 0; id < count; ++id) {
    vocab.offsets_.push_back(vocab.bytes_.size());
    const std::string_view written = source.tokens[id];
    const auto byte = byte_named(written);
    if (source.kinds[id] == TokenKind::kByte && byte) {
      vocab.bytes_ += static_cast<char>(*byte);
      continue;
    }
    if (source.kinds[id] == TokenKind::kNormal) {
      if (const auto bytes = decode_byte_alphabet(written)) {
        vocab.is_word_[id] = !bytes->empty();
        vocab.word_length_max_ = std::max(vocab.word_length_max_, bytes->size());
        vocab.bytes_ += *bytes;
        continue;
      }
    }
    vocab.bytes_ += written;
  }
  vocab.offsets_.push_back(vocab.bytes_.size());
  vocab.add_words();
  if (Status found = vocab.find_byte_tokens(source); !found) return pass_on(found);
  return vocab;
}

// Of tokens with the same bytes the last one counts, as in llama.cpp.
void Vocabulary::add_words() {
  slots_.resize(std::bit_ceil(is_word_.size() * 2 + 2));
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < is_word_.size(); ++i) {
    if (!is_word_[i]) continue;
    const TokenId id = static_cast<TokenId>(i);
    const std::uint64_t hash = hash_bytes(bytes(id));
    const std::uint32_t tag = static_cast<std::uint32_t>(hash >> 32);
    std::size_t at = hash & mask;
    while (slots_[at].id != kNoToken &&
           !(slots_[at].tag == tag && bytes(slots_[at].id) == bytes(id))) {
      at = (at + 1) & mask;
    }
    slots_[at] = {tag, id};
  }
}

TokenId Vocabulary::find_word(std::string_view word) const {
  const std::size_t mask = slots_.size() - 1;
  const std::uint64_t hash = hash_bytes(word);
  const std::uint32_t tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot slot = slots_[at];
    if (slot.id == kNoToken) return kNoToken;
    if (slot.tag == tag && bytes(slot.id) == word) return slot.id;
  }
}

// A byte is its own one-byte token or, failing that, a byte token such as "<0x0A>".
Status Vocabulary::find_byte_tokens(const VocabSource& source) {
  byte_tokens_.assign(256, kNoToken);
  for (std::size_t id = 0; id < source.tokens.size(); ++id) {
    if (source.kinds[id] != TokenKind::kByte) continue;
    if (const auto byte = byte_named(source.tokens[id])) {
      byte_tokens_[*byte] = static_cast<TokenId>(id);
    }
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const TokenId word = find_word({&c, 1});
    if (word != kNoToken) byte_tokens_[byte] = word;
    if (byte_tokens_[byte] == kNoToken) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{}: the vocabulary has no token for byte 0x{:02X}, so not every text "
                      "can be written: get a complete file",
                      source.path, byte));
    }
  }
  return {};
}

}  // namespace notso
