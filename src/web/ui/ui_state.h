// What all of the page's handlers share: forms in, pages and small answers out, and waiting for the
// store and the turns.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "service/template/value.h"
#include "web/http/ask.h"
#include "web/http/exchange.h"
#include "web/http/form.h"
#include "web/http/static_files.h"
#include "web/ui/pages.h"
#include "web/ui/ui_routes.h"

namespace notso::ui {

// The page as the server runs it.
struct Ui {
  UiContext context;
  std::shared_ptr<const Pages> pages;
  http::StaticFiles files;
};

using http::ask;
using http::Form;

// Whether htmx asks for a piece of a page, and whether one of our scripts posts.
[[nodiscard]] bool wants_piece(const http::Request& request);
[[nodiscard]] bool from_script(const http::Request& request);

// A path parameter or a query's parameter, "" if there is none.
[[nodiscard]] std::string parameter(const http::Request& request, std::string_view name);
[[nodiscard]] std::int64_t integer_parameter(const http::Request& request, std::string_view name);

// The theme that was chosen: "light", "dark", or "" while none was.
[[nodiscard]] std::string_view theme_of(const http::Request& request);

// What a posted action led to. Scripts get it as JSON, forms are sent on.
struct Outcome {
  int status = 200;
  std::string go;        // the page to go to
  std::string open;      // a panel
  std::string download;  // a file
  std::string notice;    // said in passing
  std::string undo;      // where to post to take it back
  std::string said;      // what is wrong; the input keeps its text
  std::string theme;     // "light", "dark" or "other"
  std::optional<bool> thinking;
  bool reload_messages = false;
};

// An outcome that says what went wrong.
[[nodiscard]] Outcome failed(const Error& error);
[[nodiscard]] int status_of(ErrorCode code);

// Variables that every page has: theme, model, commands.
[[nodiscard]] jinja::Dict common_variables(const Ui& ui, const http::Request& request);

// Adds the list of chats: `groups` and `more`, or `hits` of a search for `query`.
boost::asio::awaitable<Status> add_chat_list(Ui& ui, const http::Request& request,
                                             jinja::Dict& variables);

// Answer with a rendered template, a redirection, an outcome, an error's own page, nothing.
boost::asio::awaitable<void> send_page(Ui& ui, http::Exchange& exchange, std::string name,
                                       jinja::Dict variables, int status = 200);
boost::asio::awaitable<void> redirect(http::Exchange& exchange, std::string to,
                                      std::vector<http::Field> headers = {});
boost::asio::awaitable<void> send_outcome(http::Exchange& exchange, Outcome outcome);
boost::asio::awaitable<void> send_error(Ui& ui, http::Exchange& exchange, Error error);
boost::asio::awaitable<void> send_nothing(http::Exchange& exchange);

// The settings for new chats of an owner, and for one chat.
boost::asio::awaitable<TurnSettings> default_settings(Ui& ui, std::string owner);
[[nodiscard]] TurnSettings settings_of(const Conversation& chat);

// The turns, or why there are none.
[[nodiscard]] Result<std::shared_ptr<TurnService>> turns_of(const Ui& ui);

// Whether an answer of the chat is being written.
[[nodiscard]] bool is_answering(const Ui& ui, const SessionId& chat);

}  // namespace notso::ui
