// The server put together: settings to keys, store, HTTP, model, engine, chat and turns. It is up
// as soon as its port is; models are loaded meanwhile, and may change while it runs.
#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <mutex>
#include <string>

#include "app/server_models.h"
#include "app/settings.h"
#include "base/result.h"
#include "service/access/api_keys.h"
#include "service/access/rate_limit.h"
#include "service/store/session_store.h"
#include "service/turns/turn_service.h"
#include "web/api/api_context.h"
#include "web/http/server.h"
#include "web/ops/ops_status.h"
#include "web/ops/request_counts.h"

namespace notso {

// What the application hears of the model.
struct ServerEvents {
  // Bytes of the weights that are packed; from the loading thread.
  LoadProgress progress;
  // The first model is ready, cannot be, or there is none; once, from the loading thread.
  std::function<void(Status)> loaded;
};

// A running server.
class ServerApp {
 public:
  explicit ServerApp(Settings settings);
  ~ServerApp();
  ServerApp(const ServerApp&) = delete;
  ServerApp& operator=(const ServerApp&) = delete;

  // Reads the keys, opens the store, takes the port, and begins to load the model. Fails in one
  // line. `inherited_socket`: a listening socket from the service manager, -1 if none.
  [[nodiscard]] Status start(int inherited_socket, ServerEvents events);

  [[nodiscard]] std::string url() const { return server_->url(); }
  // One line about the model, its device and its memory, for the log; "" without one.
  [[nodiscard]] std::string model_line() const;

  // Reads keys and certificates again; what fails is logged and stays as it was.
  void reload();

  // No new work; running answers end or are cut at the drain limit; then everything is let go.
  void stop();

 private:
  void begin_turns();
  [[nodiscard]] Status load_keys();
  [[nodiscard]] Status open_store();
  [[nodiscard]] Result<http::Router> make_router();
  [[nodiscard]] http::ServerHooks make_hooks();
  [[nodiscard]] ops::OpsStatus status() const;
  void purge_now_and_then();
  void forget_prefixes();
  void warm_prefixes();

  [[nodiscard]] std::shared_ptr<TurnService> turns();
  [[nodiscard]] ops::Readiness readiness() const;

  Settings settings_;
  KeyRing keys_;
  RateLimiter requests_;
  RateLimiter tokens_;
  ops::RequestCounts counts_;
  boost::asio::thread_pool workers_;
  boost::asio::steady_timer purge_timer_;
  api::ApiContext api_;
  std::unique_ptr<SessionStore> store_;

  mutable std::mutex mutex_;
  std::shared_ptr<TurnService> turns_;  // under mutex_: none until a model has run
  std::atomic<bool> stopping_{false};

  std::unique_ptr<ServerModels> models_;
  std::unique_ptr<http::Server> server_;
  // The same for handlers, which may run before start() has it.
  std::atomic<const http::Server*> running_server_{nullptr};
};

}  // namespace notso
