// What all connections of one server share. Internal to web/http.
#pragma once

#include <atomic>
#include <boost/asio/ssl/context.hpp>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "web/http/networks.h"
#include "web/http/router.h"
#include "web/http/server.h"
#include "web/http/site.h"

namespace notso::http {

class Connection;

// Constant once the server runs, but for what is atomic or under the mutex.
struct ServerState {
  ServerOptions options;
  Router router;
  ServerHooks hooks;
  Site site;
  Networks proxies;
  std::string id_prefix;  // of request ids: differs from start to start

  std::atomic<bool> draining{false};
  std::atomic<std::uint64_t> next_id{1};
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> reaped{0};
  std::atomic<std::int64_t> streams{0};

  std::mutex mutex;
  std::condition_variable changed;  // a connection has gone
  std::unordered_map<const Connection*, std::weak_ptr<Connection>> connections;
  std::shared_ptr<boost::asio::ssl::context> tls;  // null: plain HTTP
};

}  // namespace notso::http
