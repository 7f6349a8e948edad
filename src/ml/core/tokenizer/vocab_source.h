// What the two file formats have in common: the tokens, the merges and the settings of a byte-level
// BPE tokenizer, as read and before anything is checked across them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ml/core/gguf/gguf.h"
#include "ml/core/tokenizer/tokenizer.h"

namespace notso {

// The views point into `storage` or into the file that was read.
struct VocabSource {
  std::string path;                      // of the file, for messages
  std::vector<std::string_view> tokens;  // by id, as written; empty where an id has no token
  std::vector<TokenKind> kinds;          // by id
  std::vector<std::pair<std::string_view, std::string_view>> merges;  // best first
  bool ignore_merges = false;  // a pre-token that is a token is taken whole, without merging
  bool add_bos = false;
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  std::vector<TokenId> ends;  // other ids declared to end a generation
  std::shared_ptr<const void> storage;
};

// No vocabulary may be larger: a bound on what a wrong id in a file can make us allocate.
inline constexpr std::size_t kVocabSizeMax = std::size_t{1} << 21;

// A string out of a file as one line of a message shows it: in quotes, with control characters and
// malformed bytes as \xNN, cut after 60 bytes.
std::string quote_token(std::string_view text);

// Reads `tokenizer.ggml.*`; the views point into `file`.
Result<VocabSource> read_gguf_vocab(const GgufFile& file);

// Reads a Hugging Face tokenizer.json of at most 64 MiB.
Result<VocabSource> read_json_vocab(const std::string& path);

}  // namespace notso
