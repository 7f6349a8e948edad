// A TurnService whose answers follow a script that the message names, for looking at and testing
// what the page shows without a model:
//
//   think        thoughts, then an answer         tool      a call of the calculator
//   fail         half an answer, then a failure   wait      an answer that never ends by itself
//   markdown     one of everything                long N    N words, fast
//   hostile      what must never run              anything else   says it again
//
// Messages are kept in a real store; a running answer goes on after a restart, and ends then.
#pragma once

#include <memory>

#include "service/store/session_store.h"
#include "service/turns/turn_service.h"

namespace notso::ui {

// `pause_ms` is the time between two tokens.
[[nodiscard]] std::unique_ptr<TurnService> make_scripted_turns(SessionStore& store, int pause_ms);

}  // namespace notso::ui
