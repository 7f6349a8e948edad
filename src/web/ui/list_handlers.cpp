// The first page and the list of chats.
#include <algorithm>
#include <cstddef>
#include <fmt/format.h>

#include "web/ui/handlers.h"
#include "web/ui/views.h"

namespace notso::ui {

namespace asio = boost::asio;
using jinja::Dict;
using jinja::Value;

namespace {

// As rename.html says.
constexpr std::ptrdiff_t kTitleCharactersMax = 200;

// How many characters a text of UTF-8 has.
std::ptrdiff_t characters_of(const std::string& text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; });
}

asio::awaitable<Result<Conversation>> chat_of(Ui& ui, const http::Request& request) {
  const std::string owner = request.principal;
  const SessionId id = parameter(request, "id");
  co_return co_await ask<Conversation>(
      [&](auto then) { ui.context.store->get(owner, id, std::move(then)); });
}

Value notice_value(const std::string& text, const std::string& undo) {
  Dict notice;
  notice.set("text", Value::string(text));
  notice.set("undo", Value::string(undo));
  return Value::dict(std::move(notice));
}

// A chat's row, and its title wherever else the page shows it.
asio::awaitable<void> send_row(Ui& ui, http::Exchange& exchange, const Conversation& chat) {
  const http::Request& request = exchange.request();
  Dict variables = common_variables(ui, request);
  variables.set("row", chat_value(chat.id, chat.title));
  variables.set("current", Value::string(parameter(request, "current")));
  co_await send_page(ui, exchange, "renamed.html", std::move(variables));
}

}  // namespace

asio::awaitable<void> send_home(Ui& ui, http::Exchange& exchange, int status, std::string said,
                                std::string draft) {
  const http::Request& request = exchange.request();
  Dict variables = common_variables(ui, request);
  if (Status list = co_await add_chat_list(ui, request, variables); !list) {
    co_await send_error(ui, exchange, list.error());
    co_return;
  }
  const SessionId deleted = parameter(request, "deleted");
  if (!deleted.empty()) {
    variables.set("notice", notice_value("The chat is deleted.", "/chats/" + deleted + "/restore"));
  }
  const TurnSettings settings = co_await default_settings(ui, request.principal);
  variables.set("settings", settings_value(settings));
  variables.set("composer", composer_value("/chats", said, draft));
  co_await send_page(ui, exchange, "home.html", std::move(variables), status);
}

asio::awaitable<void> get_home(Ui& ui, http::Exchange& exchange) {
  co_await send_home(ui, exchange, 200, "", parameter(exchange.request(), "draft"));
}

asio::awaitable<void> get_chats(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  Dict variables = common_variables(ui, request);
  variables.set("current", Value::string(parameter(request, "current")));
  if (Status list = co_await add_chat_list(ui, request, variables); !list) {
    co_await send_error(ui, exchange, list.error());
    co_return;
  }
  co_await send_page(ui, exchange, "chat_list.html", std::move(variables));
}

asio::awaitable<void> get_row(Ui& ui, http::Exchange& exchange) {
  const Result<Conversation> chat = co_await chat_of(ui, exchange.request());
  if (!chat) {
    co_await send_error(ui, exchange, chat.error());
    co_return;
  }
  co_await send_row(ui, exchange, *chat);
}

asio::awaitable<void> get_rename(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const Result<Conversation> chat = co_await chat_of(ui, request);
  if (!chat) {
    co_await send_error(ui, exchange, chat.error());
    co_return;
  }
  Dict variables = common_variables(ui, request);
  variables.set("row", chat_value(chat->id, chat->title));
  variables.set("current", Value::string(parameter(request, "current")));
  if (wants_piece(request)) {
    co_await send_page(ui, exchange, "rename.html", std::move(variables));
    co_return;
  }
  variables.set("heading", Value::string("Rename"));
  variables.set("body", Value::string("rename.html"));
  (void)co_await add_chat_list(ui, request, variables);
  co_await send_page(ui, exchange, "page.html", std::move(variables));
}

asio::awaitable<void> post_rename(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string owner = request.principal;
  const SessionId id = parameter(request, "id");
  const std::string title = Form(request.body).value("title");
  if (title.find_first_not_of(" \t\r\n") == std::string::npos ||
      characters_of(title) > kTitleCharactersMax) {
    // Named: see http/message.h for what g++ 12 does with an aggregate made in a co_await.
    Error error{ErrorCode::kInvalidArgument,
                fmt::format("A title has 1 to {} characters.", kTitleCharactersMax)};
    co_await send_error(ui, exchange, std::move(error));
    co_return;
  }
  const Result<void> renamed = co_await ask<void>(
      [&](auto then) { ui.context.store->rename(owner, id, title, true, std::move(then)); });
  if (!renamed) {
    co_await send_error(ui, exchange, renamed.error());
  } else if (wants_piece(request)) {
    co_await get_row(ui, exchange);
  } else {
    std::string to = "/chats/" + id;
    co_await redirect(exchange, std::move(to));
  }
}

asio::awaitable<void> post_delete(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string owner = request.principal;
  const SessionId id = parameter(request, "id");
  if (const std::shared_ptr<TurnService> turns = ui.context.turns()) {
    // A chat that is deleted while it is answered has nothing to write any more.
    (void)co_await ask<void>([&](auto then) { turns->stop(owner, id, std::move(then)); });
  }
  const Result<void> deleted = co_await ask<void>(
      [&](auto then) { ui.context.store->set_deleted(owner, id, true, std::move(then)); });
  if (!deleted) {
    co_await send_error(ui, exchange, deleted.error());
    co_return;
  }
  if (!wants_piece(request)) {
    std::string to = "/?deleted=" + id;
    co_await redirect(exchange, std::move(to));
    co_return;
  }
  Dict variables = common_variables(ui, request);
  const std::string current = Form(request.body).value("current");
  variables.set("current", Value::string(current));
  variables.set("notice", notice_value("The chat is deleted.", "/chats/" + id + "/restore"));
  co_await send_page(ui, exchange, "deleted.html", std::move(variables));
}

asio::awaitable<void> post_restore(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string owner = request.principal;
  const SessionId id = parameter(request, "id");
  const Result<void> restored = co_await ask<void>(
      [&](auto then) { ui.context.store->set_deleted(owner, id, false, std::move(then)); });
  if (!restored) {
    co_await send_error(ui, exchange, restored.error());
    co_return;
  }
  if (!wants_piece(request)) {
    std::string to = "/chats/" + id;
    co_await redirect(exchange, std::move(to));
    co_return;
  }
  Dict variables = common_variables(ui, request);
  variables.set("current", Value::string(Form(request.body).value("current")));
  if (Status list = co_await add_chat_list(ui, request, variables); !list) {
    co_await send_error(ui, exchange, list.error());
    co_return;
  }
  co_await send_page(ui, exchange, "restored.html", std::move(variables));
}

}  // namespace notso::ui
