// A stored conversation as the page shows it: of the tree of messages one path, cut into turns, and
// beside each message of it how many others there are in its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "service/store/session_store.h"

namespace notso::ui {

// What a person said and all that answers it: thoughts, calls of tools, their results, text.
struct Turn {
  const StoredMessage* question = nullptr;    // none if the conversation begins with an answer
  std::vector<const StoredMessage*> answers;  // assistant and tool messages, in order
  bool after_reset = false;                   // the model remembers nothing of what is above

  // Names the turn, whatever is added to it.
  [[nodiscard]] std::int64_t id() const;
  // The answer's first message, by which the page knows it; 0 while there is none.
  [[nodiscard]] std::int64_t answer_id() const;
};

// The place of a message among those that share its parent.
struct Branches {
  std::size_t index = 1;  // from 1
  std::size_t count = 1;
  std::int64_t previous = 0;  // 0: none
  std::int64_t next = 0;
};

// All messages of one conversation, and the path to its leaf.
class Transcript {
 public:
  // `leaf_id` 0, or one that does not exist: an empty path.
  Transcript(std::vector<StoredMessage> messages, std::int64_t leaf_id);
  // Its turns point into it.
  Transcript(const Transcript&) = delete;
  Transcript& operator=(const Transcript&) = delete;
  Transcript(Transcript&&) = default;
  Transcript& operator=(Transcript&&) = default;
  ~Transcript() = default;

  // The path's turns, the first one first. Pointers live as long as the transcript.
  [[nodiscard]] const std::vector<Turn>& turns() const { return turns_; }
  [[nodiscard]] std::int64_t leaf_id() const { return leaf_id_; }
  // Whether the path ends with a reset.
  [[nodiscard]] bool ends_with_reset() const { return reset_; }

  // A message of any branch, or nullptr.
  [[nodiscard]] const StoredMessage* find(std::int64_t id) const;
  // Whether the path goes through the message.
  [[nodiscard]] bool on_path(std::int64_t id) const;
  // The turn of the path that a message belongs to, or nullptr.
  [[nodiscard]] const Turn* turn_of(std::int64_t message_id) const;
  [[nodiscard]] Branches branches(std::int64_t message_id) const;
  // The newest leaf below a message, itself if nothing is: where choosing its branch leads.
  [[nodiscard]] std::int64_t newest_leaf(std::int64_t message_id) const;

 private:
  void follow_path();

  std::vector<StoredMessage> messages_;                                   // by id
  std::unordered_map<std::int64_t, std::vector<std::int64_t>> children_;  // by parent, by id
  std::vector<std::int64_t> path_;                                        // by id
  std::vector<Turn> turns_;
  std::int64_t leaf_id_ = 0;
  bool reset_ = false;
};

}  // namespace notso::ui
