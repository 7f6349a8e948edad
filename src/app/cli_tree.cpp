#include "app/cli_tree.h"

#include <CLI/CLI.hpp>

namespace notso {
namespace {

// The words of "TEXT:{a,b,c}", which is how the parser describes a choice.
std::vector<std::string> choices_of(const std::string& type) {
  std::vector<std::string> words;
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}', open);
  if (close == std::string::npos) return words;
  std::size_t begin = open + 1;
  while (begin < close) {
    const std::size_t end = std::min(type.find(',', begin), close);
    words.push_back(type.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

ValueKind kind_of(const std::string& value) {
  const auto has = [&](const char* word) { return value.find(word) != std::string::npos; };
  if (has("FILE") || has("PATH")) return ValueKind::kFile;
  if (has("FOLDER") || has("DIR")) return ValueKind::kFolder;
  return has("MODEL") ? ValueKind::kModel : ValueKind::kText;
}

CliOption read_option(const CLI::Option& option) {
  CliOption read;
  for (const std::string& name : option.get_snames()) read.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) read.names.push_back("--" + name);
  read.help = option.get_description();
  read.otherwise = option.get_default_str();
  read.required = option.get_required();
  if (option.get_items_expected_max() == 0) return read;
  const std::string type = option.get_type_name();
  read.value = type.substr(0, type.find_first_of(":{"));
  if (read.names.empty()) read.value = option.get_name(true);
  read.choices = choices_of(type);
  if (read.value.empty()) read.value = "VALUE";
  read.kind = read.choices.empty() ? kind_of(read.value) : ValueKind::kChoice;
  if (read.kind == ValueKind::kText) read.kind = kind_of(type.substr(0, type.find(':')));
  if (read.kind == ValueKind::kModel && read.names.empty()) read.kind = ValueKind::kHeldModel;
  return read;
}

void read_options(const CLI::App& app, CliCommand& command) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    CliOption read = read_option(*option);
    (read.names.empty() ? command.arguments : command.options).push_back(std::move(read));
  }
}

}  // namespace

CliCommand read_cli_tree(const CLI::App& app) {
  CliCommand command;
  command.name = app.get_name();
  command.help = app.get_description();
  read_options(app, command);
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name().empty()) {
      read_options(*sub, command);  // a group of options
    } else if (!sub->get_group().empty()) {
      command.commands.push_back(read_cli_tree(*sub));
    }
  }
  return command;
}

}  // namespace notso
