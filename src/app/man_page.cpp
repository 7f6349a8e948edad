#include "app/man_page.h"

namespace notso {
namespace {

// The parts that no parser knows.
constexpr std::string_view kEnvironment = R"(.SH ENVIRONMENT
.TP
.B NOTSO_HOME
The folder for everything: models, conversations, keys, caches and settings. Without it models are
in
.IR $XDG_DATA_HOME/notso/models ,
conversations, keys and the history in
.IR $XDG_STATE_HOME/notso ,
caches in
.I $XDG_CACHE_HOME/notso
and settings in
.IR $XDG_CONFIG_HOME/notso .
.TP
.B MODEL_PATH
The model where no flag names one: a file or a name that
.B notso models
shows.
.TP
.B NOTSO_CONFIG
The configuration file, in place of
.I config.toml
in the folder of settings; every setting is also a variable, see
.BR "notso config" .
.TP
.B NO_COLOR
No colours at the terminal.
.TP
.B NOTSO_CPU
The kernels to use, by name, instead of the best that the processor has;
.B notso doctor
lists them.
.TP
.B HF_ENDPOINT
A mirror of Hugging Face for
.BR "notso pull" .
.TP
.B HF_TOKEN
A token for private repositories. It is sent to the hub only, never to where the hub redirects.
.TP
.BR https_proxy ", " http_proxy ", " no_proxy
The proxy for downloads, and the hosts that need none. In capitals all but
.B http_proxy
work as well.
.TP
.B CURL_CA_BUNDLE
A file with the certificates to trust for downloads.
.SH EXIT STATUS
0 when the work is done, 1 when it failed, 2 when the command line was wrong.
)";

// Text as roff takes it literally.
std::string escaped(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    line_start = c == '\n';
  }
  return out;
}

std::string sentence(const std::string& text) {
  if (text.empty()) return "";
  std::string out = escaped(text);
  if (text.back() != '.' && text.back() != ':') out += '.';
  return out + "\n";
}

// An argument of a request.
std::string in_quotes(const std::string& text) {
  std::string out = "\"";
  for (const char c : escaped(text)) {
    if (c == '"') {
      out += "\\(dq";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string option_text(const CliOption& option) {
  std::string names;
  for (const std::string& name : option.names) {
    if (!names.empty()) names += ", ";
    names += name;
  }
  if (!option.value.empty()) names += (names.empty() ? "" : " ") + option.value;
  std::string out = ".TP\n.B " + in_quotes(names) + "\n" + sentence(option.help);
  if (!option.choices.empty()) {
    std::string words;
    for (const std::string& word : option.choices) words += (words.empty() ? "" : ", ") + word;
    out += "One of: " + escaped(words) + ".\n";
  }
  if (!option.otherwise.empty()) out += "Default: " + escaped(option.otherwise) + ".\n";
  if (option.help.empty() && option.choices.empty() && option.otherwise.empty()) out += "\\&\n";
  return out;
}

std::string synopsis(const CliCommand& command, const std::string& path) {
  std::string out = path;
  if (!command.options.empty()) out += " [OPTION...]";
  for (const CliOption& argument : command.arguments) {
    out += argument.required ? " " + argument.value : " [" + argument.value + "]";
  }
  return out;
}

std::string command_text(const CliCommand& command, const std::string& path) {
  if (!command.commands.empty()) {
    std::string out;
    for (const CliCommand& sub : command.commands) {
      out += command_text(sub, path + " " + sub.name);
    }
    return out;
  }
  std::string out = ".SS " + in_quotes(synopsis(command, path)) + "\n" + sentence(command.help);
  for (const CliOption& argument : command.arguments) out += option_text(argument);
  for (const CliOption& option : command.options) {
    // Every command has --help; the general options name it.
    if (option.names.back() != "--help") out += option_text(option);
  }
  return out;
}

}  // namespace

std::string man_page(const CliCommand& root, std::string_view version) {
  std::string out = ".TH NOTSO 1 \"\" \"notso " + std::string(version) +
                    "\" \"User Commands\"\n.SH NAME\nnotso \\- chat with the language model "
                    "SmolLM3\\-3B on this machine\n.SH SYNOPSIS\n.B notso\n.I COMMAND\n"
                    "[OPTION...]\n.SH DESCRIPTION\nA self\\-contained chat system for the language "
                    "model SmolLM3\\-3B: an inference engine, a server with a web page and an API, "
                    "and a chat at the terminal. Nothing leaves the machine.\n.SH OPTIONS\n";
  for (const CliOption& option : root.options) out += option_text(option);
  out += ".SH COMMANDS\n";
  for (const CliCommand& sub : root.commands) out += command_text(sub, "notso " + sub.name);
  return out + std::string(kEnvironment);
}

}  // namespace notso
