// The panels: settings, status, help; and the theme. Each is a page of its own without
// scripts, and a piece for the dialog with them.
#include <cmath>

#include "web/ui/commands.h"
#include "web/ui/handlers.h"
#include "web/ui/views.h"

namespace notso::ui {

namespace asio = boost::asio;
using jinja::Dict;
using jinja::Value;

namespace {

constexpr std::int64_t kTokensMax = 1'000'000;
constexpr std::size_t kSystemBytesMax = 64'000;

// Reads the form into `settings`; says what is wrong.
std::string read_settings(const Form& form, TurnSettings& settings) {
  const std::optional<double> temperature = form.number("temperature");
  if (!temperature || !(0 <= *temperature && *temperature <= 2)) {
    return "The temperature is a number from 0 to 2.";
  }
  const std::optional<double> top_p = form.number("top_p");
  if (!top_p || !(0 < *top_p && *top_p <= 1)) return "Top p is a number above 0, up to 1.";
  const std::optional<std::int64_t> max_tokens = form.integer("max_tokens");
  if (!max_tokens || !(0 <= *max_tokens && *max_tokens <= kTokensMax)) {
    return "The longest answer is a number of tokens, 0 to 1000000.";
  }
  if (form.value("system").size() > kSystemBytesMax) return "The system prompt is too long.";
  settings.temperature = static_cast<float>(*temperature);
  settings.top_p = static_cast<float>(*top_p);
  settings.max_tokens = static_cast<std::int32_t>(*max_tokens);
  settings.system = form.value("system");
  settings.thinking = form.has("thinking");
  settings.tools = form.has("tools");
  return {};
}

}  // namespace

asio::awaitable<void> send_panel(Ui& ui, http::Exchange& exchange, const char* name,
                                 std::string heading, Dict variables, int status) {
  const http::Request& request = exchange.request();
  if (wants_piece(request)) {
    co_await send_page(ui, exchange, name, std::move(variables), status);
    co_return;
  }
  variables.set("heading", Value::string(heading));
  variables.set("body", Value::string(name));
  (void)co_await add_chat_list(ui, request, variables);
  co_await send_page(ui, exchange, "page.html", std::move(variables), status);
}

asio::awaitable<void> get_settings(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string owner = request.principal;
  const SessionId id = parameter(request, "chat");
  Dict variables = common_variables(ui, request);
  variables.set("signed_in", Value::boolean(!owner.empty()));
  if (id.empty()) {
    const TurnSettings settings = co_await default_settings(ui, owner);
    variables.set("settings", settings_value(settings));
  } else {
    const auto chat = co_await ask<Conversation>(
        [&](auto then) { ui.context.store->get(owner, id, std::move(then)); });
    if (!chat) {
      co_await send_error(ui, exchange, chat.error());
      co_return;
    }
    variables.set("chat", chat_value(chat->id, chat->title));
    variables.set("settings", settings_value(settings_of(*chat)));
    variables.set("back", Value::string("/chats/" + id));
  }
  co_await send_panel(ui, exchange, "settings.html", "Settings", std::move(variables));
}

asio::awaitable<void> post_settings(Ui& ui, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string owner = request.principal;
  const Form form(request.body);
  const SessionId& id = form.value("chat");
  TurnSettings settings;
  const std::string wrong = read_settings(form, settings);
  if (!wrong.empty()) {
    const Error error{ErrorCode::kInvalidArgument, wrong};
    co_await send_error(ui, exchange, error);
    co_return;
  }
  const std::string json = write_turn_settings(settings);
  Result<void> done;
  if (!id.empty()) {
    done = co_await ask<void>(
        [&](auto then) { ui.context.store->set_settings(owner, id, json, std::move(then)); });
  }
  if (done && (id.empty() || form.has("defaults"))) {
    done = co_await ask<void>([&](auto then) {
      ui.context.store->put_value(owner, "ui.settings", json, 0, std::move(then));
    });
  }
  if (!done) {
    co_await send_error(ui, exchange, done.error());
    co_return;
  }
  if (!from_script(request)) {
    std::string to = id.empty() ? "/" : "/chats/" + id;
    co_await redirect(exchange, std::move(to));
    co_return;
  }
  Outcome outcome;
  outcome.notice = "The settings are saved.";
  outcome.thinking = settings.thinking;
  co_await send_outcome(exchange, std::move(outcome));
}

asio::awaitable<void> get_status(Ui& ui, http::Exchange& exchange) {
  Dict variables = common_variables(ui, exchange.request());
  variables.set("panel_title", Value::string("Status"));
  variables.set("facts", facts_value(ui.context.server_facts()));
  co_await send_panel(ui, exchange, "model.html", "Status", std::move(variables));
}

asio::awaitable<void> get_help(Ui& ui, http::Exchange& exchange) {
  co_await send_panel(ui, exchange, "help.html", "Help", common_variables(ui, exchange.request()));
}

asio::awaitable<void> get_badge(Ui& ui, http::Exchange& exchange) {
  co_await send_page(ui, exchange, "badge.html", common_variables(ui, exchange.request()));
}

asio::awaitable<void> post_theme(Ui& /*ui*/, http::Exchange& exchange) {
  const std::string theme = Form(exchange.request().body).value("theme");
  std::vector<http::Field> headers;
  if (theme == "light" || theme == "dark") {
    headers.push_back(
        {"Set-Cookie", "theme=" + theme + "; Path=/; Max-Age=31536000; SameSite=Lax"});
  }
  co_await redirect(exchange, "/", std::move(headers));
}

}  // namespace notso::ui
