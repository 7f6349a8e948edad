// What makes the model work, or stop. The page is drawn by the chat's stream alone: an action that
// a script posts is answered with what to say, and a form's with the way back to the page.
#include <charconv>
#include <utility>

#include "service/access/rate_client.h"
#include "web/ui/commands.h"
#include "web/ui/handlers.h"
#include "web/ui/views.h"

namespace notso::ui {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMessageBytesMax = 800'000;

constexpr const char* kSummaryRequest = "Summarise our conversation so far in a few sentences.";

// A posted message: to a chat, or (an empty id) to one that is yet to be made.
struct Posted {
  std::string owner;
  std::string client;
  SessionId chat;
  std::string text;
  std::string key;
  bool thinking = false;
};

TurnAsker asker_of(const http::Request& request) {
  return {request.principal, rate_client(request.principal, request.remote)};
}

// A request about the chat in its path, so far without what it says.
Posted posted_by(const http::Request& request) {
  Posted posted;
  TurnAsker asker = asker_of(request);
  posted.owner = std::move(asker.owner);
  posted.client = std::move(asker.client);
  posted.chat = parameter(request, "id");
  return posted;
}

Outcome refused(std::string said, int status = 422) {
  Outcome outcome;
  outcome.status = status;
  outcome.said = std::move(said);
  return outcome;
}

Outcome opened(std::string panel) {
  Outcome outcome;
  outcome.open = std::move(panel);
  return outcome;
}

// Answers a form or a script; what went wrong is shown with the text that was typed.
asio::awaitable<void> finish(Ui& ui, http::Exchange& exchange, Outcome outcome,
                             const Posted& posted) {
  const http::Request& request = exchange.request();
  if (from_script(request)) {
    co_await send_outcome(exchange, std::move(outcome));
    co_return;
  }
  const std::string page = posted.chat.empty() ? "/" : "/chats/" + posted.chat;
  if (!outcome.said.empty()) {
    if (page == "/") {
      co_await send_home(ui, exchange, outcome.status, outcome.said, posted.text);
    } else {
      co_await send_chat(ui, exchange, outcome.status, outcome.said, posted.text);
    }
    co_return;
  }
  std::vector<http::Field> headers;
  if (!outcome.theme.empty()) {
    const bool dark =
        outcome.theme == "dark" || (outcome.theme == "other" && theme_of(request) != "dark");
    headers.push_back({"Set-Cookie", std::string("theme=") + (dark ? "dark" : "light") +
                                         "; Path=/; Max-Age=31536000; SameSite=Lax"});
  }
  for (const std::string* to : {&outcome.go, &outcome.open, &outcome.download}) {
    if (to->empty()) continue;
    co_await redirect(exchange, *to, std::move(headers));
    co_return;
  }
  co_await redirect(exchange, page, std::move(headers));
}

// Changes one chat's settings, or those of new ones.
template <class Change>
asio::awaitable<Status> change_settings(Ui& ui, Posted posted, Change change) {
  SessionStore& store = *ui.context.store;
  TurnSettings settings;
  if (posted.chat.empty()) {
    settings = co_await default_settings(ui, posted.owner);
    change(settings);
    const std::string json = write_turn_settings(settings);
    co_return co_await ask<void>(
        [&](auto then) { store.put_value(posted.owner, "ui.settings", json, 0, std::move(then)); });
  }
  const auto chat = co_await ask<Conversation>(
      [&](auto then) { store.get(posted.owner, posted.chat, std::move(then)); });
  if (!chat) co_return tl::unexpected<Error>(chat.error());
  settings = settings_of(*chat);
  change(settings);
  const std::string json = write_turn_settings(settings);
  co_return co_await ask<void>(
      [&](auto then) { store.set_settings(posted.owner, posted.chat, json, std::move(then)); });
}

// The chat that a message goes to, made if it is the first one. Settings follow the switch that
// was sent with it.
asio::awaitable<Result<SessionId>> ready_chat(Ui& ui, Posted posted) {
  SessionStore& store = *ui.context.store;
  if (posted.chat.empty()) {
    TurnSettings settings = co_await default_settings(ui, posted.owner);
    settings.thinking = posted.thinking;
    const std::string json = write_turn_settings(settings);
    const auto made = co_await ask<Conversation>(
        [&](auto then) { store.create(posted.owner, "", json, std::move(then)); });
    if (!made) co_return tl::unexpected<Error>(made.error());
    co_return made->id;
  }
  const auto chat = co_await ask<Conversation>(
      [&](auto then) { store.get(posted.owner, posted.chat, std::move(then)); });
  if (!chat) co_return tl::unexpected<Error>(chat.error());
  if (settings_of(*chat).thinking != posted.thinking) {
    const bool thinking = posted.thinking;
    const Status changed = co_await change_settings(
        ui, posted, [thinking](TurnSettings& settings) { settings.thinking = thinking; });
    if (!changed) co_return tl::unexpected<Error>(changed.error());
  }
  co_return posted.chat;
}

// Sends `text` as the person's message, or has `recited` streamed as its answer.
asio::awaitable<Outcome> send_text(Ui& ui, Posted posted, std::string text,
                                   std::string recited = "") {
  const Result<std::shared_ptr<TurnService>> turns = turns_of(ui);
  if (!turns) co_return failed(turns.error());
  const Result<SessionId> chat = co_await ready_chat(ui, posted);
  if (!chat) co_return failed(chat.error());
  const SessionId id = *chat;
  TurnService& service = **turns;
  const auto started = co_await ask<TurnService::Started>([&](auto then) {
    if (recited.empty()) {
      service.send({posted.owner, posted.client}, id, 0, text, posted.key, std::move(then));
    } else {
      service.recite({posted.owner, posted.client}, id, text, recited, std::move(then));
    }
  });
  if (!started) co_return failed(started.error());
  Outcome outcome;
  if (posted.chat.empty()) outcome.go = "/chats/" + id;
  co_return outcome;
}

// The shown path's last turn, for commands about it.
struct LastTurn {
  std::int64_t first_answer = 0;  // 0: there is none
  std::int64_t last_answer = 0;
  std::int64_t leaf = 0;
};

asio::awaitable<Result<LastTurn>> last_turn(Ui& ui, const http::Request& request) {
  Result<WholeConversation> open = co_await open_chat(ui, request);
  if (!open) co_return tl::unexpected<Error>(open.error());
  const Transcript transcript(std::move(open->messages), open->conversation.leaf_id);
  LastTurn last;
  last.leaf = transcript.leaf_id();
  if (transcript.turns().empty() || transcript.turns().back().answers.empty()) co_return last;
  const Turn& turn = transcript.turns().back();
  last.first_answer = turn.answer_id();
  last.last_answer = turn.answers.back()->id;
  co_return last;
}

// /continue and /regenerate.
asio::awaitable<Outcome> answer_again(Ui& ui, const http::Request& request, bool resume) {
  const TurnAsker asker = asker_of(request);
  const SessionId id = parameter(request, "id");
  const Result<std::shared_ptr<TurnService>> turns = turns_of(ui);
  if (!turns) co_return failed(turns.error());
  const Result<LastTurn> last = co_await last_turn(ui, request);
  if (!last) co_return failed(last.error());
  if (last->first_answer == 0) co_return refused("There is no answer yet.");
  TurnService& service = **turns;
  const auto started = co_await ask<TurnService::Started>([&](auto then) {
    if (resume) {
      service.resume(asker, id, last->last_answer, std::move(then));
    } else {
      service.regenerate(asker, id, last->first_answer, std::move(then));
    }
  });
  if (!started) co_return failed(started.error());
  co_return Outcome();
}

asio::awaitable<Outcome> clear_chat(Ui& ui, const http::Request& request) {
  const std::string owner = request.principal;
  const SessionId id = parameter(request, "id");
  const Result<LastTurn> last = co_await last_turn(ui, request);
  if (!last) co_return failed(last.error());
  if (const std::shared_ptr<TurnService> turns = ui.context.turns()) {
    (void)co_await ask<void>([&](auto then) { turns->stop(owner, id, std::move(then)); });
  }
  const Result<void> cleared = co_await ask<void>(
      [&](auto then) { ui.context.store->set_leaf(owner, id, 0, std::move(then)); });
  if (!cleared) co_return failed(cleared.error());
  Outcome outcome;
  outcome.notice = "The messages are removed.";
  if (last->leaf != 0) {
    outcome.undo = "/chats/" + id + "/leaf?message=" + std::to_string(last->leaf);
  }
  outcome.reload_messages = true;
  co_return outcome;
}

asio::awaitable<Outcome> reset_chat(Ui& ui, const http::Request& request) {
  const std::string owner = request.principal;
  const SessionId id = parameter(request, "id");
  const Result<std::shared_ptr<TurnService>> turns = turns_of(ui);
  if (!turns) co_return failed(turns.error());
  TurnService& service = **turns;
  const Result<void> done =
      co_await ask<void>([&](auto then) { service.reset(owner, id, std::move(then)); });
  if (!done) co_return failed(done.error());
  Outcome outcome;
  outcome.notice = "The model has forgotten what was said so far.";
  outcome.reload_messages = true;
  co_return outcome;
}

asio::awaitable<Outcome> set_temperature(Ui& ui, Posted posted, std::string argument) {
  double value = -1;
  const auto [end, error] =
      std::from_chars(argument.data(), argument.data() + argument.size(), value);
  const bool whole = error == std::errc() && end == argument.data() + argument.size();
  if (!whole || !(0 <= value && value <= 2)) {
    co_return refused("/temp takes a number from 0.0 to 2.0, as in: /temp 0.6");
  }
  const Status changed = co_await change_settings(ui, posted, [value](TurnSettings& settings) {
    settings.temperature = static_cast<float>(value);
  });
  if (!changed) co_return failed(changed.error());
  Outcome outcome;
  outcome.notice = "The temperature is " + argument + ".";
  co_return outcome;
}

asio::awaitable<Outcome> set_thinking(Ui& ui, Posted posted, std::string argument) {
  if (!argument.empty() && argument != "on" && argument != "off") {
    co_return refused("/thinking takes on or off, or nothing to change it.");
  }
  const bool thinking = argument.empty() ? !posted.thinking : argument == "on";
  const Status changed = co_await change_settings(
      ui, posted, [thinking](TurnSettings& settings) { settings.thinking = thinking; });
  if (!changed) co_return failed(changed.error());
  Outcome outcome;
  outcome.thinking = thinking;
  outcome.notice =
      thinking ? "The model thinks before it answers." : "The model answers without thinking.";
  co_return outcome;
}

Outcome export_chat(const SessionId& chat, const std::string& argument) {
  const std::string format = argument.empty() ? "md" : argument;
  if (format != "md" && format != "json" && format != "txt") {
    return refused("/export takes md, json or txt.");
  }
  Outcome outcome;
  outcome.download = "/chats/" + chat + "/export." + format;
  return outcome;
}

Outcome set_theme(const std::string& argument) {
  if (!argument.empty() && argument != "light" && argument != "dark") {
    return refused("/theme takes light or dark, or nothing to change it.");
  }
  Outcome outcome;
  outcome.theme = argument.empty() ? "other" : argument;
  return outcome;
}

asio::awaitable<Outcome> run_command(Ui& ui, const http::Request& request, Posted posted,
                                     ParsedCommand parsed) {
  if (parsed.what == ParsedCommand::What::kUnknown) {
    co_return refused("There is no command /" + parsed.name + ". /help lists them all.");
  }
  if (parsed.command->needs_chat && posted.chat.empty()) {
    co_return refused("/" + parsed.name + " is about a chat, and this one has not begun.");
  }
  const std::string query = posted.chat.empty() ? "" : "?chat=" + posted.chat;
  switch (parsed.command->kind) {
    case CommandKind::kClear:
      co_return co_await clear_chat(ui, request);
    case CommandKind::kReset:
      co_return co_await reset_chat(ui, request);
    case CommandKind::kExport:
      co_return export_chat(posted.chat, parsed.argument);
    case CommandKind::kThinking:
      co_return co_await set_thinking(ui, posted, parsed.argument);
    case CommandKind::kTemp:
      co_return co_await set_temperature(ui, posted, parsed.argument);
    case CommandKind::kModel:
      co_return opened("/model");
    case CommandKind::kHelp:
      co_return opened("/help");
    case CommandKind::kStatus:
      co_return opened("/status");
    case CommandKind::kTheme:
      co_return set_theme(parsed.argument);
    case CommandKind::kSettings:
      co_return opened("/settings" + query);
    case CommandKind::kQuote:
      co_return co_await send_text(ui, posted, "/quote", std::string(quoted_text()));
    case CommandKind::kSummarize:
      co_return co_await send_text(ui, posted, kSummaryRequest);
    case CommandKind::kContinue:
      co_return co_await answer_again(ui, request, true);
    case CommandKind::kRegenerate:
      co_return co_await answer_again(ui, request, false);
  }
  co_return refused("There is no such command.");
}

asio::awaitable<void> take_message(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const Form form(request.body);
  Posted posted = posted_by(request);
  posted.text = form.value("text");
  posted.key = form.value("key");
  posted.thinking = form.has("thinking");
  Outcome outcome;
  const ParsedCommand parsed = parse_command(posted.text);
  if (posted.text.find_first_not_of(" \t\r\n") == std::string::npos) {
    outcome = refused("Write something first.");
  } else if (posted.text.size() > kMessageBytesMax) {
    outcome = refused("The message is too long.", 413);
  } else if (parsed.what != ParsedCommand::What::kText) {
    outcome = co_await run_command(ui, request, posted, parsed);
  } else {
    outcome = co_await send_text(ui, posted, posted.text);
  }
  co_await finish(ui, exchange, std::move(outcome), posted);
}

// Runs a turn's action on one message, and answers as the asker likes it.
template <class Act>
asio::awaitable<void> act_on_message(Ui& ui, http::Exchange& exchange, Act act) {
  const http::Request& request = exchange.request();
  const Posted posted = posted_by(request);
  const Result<std::shared_ptr<TurnService>> turns = turns_of(ui);
  Outcome outcome;
  if (!turns) {
    outcome = failed(turns.error());
    co_await finish(ui, exchange, std::move(outcome), posted);
    co_return;
  }
  TurnService& service = **turns;
  const auto started = co_await ask<TurnService::Started>([&](auto then) {
    act(service, {posted.owner, posted.client}, posted.chat, integer_parameter(request, "message"),
        std::move(then));
  });
  if (started && wants_piece(request)) {
    co_await send_nothing(exchange);
    co_return;
  }
  if (!started) outcome = failed(started.error());
  co_await finish(ui, exchange, std::move(outcome), posted);
}

}  // namespace

asio::awaitable<void> post_chats(Ui& ui, http::Exchange& exchange) {
  co_await take_message(ui, exchange);
}

asio::awaitable<void> post_message(Ui& ui, http::Exchange& exchange) {
  co_await take_message(ui, exchange);
}

asio::awaitable<void> post_edit(Ui& ui, http::Exchange& exchange) {
  const std::string text = Form(exchange.request().body).value("text");
  if (text.find_first_not_of(" \t\r\n") == std::string::npos || text.size() > kMessageBytesMax) {
    const Error error{ErrorCode::kInvalidArgument, "A message is not empty, nor too long."};
    co_await send_error(ui, exchange, error);
    co_return;
  }
  // Named, as g++ 12 destroys the captures of a temporary twice.
  const auto act = [&text](TurnService& turns, const TurnAsker& asker, const SessionId& chat,
                           std::int64_t message,
                           auto then) { turns.edit(asker, chat, message, text, std::move(then)); };
  co_await act_on_message(ui, exchange, act);
}

asio::awaitable<void> post_regenerate(Ui& ui, http::Exchange& exchange) {
  co_await act_on_message(
      ui, exchange,
      [](TurnService& turns, const TurnAsker& asker, const SessionId& chat, std::int64_t message,
         auto then) { turns.regenerate(asker, chat, message, std::move(then)); });
}

asio::awaitable<void> post_continue(Ui& ui, http::Exchange& exchange) {
  co_await act_on_message(
      ui, exchange,
      [](TurnService& turns, const TurnAsker& asker, const SessionId& chat, std::int64_t message,
         auto then) { turns.resume(asker, chat, message, std::move(then)); });
}

asio::awaitable<void> post_stop(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const Posted posted = posted_by(request);
  Outcome outcome;
  if (const std::shared_ptr<TurnService> turns = ui.context.turns()) {
    const Result<void> stopped = co_await ask<void>(
        [&](auto then) { turns->stop(posted.owner, posted.chat, std::move(then)); });
    if (!stopped) outcome = failed(stopped.error());
  }
  co_await finish(ui, exchange, std::move(outcome), posted);
}

asio::awaitable<void> post_draft(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string draft = Form(request.body).value("text");
  const std::shared_ptr<TurnService> turns = ui.context.turns();
  if (turns != nullptr && draft.size() <= kMessageBytesMax && !draft.starts_with('/')) {
    turns->warm(asker_of(request), parameter(request, "id"), draft);
  }
  co_await send_nothing(exchange);
}

asio::awaitable<void> post_thinking(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const Posted posted = posted_by(request);
  const bool thinking = Form(request.body).has("thinking");
  const Status changed = co_await change_settings(
      ui, posted, [thinking](TurnSettings& settings) { settings.thinking = thinking; });
  if (!changed) {
    co_await send_error(ui, exchange, changed.error());
    co_return;
  }
  co_await send_nothing(exchange);
}

}  // namespace notso::ui
