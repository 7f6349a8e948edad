// The server's state as JSON.
#include <boost/json.hpp>

#include "web/ops/ops_status.h"

namespace notso::ops {
namespace {

namespace json = boost::json;

json::object model_object(const ChatModelInfo& info) {
  return {{"name", info.name},
          {"file_bytes", info.file_bytes},
          {"quantisation", info.quantisation},
          {"architecture", info.architecture},
          {"parameters", info.parameters},
          {"context", info.context},
          {"device", info.description}};
}

// The quantiles that people ask for.
json::object histogram_object(const Histogram& values) {
  return {{"count", values.total},
          {"mean", values.total == 0 ? 0.0 : values.sum / static_cast<double>(values.total)},
          {"p50", values.quantile(0.5)},
          {"p95", values.quantile(0.95)},
          {"p99", values.quantile(0.99)}};
}

json::object engine_object(const EngineStats& stats) {
  json::object requests = {{"submitted", stats.submitted}, {"waiting", stats.waiting},
                           {"running", stats.running},     {"done", stats.done},
                           {"cancelled", stats.cancelled}, {"timed_out", stats.timed_out},
                           {"failed", stats.failed},       {"refused", stats.refused}};
  json::object tokens = {{"prompt", stats.prompt_tokens},
                         {"cached", stats.cached_tokens},
                         {"generated", stats.sampled_tokens},
                         {"drafted", stats.draft_tokens},
                         {"draft_accepted", stats.accepted_tokens}};
  json::object memory = {{"page_bytes", stats.page_bytes},
                         {"pages_max", stats.pages_max},
                         {"pages_used", stats.pages_used},
                         {"pages_cached", stats.pages_cached},
                         {"budget_bytes", stats.page_bytes * stats.pages_max}};
  json::object seconds = {{"queue", histogram_object(stats.queue_s)},
                          {"first_token", histogram_object(stats.first_token_s)},
                          {"between_tokens", histogram_object(stats.between_tokens_s)},
                          {"step", histogram_object(stats.step_s)}};
  return {
      {"requests", std::move(requests)}, {"tokens", std::move(tokens)}, {"kv", std::move(memory)},
      {"seconds", std::move(seconds)},   {"steps", stats.steps},        {"busy_s", stats.busy_s}};
}

json::object health_object(const OpsStatus& status) {
  return {{"live", true},
          {"ready", status.readiness.ready},
          {"reason", status.readiness.reason.empty() ? json::value(nullptr)
                                                     : json::value(status.readiness.reason)}};
}

}  // namespace

std::string health_json(const OpsStatus& status) {
  return json::serialize(health_object(status)) + "\n";
}

std::string status_json(const OpsStatus& status) {
  json::object out = health_object(status);
  out["version"] = status.version;
  out["started_unix_s"] = status.process.start_unix_s;
  out["memory_bytes"] = status.process.resident_bytes;
  out["store"] = status.store ? json::value("ok") : json::value(status.store.error().message);
  out["model"] = status.model ? json::value(model_object(*status.model)) : json::value(nullptr);
  out["engine"] = status.engine ? json::value(engine_object(*status.engine)) : json::value(nullptr);
  if (status.server) {
    out["http"] = {{"connections", status.server->open}, {"streams", status.server->streams}};
  }
  return json::serialize(out) + "\n";
}

}  // namespace notso::ops
