// notso synth OUT: a GGUF file with SmolLM3's shape and random weights.
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "app/command.h"
#include "app/progress.h"
#include "ml/smollm3/synth.h"

namespace notso {
namespace {

struct SynthArguments {
  std::string path;
  std::string size = "tiny";
  std::string mix = "Q4_K_M";
  std::string template_path;
  SynthOptions options;
};

Status read_template(const std::string& path, std::string& text) {
  constexpr std::size_t kBytesMax = 1 << 20;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return fail(ErrorCode::kNotFound, "cannot open the template '" + path + "'; check the path");
  }
  text.resize(kBytesMax + 1);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.empty() || text.size() > kBytesMax) {
    return fail(ErrorCode::kInvalidArgument,
                "the template '" + path +
                    "' is empty, a folder or larger than 1 MiB; name a "
                    "chat template file");
  }
  return {};
}

int synth(SynthArguments& arguments) {
  SynthOptions& options = arguments.options;
  // The parser has checked both names.
  options.size = synth_size_from_name(arguments.size).value_or(SynthSize::kTiny);
  options.mix = synth_mix_from_name(arguments.mix).value_or(SynthMix::kQ4_K_M);
  if (!arguments.template_path.empty()) {
    const Status read = read_template(arguments.template_path, options.chat_template);
    if (!read) return report_error(read.error());
  }
  Status written;
  {
    ProgressBar bar("writing " + arguments.path, "B");
    written = write_synthetic_model(
        arguments.path, options,
        [&](std::uint64_t done, std::uint64_t total) { bar.update(done, total); });
  }
  return written ? kExitOk : report_error(written.error());
}

}  // namespace

void add_synth_command(CLI::App& app, CommandRunner& runner) {
  const auto arguments = std::make_shared<SynthArguments>();
  CLI::App* const command =
      app.add_subcommand("synth", "Write a model with SmolLM3's shape and random weights");
  command->add_option("OUT", arguments->path, "The .gguf file to write")->required();
  command->add_option("--size", arguments->size, "tiny (4 MB), small (110 MB) or full (1.9 GB)")
      ->check(CLI::IsMember({"tiny", "small", "full"}))
      ->capture_default_str();
  command->add_option("--seed", arguments->options.seed, "The same seed gives the same file")
      ->capture_default_str();
  command->add_option("--type", arguments->mix, "The mix of weight types")
      ->check(CLI::IsMember({"Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1",
                             "F16", "BF16", "F32"}))
      ->capture_default_str();
  command->add_option("--tokenizer", arguments->options.tokenizer_path,
                      "A Hugging Face tokenizer.json for the vocabulary; else a built-in one");
  command->add_option("--template", arguments->template_path,
                      "A chat template file; else plain ChatML");
  command
      ->add_option("--yarn", arguments->options.yarn_factor,
                   "Extend the context by this factor with YaRN")
      ->check(CLI::Range(1.0, 32.0))
      ->capture_default_str();
  command->callback(
      [arguments, &runner] { runner.run = [arguments] { return synth(*arguments); }; });
}

}  // namespace notso
