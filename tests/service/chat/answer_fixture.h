// What the tests of answers share: the events of an answer as one line, a small vocabulary with all
// marks, and a tiny model.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ml/core/backend.h"
#include "ml/core/tokenizer/tokenizer.h"
#include "ml/smollm3/model.h"
#include "service/chat/message.h"

namespace notso {

// The events with adjoining deltas joined: `think(a) text(b) call0(id:name) args0({}) warning end`.
std::string summary(std::span<const ChatEvent> events);

// Whether a text is UTF-8.
bool is_utf8(const std::string& text);

// Bytes as tokens, and all marks.
std::shared_ptr<const Tokenizer> mark_tokenizer();

// A synthetic model with the built-in vocabulary.
struct TinyModel {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<smollm3::Model> model;
};
TinyModel make_tiny_model(const smollm3::ModelOptions& options);

// One for a single answer at a time, made once for the program.
TinyModel& tiny_model();

}  // namespace notso
