// A conversation as a file to keep: Markdown or plain text of the branch that is shown. (JSON, with
// all branches, is the store's own.)
#pragma once

#include <string>
#include <string_view>

#include "web/ui/transcript.h"

namespace notso::ui {

// Headings for who speaks; thoughts and tools as quotes and code.
[[nodiscard]] std::string export_markdown(std::string_view title, const Transcript& transcript);

// What was said, and nothing else.
[[nodiscard]] std::string export_text(std::string_view title, const Transcript& transcript);

// A file's name for a title: harmless characters only, "chat" if nothing is left.
[[nodiscard]] std::string export_name(std::string_view title, std::string_view extension);

// The text of a whole answer, as the model wrote it: what copying gives.
[[nodiscard]] std::string answer_text(const Turn& turn);

}  // namespace notso::ui
