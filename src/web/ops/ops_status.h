// How the server stands, gathered from its parts, and as texts: Prometheus' and JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "service/chat/chat_service.h"
#include "service/engine/engine_stats.h"
#include "web/http/server.h"
#include "web/ops/request_counts.h"

namespace notso::ops {

// Whether requests would be answered now.
struct Readiness {
  bool ready = false;
  // Why not ("the model is being loaded: 43%"), or why another model answers than was wanted.
  std::string reason;
};

// What the process uses.
struct ProcessFacts {
  double start_unix_s = 0;
  double cpu_s = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t open_files_max = 0;
  std::uint64_t threads = 0;
};

// One moment. What is not there yet (the model while it loads) is empty.
struct OpsStatus {
  std::string version;
  Readiness readiness;
  Status store;
  std::optional<ChatModelInfo> model;
  std::optional<EngineStats> engine;
  std::optional<http::ServerStats> server;
  RequestCounts::Snapshot requests;
  std::uint64_t log_lines_dropped = 0;
  ProcessFacts process;
};

// Reads what /proc says about this process.
[[nodiscard]] ProcessFacts read_process_facts();

// Prometheus' text format, names notso_*.
[[nodiscard]] std::string prometheus_text(const OpsStatus& status);

// The body of /health: {"live", "ready", "reason"}.
[[nodiscard]] std::string health_json(const OpsStatus& status);

// The body of /api/status: all of it, for people and pages.
[[nodiscard]] std::string status_json(const OpsStatus& status);

}  // namespace notso::ops
