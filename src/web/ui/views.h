// What the templates show, as values.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/store/session_store.h"
#include "service/template/value.h"
#include "web/ui/answer_view.h"
#include "web/ui/transcript.h"
#include "web/ui/ui_model.h"

namespace notso::ui {

// The turns that a page draws at once; earlier ones are a click away.
inline constexpr std::size_t kTurnsShown = 30;

// A title, or what stands for it while there is none.
[[nodiscard]] std::string title_of(const std::string& title);

// `chat` of the templates, and `row` of chat_row.html; pieces of a conversation need no title.
[[nodiscard]] jinja::Value chat_value(const SessionId& id, const std::string& title = "");

// The list, cut by how long ago: `groups` of chat_list.html. `now_s` is unix time; days are those
// of the local clock.
[[nodiscard]] jinja::Value groups_value(std::span<const Conversation> chats, std::int64_t now_s);

// What a search found: `hits` of chat_list.html, one a conversation.
[[nodiscard]] jinja::Value hits_value(std::span<const SearchHit> hits);

// `settings` of the forms.
[[nodiscard]] jinja::Value settings_value(const TurnSettings& settings);

// `commands` of the menu and the help.
[[nodiscard]] jinja::Value commands_value();

// `facts` of a panel.
[[nodiscard]] jinja::Value facts_value(std::span<const UiFact> facts);

// `model` of the frame.
[[nodiscard]] jinja::Value model_value(const UiModel& model);

// `models` of banner.html, models.html and progress.html.
[[nodiscard]] jinja::Value models_value(const UiModels& models);

// The buttons for other versions; undefined where there is one only.
[[nodiscard]] jinja::Value branches_value(const Branches& branches);

// `context` of context.html.
[[nodiscard]] jinja::Value context_value(const TurnService::ContextUse& use);

// How a turn is drawn.
struct TurnLook {
  std::int64_t editing = 0;  // the question that is being edited; 0: none
  bool far = false;          // far from the end: the browser may skip its layout
};

// One turn, its answer drawn by `answer`, which may be null: `turn` of turn.html.
[[nodiscard]] jinja::Value turn_value(const Transcript& transcript, const Turn& turn,
                                      AnswerView* answer, TurnLook options);

// A view of a stored turn's answer; null while it has none.
[[nodiscard]] std::unique_ptr<AnswerView> answer_of(const SessionId& chat, const Turn& turn);

// Which of the turns a page draws.
struct Window {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// The newest turns; or, before the turn `before`, some that precede it.
[[nodiscard]] Window window_of(const Transcript& transcript, std::int64_t before);
// The newest turns, and the earlier ones that a page has from its oldest turn `first` on; 0: none.
[[nodiscard]] Window window_from(const Transcript& transcript, std::int64_t first);

// `turns`, `earlier` and `reset_at_end` of messages.html, for the turns of `window`; and whether
// one of them is `running`.
void set_turns(jinja::Dict& variables, const SessionId& chat, const Transcript& transcript,
               Window window, TurnLook options);

// Seconds on a clock that never goes back.
[[nodiscard]] double monotonic_s();

}  // namespace notso::ui
