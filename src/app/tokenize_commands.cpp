// notso tokenize and notso detokenize: text to token ids and back.

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fmt/format.h>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "app/command.h"
#include "app/text_input.h"
#include "base/json_text.h"
#include "ml/core/gguf/gguf.h"
#include "ml/core/tokenizer/tokenizer.h"

namespace notso {

namespace {

using TokenizerPtr = std::shared_ptr<const Tokenizer>;

// Where the vocabulary comes from: exactly one of the two.
struct VocabularyFlags {
  std::string gguf_path;
  std::string json_path;
};

struct TokenizeFlags {
  VocabularyFlags vocabulary;
  std::string text;
  std::string file;
  bool special = false;
  bool json = false;
  bool count = false;
};

struct DetokenizeFlags {
  VocabularyFlags vocabulary;
  std::vector<TokenId> ids;
  bool no_special = false;
};

void add_vocabulary_flags(CLI::App& command, VocabularyFlags& flags) {
  auto* group = command.add_option_group("vocabulary", "Where the vocabulary comes from:");
  group->add_option("-m,--model", flags.gguf_path, "The vocabulary inside this GGUF file")
      ->type_name("FILE.gguf");
  group->add_option("--tokenizer", flags.json_path, "A Hugging Face tokenizer.json")
      ->type_name("FILE.json");
  group->require_option(1);
}

Result<TokenizerPtr> open_tokenizer(const VocabularyFlags& flags) {
  if (!flags.json_path.empty()) return Tokenizer::from_json_file(flags.json_path);
  auto file = GgufFile::open(flags.gguf_path);
  if (!file) return pass_on(file);
  return Tokenizer::from_gguf(**file);
}

void print_tokens(const Tokenizer& tokenizer, const std::vector<TokenId>& ids,
                  const TokenizeFlags& flags) {
  std::string out;
  if (flags.count) {
    out = flags.json ? fmt::format("{{\"count\":{}}}\n", ids.size())
                     : fmt::format("{}\n", ids.size());
  } else if (flags.json) {
    for (const TokenId id : ids) {
      out += fmt::format("{}{{\"id\":{},\"text\":", out.empty() ? "" : ",", id);
      append_json_string(out, tokenizer.token_bytes(id));
      out += '}';
    }
    out = fmt::format("{{\"count\":{},\"tokens\":[{}]}}\n", ids.size(), out);
  } else {
    for (const TokenId id : ids) out += fmt::format("{}{}", out.empty() ? "" : " ", id);
    out += '\n';
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
}

int tokenize(const TokenizeFlags& flags, bool text_given) {
  const Result<TokenizerPtr> tokenizer = open_tokenizer(flags.vocabulary);
  if (!tokenizer) return report_error(tokenizer.error());
  std::string text = flags.text;
  if (!text_given) {
    Result<std::string> read = read_text(flags.file);
    if (!read) return report_error(read.error());
    text = std::move(*read);
  }
  print_tokens(**tokenizer, (*tokenizer)->encode(text, flags.special), flags);
  return kExitOk;
}

// Ids from standard input, with white space or commas between them.
Result<std::vector<TokenId>> read_ids() {
  Result<std::string> text = read_text("");
  if (!text) return pass_on(text);
  std::replace(text->begin(), text->end(), ',', ' ');
  std::vector<TokenId> ids;
  std::istringstream words(*text);
  for (std::string word; words >> word;) {
    TokenId id = 0;
    const char* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, id);
    if (error != std::errc() || stop != end) {
      std::string shown;
      append_json_string(shown, word.substr(0, 40));
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} on standard input is no token id: give whole numbers", shown));
    }
    ids.push_back(id);
  }
  return ids;
}

int detokenize(const DetokenizeFlags& flags) {
  const Result<TokenizerPtr> tokenizer = open_tokenizer(flags.vocabulary);
  if (!tokenizer) return report_error(tokenizer.error());
  Result<std::vector<TokenId>> ids = flags.ids;
  if (ids->empty()) ids = read_ids();
  if (!ids) return report_error(ids.error());
  for (const TokenId id : *ids) {
    if (id < 0 || id >= (*tokenizer)->vocab_size()) {
      return report_error({ErrorCode::kInvalidArgument,
                           fmt::format("there is no token {}: the vocabulary has the ids 0 to {}",
                                       id, (*tokenizer)->vocab_size() - 1)});
    }
  }
  const std::string text = (*tokenizer)->decode(*ids, !flags.no_special);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return kExitOk;
}

void add_tokenize(CLI::App& app, CommandRunner& runner) {
  auto flags = std::make_shared<TokenizeFlags>();
  CLI::App* command = app.add_subcommand("tokenize", "Show the token ids of a text");
  command->footer(
      "Without TEXT and --file, the text is read from standard input.\n"
      "Example: notso tokenize -m SmolLM3.gguf \"Hello, world\"");
  add_vocabulary_flags(*command, flags->vocabulary);
  auto* text = command->add_option("text", flags->text, "The text")->type_name("TEXT");
  command->add_option("--file", flags->file, "Read the text from this file")
      ->type_name("FILE")
      ->excludes(text);
  command->add_flag("--special", flags->special,
                    "Special tokens such as <|im_end|> in the text become those tokens");
  command->add_flag("--json", flags->json, "Print JSON, with the text of each token");
  command->add_flag("--count", flags->count, "Print only how many tokens there are");
  command->callback([flags, text, &runner] {
    runner.run = [flags, text_given = text->count() > 0] { return tokenize(*flags, text_given); };
  });
}

void add_detokenize(CLI::App& app, CommandRunner& runner) {
  auto flags = std::make_shared<DetokenizeFlags>();
  CLI::App* command = app.add_subcommand("detokenize", "Show the text of token ids");
  command->footer(
      "Without IDS, they are read from standard input.\n"
      "Example: notso detokenize -m SmolLM3.gguf 9906,11,1917");
  add_vocabulary_flags(*command, flags->vocabulary);
  command->add_option("ids", flags->ids, "The ids, with spaces or commas between")
      ->type_name("IDS")
      ->delimiter(',');
  command->add_flag("--no-special", flags->no_special, "Leave special tokens out");
  command->callback([flags, &runner] { runner.run = [flags] { return detokenize(*flags); }; });
}

}  // namespace

void add_tokenize_commands(CLI::App& app, CommandRunner& runner) {
  add_tokenize(app, runner);
  add_detokenize(app, runner);
}

}  // namespace notso
