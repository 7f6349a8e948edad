#include "app/server_app.h"

#include <chrono>
#include <ctime>
#include <filesystem>

#include "app/app_paths.h"
#include "app/model_setup.h"
#include "app/page_setup.h"
#include "base/log.h"
#include "service/chat/system_prefix.h"
#include "service/store/sqlite_store.h"
#include "web/api/api_routes.h"
#include "web/http/router.h"
#include "web/ops/gate.h"
#include "web/ops/ops_routes.h"
#include "web/ops/sign_in.h"

namespace notso {
namespace {

constexpr std::size_t kRateClientsMax = 65'536;
constexpr double kTokensBurstSeconds = 60;
constexpr std::chrono::hours kPurgePause{1};
constexpr double kDayMs = 86'400'000;

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

http::ServerOptions server_options(const Settings& settings, int inherited_socket) {
  http::ServerOptions options;
  options.host = settings.host;
  options.port = static_cast<std::uint16_t>(settings.port);
  options.inherited_socket = inherited_socket;
  options.threads = static_cast<int>(settings.http_threads);
  options.limits.body_bytes_max = settings.body_max.bytes;
  options.limits.connections_max = static_cast<std::size_t>(settings.connections_max);
  options.limits.header_time_max = milliseconds(settings.header_seconds_max);
  options.limits.body_time_max = milliseconds(settings.body_seconds_max);
  options.limits.idle_time_max = milliseconds(settings.idle_seconds_max);
  options.limits.write_time_max = milliseconds(settings.write_seconds_max);
  options.limits.drain_time_max = milliseconds(settings.drain_seconds_max);
  options.tls = {settings.tls_certificate, settings.tls_key};
  options.hosts = settings.allowed_hosts;
  options.origins = settings.cors_origins;
  options.proxies = settings.trusted_proxies;
  if (settings.behind_proxy) {
    options.proxies.insert(options.proxies.end(), {"127.0.0.0/8", "::1"});
  }
  return options;
}

void log_access(const http::AccessRecord& record) {
  log_info("request", {{"id", record.id},
                       {"from", record.remote},
                       {"key", record.principal},
                       {"method", record.method},
                       {"path", record.path},
                       {"status", record.status},
                       {"in", record.bytes_in},
                       {"out", record.bytes_out},
                       {"seconds", record.seconds}});
}

}  // namespace

ServerApp::ServerApp(Settings settings)
    : settings_(std::move(settings)),
      requests_({settings_.rate_limit, static_cast<double>(settings_.rate_burst)}, kRateClientsMax),
      tokens_({static_cast<double>(settings_.tokens_per_minute) / kTokensBurstSeconds,
               static_cast<double>(settings_.tokens_per_minute)},
              kRateClientsMax),
      workers_(2),
      purge_timer_(workers_) {}

ServerApp::~ServerApp() { stop(); }

Status ServerApp::start(int inherited_socket, ServerEvents events) {
  if (auto keys = load_keys(); !keys) return keys;
  if (auto opened = open_store(); !opened) return opened;
  Result<std::string> demo = settings_.demo ? demo_model_path() : Result<std::string>("");
  if (!demo) log_warning("there is no demo model", {{"why", demo.error().message}});
  models_ = std::make_unique<ServerModels>(settings_, tokens_, demo.value_or(""), events.progress,
                                           [this] { begin_turns(); });
  auto router = make_router();
  if (!router) return pass_on(router);
  auto server = http::Server::start(server_options(settings_, inherited_socket), std::move(*router),
                                    make_hooks());
  if (!server) return pass_on(server);
  server_ = std::move(*server);
  running_server_ = server_.get();
  purge_now_and_then();
  models_->start([loaded = std::move(events.loaded)](Status status) { loaded(std::move(status)); });
  return {};
}

// Without a setting the server is open until there is a file; one that goes again opens nothing,
// and neither does a folder that cannot be looked into.
Status ServerApp::load_keys() {
  if (!settings_.keys_file.empty()) return keys_.load(settings_.keys_file);
  const std::string path = default_keys_file();
  std::error_code error;
  const bool missing = !std::filesystem::exists(path, error) && !error;
  if (missing && !keys_.closed()) return {};
  return keys_.load(path);
}

Status ServerApp::open_store() {
  SqliteStoreOptions options;
  options.path =
      settings_.sessions_file.empty() ? default_sessions_file() : settings_.sessions_file;
  options.log = [](const std::string& line) { log_warning("store", {{"what", line}}); };
  store_ = open_sqlite_store(std::move(options));
  // The page works without, and says so; the store goes on trying.
  if (const Status health = store_->health(); !health) {
    log_error("conversations cannot be kept", {{"why", health.error().message}});
  }
  return {};
}

// Answers that a crash cut off are taken up by the model that gave them, so not before one runs.
void ServerApp::begin_turns() {
  if (turns()) return;
  TurnOptions options;
  options.share_prefixes = settings_.share_prefixes;
  std::shared_ptr<TurnService> turns = TurnService::make(
      [this]() -> Result<std::shared_ptr<ChatService>> {
        auto served = models_->chosen();
        if (!served) return pass_on(served);
        ChatService* const chat = (*served)->chat.get();
        return std::shared_ptr<ChatService>(std::move(*served), chat);
      },
      *store_, options);
  turns->recover();
  const std::lock_guard lock(mutex_);
  if (!stopping_ && !turns_) turns_ = std::move(turns);
}

Result<http::Router> ServerApp::make_router() {
  api_.model = [this](const std::string& name, const api::TakeModel& take) {
    models_->find(name, take);
  };
  api_.models = [this] { return models_->listed(); };
  api_.workers = workers_.get_executor();
  api_.store = store_.get();
  api_.shared_prefixes = settings_.share_prefixes;
  http::Router router;
  ops::add_ops_routes(router, [this] { return status(); });
  ops::add_sign_in_routes(router, keys_);
  api::add_api_routes(router, api_);
  auto page = page_context(
      *store_, *models_, [this] { return status(); }, [this] { return turns(); });
  if (auto added = ui::add_ui_routes(router, std::move(page)); !added) return pass_on(added);
  return router;
}

http::ServerHooks ServerApp::make_hooks() {
  http::ServerHooks hooks;
  hooks.gate = ops::make_gate({keys_, requests_, tokens_, api::api_server_error, ops::kSignInPath});
  hooks.error = api::api_server_error;
  hooks.access = [this](const http::AccessRecord& record) {
    counts_.add(record);
    if (settings_.log_access) log_access(record);
    if (!record.failure.empty()) {
      log_error("a handler failed", {{"id", record.id}, {"why", record.failure}});
    }
  };
  return hooks;
}

ops::OpsStatus ServerApp::status() const {
  ops::OpsStatus status;
  status.version = NOTSO_VERSION;
  status.readiness = readiness();
  status.store = store_->health();
  if (const auto served = models_->peek()) {
    status.model = served->chat->info();
    status.engine = served->engine->stats();
  }
  if (const http::Server* const server = running_server_) status.server = server->stats();
  status.requests = counts_.snapshot();
  status.log_lines_dropped = log_lines_dropped();
  status.process = ops::read_process_facts();
  return status;
}

ops::Readiness ServerApp::readiness() const {
  if (stopping_) return {false, "the server is stopping"};
  return models_->readiness();
}

std::shared_ptr<TurnService> ServerApp::turns() {
  const std::lock_guard lock(mutex_);
  return turns_;
}

std::string ServerApp::model_line() const {
  const auto served = models_->peek();
  if (!served) return "";
  const EngineStats stats = served->engine->stats();
  const ChatModelInfo& info = served->chat->info();
  return info.name + " (" + info.quantisation + ") on " + info.description + ", context " +
         std::to_string(info.context) + " tokens, " +
         std::to_string((stats.page_bytes * stats.pages_max) >> 20U) +
         " MiB for keys and values (" +
         std::to_string(stats.pages_max * static_cast<std::size_t>(kKvPageTokens)) + " tokens)";
}

void ServerApp::reload() {
  if (const Status keys = load_keys(); !keys) {
    log_error("the API keys stay as they were", {{"why", keys.error().message}});
  } else if (keys_.closed()) {
    log_info("API keys read again", {{"keys", keys_.size()}});
  } else {
    log_info("there is no keys file, so no key is asked for", {{"file", default_keys_file()}});
  }
  if (settings_.tls_certificate.empty()) return;
  if (const Status tls = server_->reload_tls(); !tls) {
    log_error("the certificate stays as it was", {{"why", tls.error().message}});
  } else {
    log_info("certificate read again");
  }
}

// The date in the system prompt changes while the server runs; doing this with every purge costs
// nothing when it has not.
void ServerApp::warm_prefixes() {
  const auto served = models_->peek();
  if (!served || !settings_.prefix_cache || !settings_.share_prefixes) return;
  if (const Status warmed = warm_system_prefixes(*served->chat); !warmed) {
    log_warning("the system prompt is not read ahead", {{"why", warmed.error().message}});
  }
}

// What was said in a conversation is in the cache as well, and with it on disk.
void ServerApp::forget_prefixes() {
  const auto served = models_->peek();
  if (!served) return;
  served->engine->drop_caches();
  warm_prefixes();
}

void ServerApp::purge_now_and_then() {
  const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  const auto days_ago = [&](double days) {
    return now_ms - static_cast<std::int64_t>(days * kDayMs);
  };
  store_->purge(days_ago(settings_.deleted_days_max),
                settings_.idle_days_max > 0 ? days_ago(settings_.idle_days_max) : 0,
                [this](Result<std::int64_t> gone) {
                  if (!gone || *gone == 0) return;
                  log_info("old conversations removed", {{"count", *gone}});
                  forget_prefixes();
                });
  purge_timer_.expires_after(kPurgePause);
  purge_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopping_) return;
    purge_now_and_then();
    warm_prefixes();
  });
}

void ServerApp::stop() {
  if (stopping_.exchange(true)) return;
  if (server_) server_->stop();
  if (const auto running = turns()) running->shut_down();
  boost::asio::post(workers_, [this] { purge_timer_.cancel(); });
  workers_.join();
  {
    const std::lock_guard lock(mutex_);
    turns_.reset();
  }
  // Loading cannot be stopped half-way; who does not want to wait sends a second signal.
  if (models_) models_->stop();
  store_.reset();
}

}  // namespace notso
