// The vocabularies that synthetic models carry. Private to the synth library.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace notso {

// A byte-level BPE vocabulary as GGUF stores it.
struct SynthVocabulary {
  std::vector<std::string> tokens;  // by id, bytes written as GPT-2's printable characters
  std::vector<std::int32_t> kinds;  // GGUF token types
  std::vector<std::string> merges;  // "left right", best first
  std::uint32_t bos = 0;            // <|begin_of_text|>
  std::uint32_t eos = 0;            // <|im_end|>
};

// A built-in vocabulary of `size` ids, of which the last `special_count` (at least 19) are
// SmolLM3's special tokens in the model's order. size 128256 with 256 special tokens gives them
// the real model's ids.
[[nodiscard]] SynthVocabulary built_in_vocabulary(std::size_t size, std::size_t special_count);

// The vocabulary of a Hugging Face tokenizer.json, with SmolLM3's special tokens written over
// those from <|begin_of_text|> on (Llama 3's places), or appended where that token is missing.
[[nodiscard]] Result<SynthVocabulary> vocabulary_from_json(const std::string& path);

}  // namespace notso
