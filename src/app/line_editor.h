// Lines from the person: with editing and history on a terminal (libedit), plain otherwise.
#pragma once

#include <atomic>
#include <memory>
#include <string>

namespace notso {

// Set by Ctrl-C once interrupts are handled; whoever has seen it clears it.
extern std::atomic<bool> interrupted;

// From now on Ctrl-C sets `interrupted` instead of ending the program.
void handle_interrupts();

// Reads messages from standard input. A line that ends in a backslash goes on in the next one, and
// everything between two lines of """ is one message.
class LineEditor {
 public:
  enum class Outcome { kText, kInterrupted, kEnd };

  // `history_path`: where lines are kept from one run to the next; "" keeps them in memory.
  LineEditor(bool color, std::string history_path);
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;
  ~LineEditor();

  // The next message, without its last newline. Ctrl-C drops what was typed.
  Outcome read(std::string& text);

  // Whether somebody types, as opposed to a file or a pipe.
  [[nodiscard]] bool interactive() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace notso
