#include "web/ui/transcript.h"

#include <algorithm>
#include <utility>

namespace notso::ui {

std::int64_t Turn::id() const {
  if (question != nullptr) return question->id;
  return answer_id();
}

std::int64_t Turn::answer_id() const { return answers.empty() ? 0 : answers.front()->id; }

Transcript::Transcript(std::vector<StoredMessage> messages, std::int64_t leaf_id)
    : messages_(std::move(messages)), leaf_id_(leaf_id) {
  std::sort(messages_.begin(), messages_.end(),
            [](const StoredMessage& a, const StoredMessage& b) { return a.id < b.id; });
  for (const StoredMessage& message : messages_) {
    children_[message.parent_id].push_back(message.id);
  }
  follow_path();
}

const StoredMessage* Transcript::find(std::int64_t id) const {
  const auto found = std::lower_bound(
      messages_.begin(), messages_.end(), id,
      [](const StoredMessage& message, std::int64_t key) { return message.id < key; });
  return found != messages_.end() && found->id == id ? &*found : nullptr;
}

void Transcript::follow_path() {
  // A child's id is above its parent's, so this ends whatever the rows say.
  std::vector<const StoredMessage*> path;
  for (const StoredMessage* at = find(leaf_id_); at != nullptr;) {
    path.push_back(at);
    at = at->parent_id < at->id ? find(at->parent_id) : nullptr;
  }
  std::reverse(path.begin(), path.end());
  if (path.empty()) leaf_id_ = 0;
  for (const StoredMessage* message : path) {
    path_.push_back(message->id);
    if (message->message.role == Role::kSystem) {
      reset_ = true;  // /reset leaves one; the system prompt is a setting and no message
    } else if (message->message.role == Role::kUser) {
      turns_.push_back({message, {}, std::exchange(reset_, false)});
    } else {
      if (turns_.empty()) turns_.emplace_back();
      turns_.back().answers.push_back(message);
    }
  }
}

bool Transcript::on_path(std::int64_t id) const {
  return std::binary_search(path_.begin(), path_.end(), id);
}

const Turn* Transcript::turn_of(std::int64_t message_id) const {
  for (const Turn& turn : turns_) {
    if (turn.question != nullptr && turn.question->id == message_id) return &turn;
    for (const StoredMessage* answer : turn.answers) {
      if (answer->id == message_id) return &turn;
    }
  }
  return nullptr;
}

Branches Transcript::branches(std::int64_t message_id) const {
  Branches result;
  const StoredMessage* message = find(message_id);
  if (message == nullptr) return result;
  const std::vector<std::int64_t>& all = children_.at(message->parent_id);
  const auto at = std::find(all.begin(), all.end(), message_id);
  result.index = static_cast<std::size_t>(at - all.begin()) + 1;
  result.count = all.size();
  if (at != all.begin()) result.previous = *(at - 1);
  if (at + 1 != all.end()) result.next = *(at + 1);
  return result;
}

std::int64_t Transcript::newest_leaf(std::int64_t message_id) const {
  for (auto at = children_.find(message_id); at != children_.end();
       at = children_.find(message_id)) {
    if (at->second.back() <= message_id) break;
    message_id = at->second.back();
  }
  return message_id;
}

}  // namespace notso::ui
