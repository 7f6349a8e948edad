// A request inside the engine's loop: what was asked, and how far it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "service/engine/draft_gate.h"
#include "service/engine/draft_index.h"
#include "service/engine/engine.h"
#include "service/engine/kv_cache.h"

namespace notso {

// What the requests of one session have had together.
struct SessionShare {
  std::uint64_t served = 0;  // rows
  std::int32_t requests = 0;
  std::int32_t running = 0;
};

// Owned by the loop, touched by its thread only. A request waits, then runs (has pages and a place
// in steps); one that must give its pages up waits again and reads its tokens once more.
//
//   tokens   [ prompt .................. | answer ........ ]
//             read: keys and values are in kv | pending
struct ActiveRequest {
  RequestId id = 0;
  EngineRequest asked;  // its prompt has moved to `tokens`
  std::vector<std::int32_t> tokens;
  std::int32_t prompt_size = 0;
  std::string session;  // the name that it is counted under
  SessionShare* share = nullptr;

  // While it runs.
  KvSequence kv;
  std::int32_t read = 0;           // tokens whose keys and values are in kv
  std::int32_t published = 0;      // of these, tokens that others can find
  RequestId leader = 0;            // reads a prompt that begins alike; 0: none
  std::int32_t leader_shares = 0;  // tokens that are alike
  std::uint64_t last_step = 0;     // in which it had rows

  bool prompt_is_read = false;
  bool is_spoiled = false;  // the model failed on it: nobody shall find its pages
  std::int32_t told_position = std::numeric_limits<std::int32_t>::max();
  std::int32_t told_progress = -1;

  DraftIndex draft_index;
  DraftRecord draft_record;
  Draft draft;  // for the step at hand

  double submitted_s = 0;
  double started_s = -1;     // its first step; -1 before
  double read_s = 0;         // the prompt was read
  double first_s = -1;       // the first token came; -1 before
  double answer_from_s = 0;  // what answer_s_max counts from; moves on while it is held back
  double token_from_s = 0;   // the same for token_s_max
  RequestReport report;

  [[nodiscard]] bool is_background() const { return asked.priority == Priority::kBackground; }
  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(tokens.size()); }
  [[nodiscard]] std::int32_t pending() const { return size() - read; }
  // The most tokens that may come from the cache: a policy needs the logits of the last one.
  [[nodiscard]] std::int32_t cacheable() const { return asked.policy ? size() - 1 : size(); }
};

}  // namespace notso
