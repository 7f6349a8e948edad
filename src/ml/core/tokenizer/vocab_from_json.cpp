// The parts of a Hugging Face tokenizer.json that byte-level BPE needs:
//
//   model           {"type": "BPE", "vocab": {token: id}, "merges": ["left right"] or
//                   [["left", "right"]], "ignore_merges": bool}
//   added_tokens    [{"id", "content", "special"}]: special ones are control tokens, the others
//                   user-defined ones
//   pre_tokenizer   Split by Llama 3's pattern, then ByteLevel
//   post_processor  a TemplateProcessing that begins with a special token prepends that as BOS
//
// Everything that would change the ids and is not done here is refused by name.

#include <boost/json.hpp>
#include <cstring>
#include <fmt/format.h>

#include "base/mapped_file.h"
#include "ml/core/tokenizer/vocab_source.h"

namespace notso {

namespace {

namespace json = boost::json;

constexpr std::size_t kFileSizeMax = std::size_t{64} << 20;
constexpr std::size_t kDepthMax = 32;
constexpr std::string_view kMend = "use the tokenizer.json of SmolLM3 or Llama 3";
constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

// The member `key` of an object; null if there is none or `value` is no object.
const json::value& member(const json::value& value, std::string_view key) {
  static const json::value kNull;
  if (!value.is_object()) return kNull;
  const json::value* found =
      value.get_object().if_contains(json::string_view(key.data(), key.size()));
  return found == nullptr ? kNull : *found;
}

std::string_view text_of(const json::value& value) {
  return value.is_string() ? view(value.get_string()) : std::string_view{};
}

bool is_true(const json::value& value) { return value.is_bool() && value.get_bool(); }

// The "type" of a component, for messages.
std::string type_name(const json::value& component) {
  return quote_token(text_of(member(component, "type")));
}

// Reads one document; carries the path into each message.
class JsonVocabReader {
 public:
  JsonVocabReader(const std::string& path, const json::value& root) : root_(root) {
    source_.path = path;
  }

  Result<VocabSource> read() {
    for (const auto step : {&JsonVocabReader::check_model, &JsonVocabReader::check_normalizer,
                            &JsonVocabReader::check_pre_tokenizer, &JsonVocabReader::read_vocab,
                            &JsonVocabReader::read_added_tokens, &JsonVocabReader::read_merges}) {
      if (Status status = (this->*step)(); !status) return pass_on(status);
    }
    read_bos(member(root_, "post_processor"));
    return std::move(source_);
  }

 private:
  [[nodiscard]] tl::unexpected<Error> malformed(std::string_view what) const {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}: {}", source_.path, what, kMend));
  }
  [[nodiscard]] tl::unexpected<Error> unsupported(std::string_view what) const {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}: {} is not supported: {}", source_.path, what, kMend));
  }

  Status check_model() {
    const json::value& model = member(root_, "model");
    if (!model.is_object()) return malformed("there is no \"model\" object, so it is no tokenizer");
    if (text_of(member(model, "type")) != "BPE") {
      return unsupported(fmt::format("the model type {} (only 'BPE' is)", type_name(model)));
    }
    if (!member(model, "dropout").is_null()) return unsupported("model.dropout");
    for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!text_of(member(model, affix)).empty())
        return unsupported(fmt::format("model.{}", affix));
    }
    source_.ignore_merges = is_true(member(model, "ignore_merges"));
    return {};
  }

  Status check_normalizer() {
    const json::value& normalizer = member(root_, "normalizer");
    if (normalizer.is_null()) return {};
    return unsupported(fmt::format("the normalizer {}", type_name(normalizer)));
  }

  Status check_pre_tokenizer() {
    const json::value& pre = member(root_, "pre_tokenizer");
    const json::value& steps = member(pre, "pretokenizers");
    if (text_of(member(pre, "type")) != "Sequence" || !steps.is_array() ||
        steps.get_array().size() != 2) {
      return unsupported(
          fmt::format("the pre-tokeniser {} (only Split, then ByteLevel, is)", type_name(pre)));
    }
    const json::value& split = steps.get_array()[0];
    const json::value& bytes = steps.get_array()[1];
    if (text_of(member(split, "type")) != "Split" ||
        text_of(member(bytes, "type")) != "ByteLevel") {
      return unsupported(
          fmt::format("the pre-tokeniser {} then {} (only Split, then ByteLevel, is)",
                      type_name(split), type_name(bytes)));
    }
    if (text_of(member(member(split, "pattern"), "Regex")) != kLlama3Pattern ||
        text_of(member(split, "behavior")) != "Isolated" || is_true(member(split, "invert"))) {
      return unsupported("a Split pre-tokeniser by another pattern than Llama 3's");
    }
    if (is_true(member(bytes, "add_prefix_space")) || !member(bytes, "use_regex").is_bool() ||
        is_true(member(bytes, "use_regex"))) {
      return unsupported("a ByteLevel pre-tokeniser with a pattern or a prefix space of its own");
    }
    return {};
  }

  // Puts a token at its id, growing the vocabulary.
  Status place(const json::value& id_value, std::string_view token, TokenKind kind) {
    if (!id_value.is_int64() || id_value.get_int64() < 0 ||
        static_cast<std::uint64_t>(id_value.get_int64()) >= kVocabSizeMax) {
      return malformed(fmt::format("token {} has no whole number below {} for its id",
                                   quote_token(token), kVocabSizeMax));
    }
    const auto id = static_cast<std::size_t>(id_value.get_int64());
    if (id >= source_.tokens.size()) {
      source_.tokens.resize(id + 1);
      source_.kinds.resize(id + 1, TokenKind::kUnused);
    }
    if (!source_.tokens[id].empty() && source_.tokens[id] != token) {
      return malformed(fmt::format("tokens {} and {} have the same id {}",
                                   quote_token(source_.tokens[id]), quote_token(token), id));
    }
    source_.tokens[id] = token;
    source_.kinds[id] = kind;
    return {};
  }

  Status read_vocab() {
    const json::value& model = member(root_, "model");
    const json::value& vocab = member(model, "vocab");
    if (!vocab.is_object()) return malformed("model.vocab is not an object");
    source_.tokens.reserve(vocab.get_object().size());
    const bool byte_fallback = is_true(member(model, "byte_fallback"));
    for (const auto& entry : vocab.get_object()) {
      const std::string_view token(entry.key().data(), entry.key().size());
      const bool is_byte = byte_fallback && token.size() == 6 && token.substr(0, 3) == "<0x";
      const TokenKind kind = is_byte ? TokenKind::kByte : TokenKind::kNormal;
      if (Status status = place(entry.value(), token, kind); !status) return status;
    }
    return {};
  }

  Status read_added_tokens() {
    const json::value& added = member(root_, "added_tokens");
    if (added.is_null()) return {};
    if (!added.is_array()) return malformed("added_tokens is not an array");
    for (const json::value& token : added.get_array()) {
      const std::string_view content = text_of(member(token, "content"));
      if (content.empty()) return malformed("an entry of added_tokens has no \"content\"");
      for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
        if (is_true(member(token, flag))) {
          return unsupported(
              fmt::format("\"{}\" of the added token {}", flag, quote_token(content)));
        }
      }
      const bool special = is_true(member(token, "special"));
      const TokenKind kind = special ? TokenKind::kControl : TokenKind::kUserDefined;
      if (Status status = place(member(token, "id"), content, kind); !status) return status;
    }
    return {};
  }

  Status read_merges() {
    const json::value& merges = member(member(root_, "model"), "merges");
    if (!merges.is_array()) return malformed("model.merges is not an array");
    source_.merges.reserve(merges.get_array().size());
    for (const json::value& merge : merges.get_array()) {
      const std::string_view written = text_of(merge);
      const std::size_t space = written.find(' ');
      if (space != std::string_view::npos) {
        source_.merges.emplace_back(written.substr(0, space), written.substr(space + 1));
      } else if (merge.is_array() && merge.get_array().size() == 2) {
        const json::array& pair = merge.get_array();
        source_.merges.emplace_back(text_of(pair[0]), text_of(pair[1]));
      } else {
        return malformed(
            fmt::format("entry {} of model.merges is not a pair of tokens", source_.merges.size()));
      }
    }
    return {};
  }

  // A post-processor may be a Sequence of others; only the outermost two levels are looked at.
  void read_bos(const json::value& processor) {
    const json::value& steps = member(processor, "processors");
    if (steps.is_array()) {
      for (const json::value& step : steps.get_array()) read_template(step);
    } else {
      read_template(processor);
    }
  }

  void read_template(const json::value& processor) {
    const json::value& single = member(processor, "single");
    if (text_of(member(processor, "type")) != "TemplateProcessing" || !single.is_array() ||
        single.get_array().empty()) {
      return;
    }
    const json::value& first = member(single.get_array()[0], "SpecialToken");
    const std::string_view name = text_of(member(first, "id"));
    for (std::size_t id = 0; id < source_.tokens.size() && !name.empty(); ++id) {
      if (source_.tokens[id] != name) continue;
      source_.bos = static_cast<TokenId>(id);
      source_.add_bos = true;
    }
  }

  const json::value& root_;
  VocabSource source_;
};

Result<std::string> read_file(const std::string& path) {
  auto file = MappedFile::open(path);
  if (!file) return pass_on(file);
  const std::span<const std::byte> bytes = file->bytes();
  if (bytes.size() > kFileSizeMax) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("{}: has {} bytes, and a tokenizer.json may have {}: {}", path,
                            bytes.size(), kFileSizeMax, kMend));
  }
  std::string text(bytes.size(), '\0');
  const Status copied =
      guard_mapped_reads(path, [&] { std::memcpy(text.data(), bytes.data(), bytes.size()); });
  if (!copied) return tl::unexpected<Error>(copied.error());
  return text;
}

}  // namespace

Result<VocabSource> read_json_vocab(const std::string& path) {
  auto text = read_file(path);
  if (!text) return pass_on(text);
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::error_code error;
  auto root = std::make_shared<json::value>(json::parse(*text, error, {}, options));
  if (error) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: is no readable JSON ({}): {}", path, error.message(), kMend));
  }
  auto source = JsonVocabReader(path, *root).read();
  if (source) source->storage = root;
  return source;
}

}  // namespace notso
