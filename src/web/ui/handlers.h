// The page's handlers, one a route; ui_routes.cpp says which. Private to the page.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "web/ui/ui_state.h"

namespace notso::ui {

// list_handlers.cpp: the first page, the list of chats, what its rows offer.
boost::asio::awaitable<void> get_home(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_chats(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_row(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_rename(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_rename(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_delete(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_restore(Ui& ui, http::Exchange& exchange);

// model_handlers.cpp: which models there are, which one answers, and downloads.
boost::asio::awaitable<void> get_model(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_model_banner(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_model_list(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_model_progress(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_model_choose(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_model_download(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_model_cancel(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_model_discard(Ui& ui, http::Exchange& exchange);

// panel_handlers.cpp: settings, status, help, theme.
boost::asio::awaitable<void> get_settings(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_settings(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_status(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_help(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_badge(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_theme(Ui& ui, http::Exchange& exchange);

// chat_handlers.cpp: a chat's page and its pieces.
boost::asio::awaitable<void> get_chat(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_messages(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_turn(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_edit(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_text(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_context(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> get_export(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_leaf(Ui& ui, http::Exchange& exchange);

// turn_handlers.cpp: what makes the model work, or stop.
boost::asio::awaitable<void> post_chats(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_message(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_edit(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_regenerate(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_continue(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_stop(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_draft(Ui& ui, http::Exchange& exchange);
boost::asio::awaitable<void> post_thinking(Ui& ui, http::Exchange& exchange);

// stream_handler.cpp: the events of a chat.
boost::asio::awaitable<void> get_stream(Ui& ui, http::Exchange& exchange);

// Sends a panel: a piece for the dialog, or a page of its own.
boost::asio::awaitable<void> send_panel(Ui& ui, http::Exchange& exchange, const char* name,
                                        std::string heading, jinja::Dict variables,
                                        int status = 200);

// The chat that is asked for; one that is deleted is not there.
boost::asio::awaitable<Result<WholeConversation>> open_chat(Ui& ui, const http::Request& request);

// Sends a whole chat's page; `said` and `draft` are of the composer.
boost::asio::awaitable<void> send_chat(Ui& ui, http::Exchange& exchange, int status,
                                       std::string said, std::string draft);
// Sends the first page, likewise.
boost::asio::awaitable<void> send_home(Ui& ui, http::Exchange& exchange, int status,
                                       std::string said, std::string draft);

// `composer` of composer.html.
[[nodiscard]] jinja::Value composer_value(const std::string& url, const std::string& said,
                                          const std::string& draft);

}  // namespace notso::ui
