// All three shells get the same: the commands at each level, each command's options, and for values
// the choices, the models on this machine, files or folders. Model names are asked of the program
// when they are wanted.
#include "app/completion.h"

#include <functional>

namespace notso {
namespace {

constexpr const char* kModelNames = "notso models --names 2>/dev/null";

// In single quotes, as all three shells understand them.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c == '\n' ? ' ' : c;
    }
  }
  return out + "'";
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += between;
    out += word;
  }
  return out;
}

// Calls `visit` for every command below the root, with the names on the way to it.
void walk(const CliCommand& command, const std::string& path,
          const std::function<void(const CliCommand&, const std::string& path)>& visit) {
  visit(command, path);
  for (const CliCommand& sub : command.commands) {
    walk(sub, path.empty() ? sub.name : path + " " + sub.name, visit);
  }
}

// What bash does for a value.
std::string bash_value(const CliOption& option) {
  switch (option.kind) {
    case ValueKind::kFile:
      return "_notso_files -f";
    case ValueKind::kFolder:
      return "_notso_files -d";
    case ValueKind::kModel:
      return std::string("_notso_words \"$(") + kModelNames + ")\"; _notso_files -f";
    case ValueKind::kHeldModel:
      return std::string("_notso_words \"$(") + kModelNames + ")\"";
    case ValueKind::kChoice:
      return "_notso_words " + quoted(joined(option.choices, " "));
    default:
      return ":";
  }
}

std::vector<std::string> names_of(const std::vector<CliCommand>& commands) {
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (const CliCommand& command : commands) names.push_back(command.name);
  return names;
}

std::string bash_cases(const CliCommand& root) {
  std::string path_cases;
  std::string value_cases;
  std::string word_cases;
  walk(root, "", [&](const CliCommand& command, const std::string& path) {
    for (const CliCommand& sub : command.commands) {
      path_cases += "      " + quoted(path + ":" + sub.name) +
                    ") path=" + quoted(path.empty() ? sub.name : path + " " + sub.name) + " ;;\n";
    }
    std::vector<std::string> options;
    for (const CliOption& option : command.options) {
      options.insert(options.end(), option.names.begin(), option.names.end());
      if (option.kind == ValueKind::kNone) continue;
      std::vector<std::string> patterns;
      const std::string prefix = path + ":";
      patterns.reserve(option.names.size());
      for (const std::string& name : option.names) patterns.push_back(quoted(prefix + name));
      value_cases += "    " + joined(patterns, "|") + ") " + bash_value(option) + "; return ;;\n";
    }
    std::string plain = "_notso_words " + quoted(joined(names_of(command.commands), " "));
    if (command.commands.empty()) {
      plain = command.arguments.empty() ? ":" : bash_value(command.arguments.front());
    }
    word_cases += "    " + quoted(path) + ")\n      if [[ $cur == -* ]]; then\n" +
                  "        _notso_words " + quoted(joined(options, " ")) + "\n      else\n" +
                  "        " + plain + "\n      fi\n      ;;\n";
  });
  return "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case \"$path:${COMP_WORDS[i]}\" in\n" +
         path_cases +
         "    esac\n  done\n"
         "  case \"$path:$prev\" in\n" +
         value_cases +
         "  esac\n"
         "  case \"$path\" in\n" +
         word_cases + "  esac\n";
}

// For zsh's _arguments: brackets and colons have a meaning there.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string zsh_action(const CliOption& option) {
  switch (option.kind) {
    case ValueKind::kFile:
      return "_files";
    case ValueKind::kFolder:
      return "_files -/";
    case ValueKind::kModel:
      return "_notso_models";
    case ValueKind::kHeldModel:
      return "_notso_held_models";
    case ValueKind::kChoice:
      return std::string("(").append(joined(option.choices, " ")) + ")";
    default:
      return " ";
  }
}

std::string zsh_function_name(const std::string& path) {
  std::string name = "_notso";
  if (path.empty()) return name;
  name += '_';
  for (const char c : path) name += c == ' ' || c == '-' ? '_' : c;
  return name + "_command";
}

std::string zsh_function(const CliCommand& command, const std::string& path) {
  std::string out = zsh_function_name(path) + "() {\n" +
                    "  local curcontext=\"$curcontext\" state line\n  typeset -A opt_args\n" +
                    "  _arguments -C -s";
  for (const CliOption& option : command.options) {
    for (const std::string& name : option.names) {
      std::string spec = name + "[" + zsh_text(option.help) + "]";
      if (option.kind != ValueKind::kNone) {
        spec.append(":").append(zsh_text(option.value)).append(":").append(zsh_action(option));
      }
      out += " \\\n    " + quoted(spec);
    }
  }
  if (command.commands.empty()) {
    for (const CliOption& argument : command.arguments) {
      out += " \\\n    " +
             quoted(std::string("*:") + zsh_text(argument.value) + ":" + zsh_action(argument));
      break;
    }
    return out + "\n}\n\n";
  }
  out +=
      " \\\n    '1: :->command' '*:: :->rest'\n  case $state in\n    command)\n"
      "      local -a commands=(\n";
  std::string cases;
  for (const CliCommand& sub : command.commands) {
    out += "        " + quoted(sub.name + ":" + sub.help) + "\n";
    cases += "        " + sub.name + ") " +
             zsh_function_name(path.empty() ? sub.name : path + " " + sub.name) + " ;;\n";
  }
  return out +
         "      )\n      _describe command commands ;;\n    rest)\n      case $words[1] in\n" +
         cases + "      esac ;;\n  esac\n}\n\n";
}

std::string fish_value(const CliOption& option) {
  switch (option.kind) {
    case ValueKind::kNone:
      return "";
    case ValueKind::kFile:
      return " -r -F";
    case ValueKind::kFolder:
      return " -x -a '(__fish_complete_directories)'";
    case ValueKind::kModel:
      return std::string(" -r -F -a '(") + kModelNames + ")'";
    case ValueKind::kHeldModel:
      return std::string(" -x -a '(") + kModelNames + ")'";
    case ValueKind::kChoice:
      return " -x -a " + quoted(joined(option.choices, " "));
    default:
      return " -x";
  }
}

// True where the words so far name exactly this command.
std::string fish_condition(const CliCommand& command, const std::string& path) {
  std::string condition;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find(' ', begin), path.size());
    if (!condition.empty()) condition += "; and ";
    condition += "__fish_seen_subcommand_from " + path.substr(begin, end - begin);
    begin = end + 1;
  }
  if (!command.commands.empty()) {
    if (!condition.empty()) condition += "; and ";
    condition += "not __fish_seen_subcommand_from " + joined(names_of(command.commands), " ");
  }
  return quoted(condition);
}

}  // namespace

std::string bash_completion(const CliCommand& root) {
  return "# bash completion for notso; made by 'notso completion bash'.\n"
         "_notso_words() {\n"
         "  local word\n"
         "  while IFS= read -r word; do COMPREPLY+=(\"$word\"); done "
         "< <(compgen -W \"$1\" -- \"$cur\")\n"
         "}\n"
         "_notso_files() {\n"
         "  local name\n"
         "  compopt -o filenames 2>/dev/null\n"
         "  while IFS= read -r name; do COMPREPLY+=(\"$name\"); done "
         "< <(compgen \"$1\" -- \"$cur\")\n"
         "}\n"
         "_notso() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} path='' i\n"
         "  COMPREPLY=()\n" +
         bash_cases(root) + "}\ncomplete -F _notso notso\n";
}

std::string zsh_completion(const CliCommand& root) {
  std::string out =
      "#compdef notso\n# zsh completion for notso; made by 'notso completion zsh'.\n\n"
      "_notso_held_models() {\n  local -a names=(${(f)\"$(" +
      std::string(kModelNames) + ")\"})\n  compadd -a names\n}\n" +
      "_notso_models() {\n  _alternative 'models:model:_notso_held_models' " +
      "'files:file:_files'\n}\n\n";
  walk(root, "", [&](const CliCommand& command, const std::string& path) {
    out += zsh_function(command, path);
  });
  return out + "compdef _notso notso\n";
}

std::string fish_completion(const CliCommand& root) {
  std::string out =
      "# fish completion for notso; made by 'notso completion fish'.\ncomplete -c notso -f\n";
  walk(root, "", [&](const CliCommand& command, const std::string& path) {
    const std::string begin = "complete -c notso -n " + fish_condition(command, path);
    for (const CliCommand& sub : command.commands) {
      out += begin + " -a " + sub.name + " -d " + quoted(sub.help) + "\n";
    }
    for (const CliOption& option : command.options) {
      out += begin;
      for (const std::string& name : option.names) {
        out += name[1] == '-' ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      out += fish_value(option) + " -d " + quoted(option.help) + "\n";
    }
    if (command.commands.empty() && !command.arguments.empty()) {
      const CliOption& argument = command.arguments.front();
      std::string value = fish_value(argument);
      // Of an argument there is no option that it follows.
      if (value.rfind(" -r", 0) == 0) value = value.substr(3);
      if (value.rfind(" -x", 0) == 0) value = value.substr(3);
      if (!value.empty()) out += begin + value + "\n";
    }
  });
  return out;
}

}  // namespace notso
