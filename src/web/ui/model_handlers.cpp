// Models in the page: the panel's list, the banner above the input, and what their buttons do. A
// button posts a form; with scripts it gets back the piece that it stands in, without them it is
// sent on to the panel's page. What fails is said in that piece.
#include "web/ui/handlers.h"
#include "web/ui/views.h"

namespace notso::ui {

namespace asio = boost::asio;
using jinja::Dict;
using jinja::Value;

namespace {

// The pieces that show models, and so may hold their buttons.
constexpr const char* kBanner = "banner";

asio::awaitable<void> send_models(Ui& ui, http::Exchange& exchange, std::string at,
                                  std::string said) {
  Dict variables = common_variables(ui, exchange.request());
  variables.set("said", Value::string(said));
  // The badge changes with the model; it comes along.
  variables.set("with_badge", Value::boolean(true));
  co_await send_page(ui, exchange, at == kBanner ? "banner.html" : "models.html",
                     std::move(variables));
}

asio::awaitable<void> send_model_panel(Ui& ui, http::Exchange& exchange, std::string said,
                                       int status) {
  Dict variables = common_variables(ui, exchange.request());
  variables.set("panel_title", Value::string("Model"));
  variables.set("facts", facts_value(ui.context.model_facts()));
  variables.set("with_models", Value::boolean(true));
  variables.set("said", Value::string(said));
  co_await send_panel(ui, exchange, "model.html", "Model", std::move(variables), status);
}

// Does what a button asks for, and answers.
asio::awaitable<void> change(Ui& ui, http::Exchange& exchange,
                             std::function<Status(const std::string& name)> action) {
  const http::Request& request = exchange.request();
  const Form form(request.body);
  Status done;
  if (ui.context.models.models().may_change) {
    done = action(form.value("name"));
  } else {
    done = fail(ErrorCode::kInvalidArgument,
                "This server lets nobody change its models from the page.");
  }
  std::string said = done ? "" : done.error().message;
  if (wants_piece(request)) {
    co_await send_models(ui, exchange, form.value("at"), std::move(said));
  } else if (done) {
    std::string to = "/model";
    co_await redirect(exchange, std::move(to));
  } else {
    co_await send_model_panel(ui, exchange, std::move(said), status_of(done.error().code));
  }
}

}  // namespace

asio::awaitable<void> get_model(Ui& ui, http::Exchange& exchange) {
  std::string nothing;
  co_await send_model_panel(ui, exchange, std::move(nothing), 200);
}

asio::awaitable<void> get_model_banner(Ui& ui, http::Exchange& exchange) {
  std::string at = kBanner;
  std::string nothing;
  co_await send_models(ui, exchange, std::move(at), std::move(nothing));
}

asio::awaitable<void> get_model_list(Ui& ui, http::Exchange& exchange) {
  std::string at = "models";
  std::string nothing;
  co_await send_models(ui, exchange, std::move(at), std::move(nothing));
}

asio::awaitable<void> get_model_progress(Ui& ui, http::Exchange& exchange) {
  Dict variables = common_variables(ui, exchange.request());
  const bool banner = parameter(exchange.request(), "at") == kBanner;
  variables.set("at", Value::string(banner ? kBanner : "models"));
  co_await send_page(ui, exchange, "progress.html", std::move(variables));
}

asio::awaitable<void> post_model_choose(Ui& ui, http::Exchange& exchange) {
  co_await change(ui, exchange, ui.context.models.choose);
}

asio::awaitable<void> post_model_download(Ui& ui, http::Exchange& exchange) {
  co_await change(ui, exchange, ui.context.models.download);
}

asio::awaitable<void> post_model_cancel(Ui& ui, http::Exchange& exchange) {
  std::function<Status(const std::string&)> cancel = [&ui](const std::string& /*name*/) {
    return ui.context.models.cancel();
  };
  co_await change(ui, exchange, std::move(cancel));
}

asio::awaitable<void> post_model_discard(Ui& ui, http::Exchange& exchange) {
  co_await change(ui, exchange, ui.context.models.discard);
}

}  // namespace notso::ui
