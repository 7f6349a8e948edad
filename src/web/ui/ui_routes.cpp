#include "web/ui/ui_routes.h"

#include "web/ui/assets.h"
#include "web/ui/handlers.h"

namespace notso::ui {

namespace asio = boost::asio;

namespace {

using PageHandler = asio::awaitable<void> (*)(Ui&, http::Exchange&);

struct Route {
  const char* method;
  const char* pattern;
  PageHandler handler;
};

constexpr Route kRoutes[] = {
    {"GET", "/", get_home},
    {"GET", "/chats", get_chats},
    {"POST", "/chats", post_chats},
    {"GET", "/chats/{id}", get_chat},
    {"GET", "/chats/{id}/row", get_row},
    {"GET", "/chats/{id}/rename", get_rename},
    {"POST", "/chats/{id}/rename", post_rename},
    {"POST", "/chats/{id}/delete", post_delete},
    {"POST", "/chats/{id}/restore", post_restore},
    {"GET", "/chats/{id}/messages", get_messages},
    {"POST", "/chats/{id}/messages", post_message},
    {"GET", "/chats/{id}/messages/{message}", get_turn},
    {"GET", "/chats/{id}/messages/{message}/edit", get_edit},
    {"POST", "/chats/{id}/messages/{message}/edit", post_edit},
    {"GET", "/chats/{id}/messages/{message}/text", get_text},
    {"POST", "/chats/{id}/messages/{message}/regenerate", post_regenerate},
    {"POST", "/chats/{id}/messages/{message}/continue", post_continue},
    {"POST", "/chats/{id}/leaf", post_leaf},
    {"POST", "/chats/{id}/stop", post_stop},
    {"POST", "/chats/{id}/draft", post_draft},
    {"POST", "/chats/{id}/thinking", post_thinking},
    {"GET", "/chats/{id}/context", get_context},
    {"GET", "/chats/{id}/stream", get_stream},
    {"GET", "/chats/{id}/export.md", get_export},
    {"GET", "/chats/{id}/export.txt", get_export},
    {"GET", "/chats/{id}/export.json", get_export},
    {"GET", "/settings", get_settings},
    {"POST", "/settings", post_settings},
    {"GET", "/model", get_model},
    {"GET", "/model/banner", get_model_banner},
    {"GET", "/model/list", get_model_list},
    {"GET", "/model/progress", get_model_progress},
    {"POST", "/model/choose", post_model_choose},
    {"POST", "/model/download", post_model_download},
    {"POST", "/model/cancel", post_model_cancel},
    {"POST", "/model/discard", post_model_discard},
    {"GET", "/status", get_status},
    {"GET", "/help", get_help},
    {"GET", "/badge", get_badge},
    {"POST", "/theme", post_theme},
};

asio::awaitable<void> get_file(Ui& ui, http::Exchange& exchange) {
  http::Response response = ui.files.answer(exchange.request());
  co_await exchange.respond(std::move(response));
}

asio::awaitable<void> get_icon(Ui& /*ui*/, http::Exchange& exchange) {
  std::string to = assets_folder() + "/icon.svg";
  co_await redirect(exchange, std::move(to));
}

void add_files(http::StaticFiles& files) {
  for (const Asset& asset : assets()) {
    http::StaticFile file;
    file.path = assets_folder() + "/" + std::string(asset.path);
    file.content_type = asset.content_type;
    file.bytes = asset.bytes;
    file.gzip = asset.gzip;
    file.hash = kAssetsHash;
    file.immutable = true;
    files.add(std::move(file));
  }
}

void add_route(http::Router& router, const std::shared_ptr<Ui>& ui, const Route& route,
               http::RouteOptions options = {}) {
  router.add(
      route.method, route.pattern,
      [ui, handler = route.handler](http::Exchange& exchange) { return handler(*ui, exchange); },
      options);
}

}  // namespace

Status add_ui_routes(http::Router& router, UiContext context) {
  auto ui = std::make_shared<Ui>();
  ui->context = std::move(context);
  Result<std::shared_ptr<const Pages>> pages = Pages::load();
  if (!pages) return pass_on(pages);
  ui->pages = std::move(*pages);
  add_files(ui->files);
  for (const Route& route : kRoutes) add_route(router, ui, route);
  http::RouteOptions open;
  open.open = true;  // the same for everybody, and a page that asks for a key needs them
  add_route(router, ui, {"GET", "/assets/{path...}", get_file}, open);
  add_route(router, ui, {"GET", "/favicon.ico", get_icon}, open);
  return {};
}

}  // namespace notso::ui
