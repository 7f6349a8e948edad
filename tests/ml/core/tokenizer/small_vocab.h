// A small byte-level BPE vocabulary that the tests make themselves, as a tokenizer.json or a GGUF.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ml/core/tokenizer/tokenizer.h"

namespace notso {

// `bytes` in GPT-2's alphabet, in which the files write tokens.
std::string in_byte_alphabet(std::string_view bytes);

// The 256 bytes, the results of `merges`, and some special tokens after them.
struct SmallVocab {
  std::vector<std::pair<std::string, std::string>> merges = {};  // as raw bytes
  std::vector<std::string> words = {};  // further tokens that no merge makes
  std::vector<std::string> control = {"<|im_start|>", "<|im_end|>", "<|im_end|>!"};
  std::vector<std::string> user_defined = {"<think>", "</think>"};
  bool ignore_merges = false;

  // All tokens as the files write them, by id; then how many of them are not special.
  [[nodiscard]] std::vector<std::string> tokens() const;
  [[nodiscard]] std::string to_json() const;
  // `pre` is tokenizer.ggml.pre; `model` is tokenizer.ggml.model.
  [[nodiscard]] std::string to_gguf(std::string_view pre = "smaug-bpe",
                                    std::string_view model = "gpt2") const;
};

// Merges that make each prefix, from two bytes on, of the given words.
std::vector<std::pair<std::string, std::string>> prefix_merges(
    const std::vector<std::string>& words);

// `count` merges of random tokens over the letters of `alphabet`, always the same ones for a seed.
std::vector<std::pair<std::string, std::string>> random_merges(unsigned seed, std::size_t count,
                                                               std::string_view alphabet);

// Writes `contents` to a temporary file and reads it as a tokenizer.
Result<std::shared_ptr<const Tokenizer>> load_json(std::string_view contents);
Result<std::shared_ptr<const Tokenizer>> load_gguf(std::string_view contents);

// The tokenizer of a vocabulary that must load.
std::shared_ptr<const Tokenizer> tokenizer_of(const SmallVocab& vocab);

}  // namespace notso
