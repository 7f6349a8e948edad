#include "app/line_editor.h"

#include <array>
#include <cerrno>
#include <climits>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <filesystem>
#include <histedit.h>
#include <iostream>
#include <poll.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace notso {

std::atomic<bool> interrupted{false};

namespace {

constexpr int kHistoryLines = 1000;
constexpr const char* kQuotes = "\"\"\"";

void on_interrupt(int) { interrupted = true; }

// One character for libedit; -1 where Ctrl-C came first, which its own reader would swallow.
int read_character(EditLine*, wchar_t* out) {
  std::mbstate_t state{};
  while (true) {
    if (interrupted) return -1;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, -1) < 0) {
      if (errno == EINTR) continue;
      return -1;
    }
    if (interrupted) return -1;
    char byte = 0;
    const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return static_cast<int>(got);
    const std::size_t used = std::mbrtowc(out, &byte, 1, &state);
    if (used == static_cast<std::size_t>(-2)) continue;
    if (used == static_cast<std::size_t>(-1)) {
      *out = L'\uFFFD';
      state = {};
    }
    if (used == 0) *out = L'\0';
    return 1;
  }
}

}  // namespace

void handle_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;  // without SA_RESTART: a waiting read returns
  sigaction(SIGINT, &action, nullptr);
}

struct LineEditor::Impl {
  EditLine* editor = nullptr;  // null: not a terminal
  History* history = nullptr;
  std::string history_path;
  std::string prompt;
  std::string continued_prompt;
  bool continued = false;

  static char* prompt_of(EditLine* editor) {
    Impl* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return (self->continued ? self->continued_prompt : self->prompt).data();
  }

  void open() {
    std::setlocale(LC_CTYPE, "");
    if (MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
    editor = el_init("notso", stdin, stdout, stderr);
    if (editor == nullptr) return;
    open_history();
    el_set(editor, EL_CLIENTDATA, this);
    el_set(editor, EL_PROMPT_ESC, &Impl::prompt_of, '\1');
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_SIGNAL, 0);
    el_set(editor, EL_GETCFN, &read_character);
    if (history != nullptr) el_set(editor, EL_HIST, ::history, history);
    el_set(editor, EL_BIND, "^[[1;5C", "em-next-word", nullptr);
    el_set(editor, EL_BIND, "^[[1;5D", "ed-prev-word", nullptr);
  }

  void open_history() {
    history = history_init();
    if (history == nullptr) return;
    HistEvent event;
    ::history(history, &event, H_SETSIZE, kHistoryLines);
    ::history(history, &event, H_SETUNIQUE, 1);
    if (!history_path.empty()) ::history(history, &event, H_LOAD, history_path.c_str());
  }

  void close() {
    if (history != nullptr) {
      if (!history_path.empty()) save_history();
      history_end(history);
    }
    if (editor != nullptr) el_end(editor);
  }

  // What was typed is nobody else's business.
  void save_history() const {
    HistEvent event;
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(history_path).parent_path(), error);
    const mode_t before = umask(S_IRWXG | S_IRWXO);
    ::history(history, &event, H_SAVE, history_path.c_str());
    umask(before);
  }

  // One line without its newline.
  Outcome read_line(std::string& line, bool goes_on) {
    continued = goes_on;
    if (editor == nullptr) {
      if (!std::getline(std::cin, line)) return interrupted ? Outcome::kInterrupted : Outcome::kEnd;
      if (line.ends_with('\r')) line.pop_back();
      return Outcome::kText;
    }
    int size = 0;
    const char* text = el_gets(editor, &size);
    const std::string_view typed(text == nullptr ? "" : text);
    // After Enter, Ctrl-C is meant for the answer.
    if (interrupted && !typed.ends_with('\n')) return Outcome::kInterrupted;
    if (typed.empty()) return Outcome::kEnd;
    line = typed;
    if (line.find_first_not_of(" \t\n") != std::string::npos && history != nullptr) {
      HistEvent event;
      ::history(history, &event, H_ENTER, line.c_str());
    }
    if (line.ends_with('\n')) line.pop_back();
    return Outcome::kText;
  }
};

LineEditor::LineEditor(bool color, std::string history_path) : impl_(std::make_unique<Impl>()) {
  impl_->history_path = std::move(history_path);
  // libedit shows an escape only before a character.
  impl_->prompt = color ? "\1\x1b[1;32m\1>\1\x1b[0m\1 " : "> ";
  impl_->continued_prompt = color ? "\1\x1b[2m\1.\1\x1b[0m\1 " : ". ";
  if (isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1) impl_->open();
}

LineEditor::~LineEditor() { impl_->close(); }

bool LineEditor::interactive() const { return impl_->editor != nullptr; }

LineEditor::Outcome LineEditor::read(std::string& text) {
  text.clear();
  bool quoted = false;
  std::string line;
  for (bool goes_on = false;; goes_on = true) {
    const Outcome outcome = impl_->read_line(line, goes_on);
    if (outcome == Outcome::kInterrupted) {
      interrupted = false;
      if (interactive()) std::fputs("\n", stdout);
      return outcome;
    }
    if (outcome == Outcome::kEnd) return text.empty() ? outcome : Outcome::kText;
    if (line == kQuotes) {
      if (quoted) {
        if (text.ends_with('\n')) text.pop_back();
        return Outcome::kText;
      }
      quoted = true;
      continue;
    }
    if (quoted) {
      text += line + "\n";
    } else if (line.ends_with('\\')) {
      line.back() = '\n';
      text += line;
    } else {
      text += line;
      return Outcome::kText;
    }
  }
}

}  // namespace notso
