// A chat's page, and the pieces of it that are asked for one by one.
#include <array>
#include <fmt/format.h>
#include <optional>
#include <sys/random.h>

#include "web/ui/export.h"
#include "web/ui/handlers.h"
#include "web/ui/views.h"

namespace notso::ui {

namespace asio = boost::asio;
using jinja::Dict;
using jinja::Value;

namespace {

// A name for a message that a page without scripts will send, so that it is stored once.
std::string random_key() {
  std::array<unsigned char, 16> bytes = {};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  std::string key;
  for (const unsigned char byte : bytes) key += fmt::format("{:02x}", byte);
  return key;
}

asio::awaitable<void> send_missing(Ui& ui, http::Exchange& exchange) {
  const Error error{ErrorCode::kNotFound, "There is no such message."};
  co_await send_error(ui, exchange, error);
}

// The chat that is asked for; none: the reason is sent.
asio::awaitable<std::optional<WholeConversation>> chat_or_error(Ui& ui, http::Exchange& exchange) {
  Result<WholeConversation> open = co_await open_chat(ui, exchange.request());
  if (open) co_return std::move(*open);
  co_await send_error(ui, exchange, open.error());
  co_return std::nullopt;
}

// The branches stay as they are while an answer is written: what is shown is what can be stopped.
Error answering_error() {
  return Error{ErrorCode::kUnavailable,
               "An answer is being written: wait for it or stop it, then choose again."};
}

// The turns of a piece: those before one, or the newest with all that the page has already.
Window window_for_piece(const http::Request& request, const Transcript& transcript) {
  const std::int64_t before = integer_parameter(request, "before");
  if (before != 0) return window_of(transcript, before);
  std::int64_t first = integer_parameter(request, "first");
  if (first == 0) first = Form(request.body).integer("first").value_or(0);
  return window_from(transcript, first);
}

// The turns of a whole page: the newest, those before one, or those from one on.
Window window_for_page(const http::Request& request, const Transcript& transcript) {
  const std::int64_t at = integer_parameter(request, "at");
  Window window = window_of(transcript, integer_parameter(request, "before"));
  window.end = transcript.turns().size();
  if (at != 0) {
    const std::vector<Turn>& turns = transcript.turns();
    const Turn* wanted = transcript.turn_of(at);
    const auto index =
        wanted == nullptr ? turns.size() : static_cast<std::size_t>(wanted - turns.data());
    window.begin = std::min(window.begin, index);
  }
  return window;
}

}  // namespace

asio::awaitable<Result<WholeConversation>> open_chat(Ui& ui, const http::Request& request) {
  auto open = co_await ask<WholeConversation>([&](auto then) {
    ui.context.store->get_whole(request.principal, parameter(request, "id"), std::move(then));
  });
  if (open && open->conversation.deleted_ms != 0) {
    co_return fail(ErrorCode::kNotFound, "the chat is deleted");
  }
  co_return open;
}

jinja::Value composer_value(const std::string& url, const std::string& said,
                            const std::string& draft) {
  Dict entries;
  entries.set("url", Value::string(url));
  entries.set("key", Value::string(random_key()));
  entries.set("said", Value::string(said));
  entries.set("draft", Value::string(draft));
  return Value::dict(std::move(entries));
}

asio::awaitable<void> send_chat(Ui& ui, http::Exchange& exchange, int status, std::string said,
                                std::string draft) {
  const http::Request& request = exchange.request();
  Result<WholeConversation> open = co_await open_chat(ui, request);
  Dict variables = common_variables(ui, request);
  if (open) variables.set("current", Value::string(open->conversation.id));
  Status list = co_await add_chat_list(ui, request, variables);
  if (!open) list = tl::unexpected<Error>(open.error());
  if (!list) {
    co_await send_error(ui, exchange, list.error());
    co_return;
  }
  // A hit of the search may be in a branch that is not shown.
  std::int64_t leaf = open->conversation.leaf_id;
  Transcript transcript(std::move(open->messages), leaf);
  const std::int64_t at = integer_parameter(request, "at");
  if (at != 0 && transcript.find(at) != nullptr && !transcript.on_path(at)) {
    if (is_answering(ui, open->conversation.id)) {
      Error error = answering_error();
      co_await send_error(ui, exchange, std::move(error));
      co_return;
    }
    leaf = transcript.newest_leaf(at);
    const std::string owner = request.principal;
    (void)co_await ask<void>([&](auto then) {
      ui.context.store->set_leaf(owner, open->conversation.id, leaf, std::move(then));
    });
    std::string to = fmt::format("/chats/{}?at={}#m-{}", open->conversation.id, at, at);
    co_await redirect(exchange, std::move(to));
    co_return;
  }
  TurnLook options;
  options.editing = integer_parameter(request, "edit");
  variables.set("chat", chat_value(open->conversation.id, open->conversation.title));
  set_turns(variables, open->conversation.id, transcript, window_for_page(request, transcript),
            options);
  variables.set("settings", settings_value(settings_of(open->conversation)));
  variables.set("composer",
                composer_value("/chats/" + open->conversation.id + "/messages", said, draft));
  co_await send_page(ui, exchange, "chat.html", std::move(variables), status);
}

asio::awaitable<void> get_chat(Ui& ui, http::Exchange& exchange) {
  co_await send_chat(ui, exchange, 200, "", parameter(exchange.request(), "draft"));
}

asio::awaitable<void> get_messages(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  std::optional<WholeConversation> open = co_await chat_or_error(ui, exchange);
  if (!open) co_return;
  const Transcript transcript(std::move(open->messages), open->conversation.leaf_id);
  Dict variables = common_variables(ui, request);
  variables.set("chat", chat_value(open->conversation.id, open->conversation.title));
  set_turns(variables, open->conversation.id, transcript, window_for_piece(request, transcript),
            {});
  co_await send_page(ui, exchange, "messages.html", std::move(variables));
}

asio::awaitable<void> get_turn(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  std::optional<WholeConversation> open = co_await chat_or_error(ui, exchange);
  if (!open) co_return;
  const Transcript transcript(std::move(open->messages), open->conversation.leaf_id);
  const Turn* turn = transcript.turn_of(integer_parameter(request, "message"));
  if (turn == nullptr) {
    co_await send_missing(ui, exchange);
    co_return;
  }
  Dict variables = common_variables(ui, request);
  variables.set("chat", chat_value(open->conversation.id, open->conversation.title));
  const std::unique_ptr<AnswerView> answer = answer_of(open->conversation.id, *turn);
  variables.set("turn", turn_value(transcript, *turn, answer.get(), {}));
  co_await send_page(ui, exchange, "turn.html", std::move(variables));
}

asio::awaitable<void> get_edit(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  std::optional<WholeConversation> open = co_await chat_or_error(ui, exchange);
  if (!open) co_return;
  const Transcript transcript(std::move(open->messages), open->conversation.leaf_id);
  const StoredMessage* message = transcript.find(integer_parameter(request, "message"));
  if (message == nullptr || message->message.role != Role::kUser) {
    co_await send_missing(ui, exchange);
    co_return;
  }
  Dict question;
  question.set("id", Value::integer(message->id));
  question.set("text", Value::string(message->message.content));
  Dict variables = common_variables(ui, request);
  variables.set("chat", chat_value(open->conversation.id, open->conversation.title));
  variables.set("q", Value::dict(std::move(question)));
  co_await send_page(ui, exchange, "edit.html", std::move(variables));
}

asio::awaitable<void> get_text(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  std::optional<WholeConversation> open = co_await chat_or_error(ui, exchange);
  if (!open) co_return;
  const Transcript transcript(std::move(open->messages), open->conversation.leaf_id);
  const Turn* turn = transcript.turn_of(integer_parameter(request, "message"));
  http::Response response;
  response.status = turn == nullptr ? 404 : 200;
  response.headers = {{"Content-Type", "text/plain; charset=utf-8"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Cache-Control", "no-store"}};
  if (turn != nullptr) response.body = answer_text(*turn);
  co_await exchange.respond(std::move(response));
}

asio::awaitable<void> get_context(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string owner = request.principal;
  const SessionId id = parameter(request, "id");
  Result<std::shared_ptr<TurnService>> turns = turns_of(ui);
  if (!turns) {
    co_await send_nothing(exchange);
    co_return;
  }
  const auto use = co_await ask<TurnService::ContextUse>(
      [&](auto then) { (*turns)->context_use(owner, id, std::move(then)); });
  if (!use) {
    co_await send_nothing(exchange);
    co_return;
  }
  Dict variables;
  variables.set("context", context_value(*use));
  co_await send_page(ui, exchange, "context.html", std::move(variables));
}

asio::awaitable<void> get_export(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string owner = request.principal;
  const std::string file = request.path.substr(request.path.rfind('/') + 1);
  std::optional<WholeConversation> open = co_await chat_or_error(ui, exchange);
  if (!open) co_return;
  const std::string title = open->conversation.title;
  const SessionId id = open->conversation.id;
  const Transcript transcript(std::move(open->messages), open->conversation.leaf_id);
  http::Response response;
  std::string type = "text/plain";
  if (file == "export.md") {
    response.body = export_markdown(title, transcript);
    type = "text/markdown";
  } else if (file == "export.txt") {
    response.body = export_text(title, transcript);
  } else if (file == "export.json") {
    auto json = co_await ask<std::string>(
        [&](auto then) { ui.context.store->export_json(owner, id, std::move(then)); });
    if (!json) {
      co_await send_error(ui, exchange, json.error());
      co_return;
    }
    response.body = std::move(*json);
    type = "application/json";
  } else {
    co_await send_missing(ui, exchange);
    co_return;
  }
  response.headers = {
      {"Content-Type", type + "; charset=utf-8"},
      {"Content-Disposition",
       "attachment; filename=\"" + export_name(title, file.substr(file.find('.') + 1)) + "\""},
      {"X-Content-Type-Options", "nosniff"},
      {"Cache-Control", "no-store"}};
  co_await exchange.respond(std::move(response));
}

asio::awaitable<void> post_leaf(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string owner = request.principal;
  std::optional<WholeConversation> open = co_await chat_or_error(ui, exchange);
  if (!open) co_return;
  const SessionId id = open->conversation.id;
  const std::int64_t message = Form(request.body).integer("message").value_or(0);
  const Transcript transcript(std::move(open->messages), open->conversation.leaf_id);
  if (message != 0 && transcript.find(message) == nullptr) {
    co_await send_missing(ui, exchange);
    co_return;
  }
  if (is_answering(ui, id)) {
    Error error = answering_error();
    co_await send_error(ui, exchange, std::move(error));
    co_return;
  }
  const std::int64_t leaf = message == 0 ? 0 : transcript.newest_leaf(message);
  const auto set = co_await ask<void>(
      [&](auto then) { ui.context.store->set_leaf(owner, id, leaf, std::move(then)); });
  if (!set) {
    co_await send_error(ui, exchange, set.error());
  } else if (wants_piece(request)) {
    co_await get_messages(ui, exchange);
  } else {
    std::string to = fmt::format("/chats/{}#m-{}", id, message);
    co_await redirect(exchange, std::move(to));
  }
}

}  // namespace notso::ui
