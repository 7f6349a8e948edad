#include "web/ui/ui_state.h"

#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "web/ui/views.h"

namespace notso::ui {

namespace asio = boost::asio;

namespace {

using jinja::Dict;
using jinja::Value;

constexpr std::int32_t kChatsShown = 60;
constexpr std::int32_t kHitsShown = 40;

// Nothing but what comes from here runs, is drawn or is framed.
constexpr const char* kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

std::vector<http::Field> html_headers() {
  return {{"Content-Type", "text/html; charset=utf-8"},
          {"Content-Security-Policy", kContentSecurityPolicy},
          {"X-Content-Type-Options", "nosniff"},
          {"Referrer-Policy", "same-origin"},
          {"Cache-Control", "no-store"},
          {"Vary", "HX-Request"}};
}

Value starters() {
  struct Starter {
    const char* title;
    const char* text;
  };
  std::vector<Value> rows;
  for (const Starter& starter :
       {Starter{"Explain", "How does a language model choose its next word?"},
        Starter{"Write", "Write a short, friendly note that moves our meeting to Friday."},
        Starter{"Think", "What is 17% of 2,350, and how would I check it in my head?"},
        Starter{"Code", "Write a Python function that merges overlapping intervals."}}) {
    Dict row;
    row.set("title", Value::string(starter.title));
    row.set("text", Value::string(starter.text));
    rows.push_back(Value::dict(std::move(row)));
  }
  return Value::list(std::move(rows));
}

}  // namespace

bool wants_piece(const http::Request& request) { return request.header("HX-Request").has_value(); }

bool from_script(const http::Request& request) { return request.header("X-Notso").has_value(); }

std::string parameter(const http::Request& request, std::string_view name) {
  const std::string_view of_path = request.path_parameter(name);
  if (!of_path.empty()) return std::string(of_path);
  return std::string(request.parameter(name).value_or(""));
}

std::int64_t integer_parameter(const http::Request& request, std::string_view name) {
  return http::parse_integer(parameter(request, name)).value_or(0);
}

std::string_view theme_of(const http::Request& request) {
  const std::string_view theme = http::cookie_value(request.header("Cookie").value_or(""), "theme");
  return theme == "light" || theme == "dark" ? theme : "";
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kUnsupported:
      return 501;
    case ErrorCode::kResourceExhausted:
      return 507;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kDeadlineExceeded:
      return 504;
    case ErrorCode::kCancelled:
      return 499;
    case ErrorCode::kDataLoss:
    case ErrorCode::kInternal:
      return 500;
  }
  return 500;
}

Outcome failed(const Error& error) {
  Outcome outcome;
  outcome.status = status_of(error.code);
  outcome.said = error.message;
  return outcome;
}

jinja::Dict common_variables(const Ui& ui, const http::Request& request) {
  Dict variables;
  variables.set("theme", Value::string(theme_of(request)));
  variables.set("model", model_value(ui.context.model()));
  variables.set("models", models_value(ui.context.models.models()));
  variables.set("commands", commands_value());
  variables.set("starters", starters());
  variables.set("query", Value::string(parameter(request, "q")));
  variables.set("current", Value::string(""));
  variables.set("back", Value::string("/"));
  return variables;
}

asio::awaitable<Status> add_chat_list(Ui& ui, const http::Request& request,
                                      jinja::Dict& variables) {
  const std::string owner = request.principal;
  const std::string query = parameter(request, "q");
  SessionStore& store = *ui.context.store;
  if (query.find_first_not_of(" \t") != std::string::npos) {
    auto hits = co_await ask<std::vector<SearchHit>>(
        [&](auto then) { store.search(owner, query, kHitsShown, std::move(then)); });
    if (!hits) co_return pass_on(hits);
    variables.set("hits", hits_value(*hits));
    co_return Status();
  }
  const std::int64_t before = integer_parameter(request, "before_chat");
  auto chats = co_await ask<std::vector<Conversation>>(
      [&](auto then) { store.list(owner, before, kChatsShown, std::move(then)); });
  if (!chats) co_return pass_on(chats);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  variables.set(
      "groups",
      groups_value(*chats, std::chrono::duration_cast<std::chrono::seconds>(now).count()));
  if (chats->size() == static_cast<std::size_t>(kChatsShown)) {
    variables.set("more", Value::integer(chats->back().updated_ms));
  }
  co_return Status();
}

asio::awaitable<void> send_page(Ui& ui, http::Exchange& exchange, std::string name,
                                jinja::Dict variables, int status) {
  http::Response response;
  Result<std::string> drawn = ui.pages->render(name, variables);
  response.status = drawn ? status : 500;
  response.headers = html_headers();
  response.body = drawn ? std::move(*drawn) : std::string("This page could not be drawn.");
  co_await exchange.respond(std::move(response));
}

asio::awaitable<void> redirect(http::Exchange& exchange, std::string to,
                               std::vector<http::Field> headers) {
  http::Response response;
  response.status = 303;
  response.headers = std::move(headers);
  response.headers.push_back({"Location", std::move(to)});
  response.headers.push_back({"Cache-Control", "no-store"});
  co_await exchange.respond(std::move(response));
}

asio::awaitable<void> send_outcome(http::Exchange& exchange, Outcome outcome) {
  boost::json::object json;
  const auto set = [&](const char* name, const std::string& value) {
    if (!value.empty()) json[name] = value;
  };
  set("go", outcome.go);
  set("open", outcome.open);
  set("download", outcome.download);
  set("notice", outcome.notice);
  set("undo", outcome.undo);
  set("said", outcome.said);
  set("theme", outcome.theme);
  if (outcome.thinking) json["thinking"] = *outcome.thinking;
  if (outcome.reload_messages) json["reload"] = true;
  http::Response response;
  response.status = outcome.status;
  response.headers = {{"Content-Type", "application/json"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Cache-Control", "no-store"}};
  response.body = boost::json::serialize(json);
  co_await exchange.respond(std::move(response));
}

asio::awaitable<void> send_error(Ui& ui, http::Exchange& exchange, Error error) {
  const http::Request& request = exchange.request();
  const int status = status_of(error.code);
  if (from_script(request)) {
    Outcome outcome = failed(error);
    co_await send_outcome(exchange, std::move(outcome));
    co_return;
  }
  // Of a piece that failed nothing is put into the page, which says why in passing.
  if (wants_piece(request)) {
    http::Response response(status,
                            {{"Content-Type", "text/plain; charset=utf-8"},
                             {"X-Content-Type-Options", "nosniff"},
                             {"Cache-Control", "no-store"}},
                            std::move(error.message));
    co_await exchange.respond(std::move(response));
    co_return;
  }
  Dict variables = common_variables(ui, request);
  const bool missing = error.code == ErrorCode::kNotFound;
  variables.set("heading", Value::string(missing ? "There is no such chat" : "That did not work"));
  variables.set("message", Value::string(missing ? "It may have been deleted." : error.message));
  variables.set("body", Value::string("error.html"));
  // The list is a courtesy: where the store is what failed, the page comes without it.
  (void)co_await add_chat_list(ui, request, variables);
  co_await send_page(ui, exchange, "page.html", std::move(variables), status);
}

asio::awaitable<void> send_nothing(http::Exchange& exchange) {
  http::Response response;
  response.status = 204;
  response.headers = {{"Cache-Control", "no-store"}};
  co_await exchange.respond(std::move(response));
}

asio::awaitable<TurnSettings> default_settings(Ui& ui, std::string owner) {
  auto json = co_await ask<std::string>(
      [&](auto then) { ui.context.store->get_value(owner, "ui.settings", std::move(then)); });
  if (!json) co_return TurnSettings();
  co_return parse_turn_settings(*json).value_or(TurnSettings());
}

TurnSettings settings_of(const Conversation& chat) {
  if (chat.settings.empty()) return {};
  return parse_turn_settings(chat.settings).value_or(TurnSettings());
}

Result<std::shared_ptr<TurnService>> turns_of(const Ui& ui) {
  std::shared_ptr<TurnService> turns = ui.context.turns();
  if (turns != nullptr) return turns;
  const UiModel model = ui.context.model();
  return fail(ErrorCode::kUnavailable, model.reason.empty()
                                           ? "The model is still loading; try again in a moment."
                                           : model.reason);
}

bool is_answering(const Ui& ui, const SessionId& chat) {
  const std::shared_ptr<TurnService> turns = ui.context.turns();
  if (turns == nullptr) return false;
  const std::optional<TurnStatus> status = turns->status(chat);
  return status && status->phase != TurnPhase::kDone && status->phase != TurnPhase::kStopped &&
         status->phase != TurnPhase::kFailed;
}

}  // namespace notso::ui
