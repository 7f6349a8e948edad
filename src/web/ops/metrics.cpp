// Prometheus' text, written by its own library's serializer.
#include <limits>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sstream>
#include <vector>

#include "web/ops/ops_status.h"

namespace notso::ops {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// The families so far, with one line for each kind of metric.
class Families {
 public:
  // A count that only rises.
  template <class Number>
  void counter(const char* name, const char* help, Number value, Labels labels = {}) {
    ClientMetric& metric = add(name, help, MetricType::Counter, std::move(labels));
    metric.counter.value = static_cast<double>(value);
  }
  // A value that goes up and down.
  template <class Number>
  void gauge(const char* name, const char* help, Number value, Labels labels = {}) {
    ClientMetric& metric = add(name, help, MetricType::Gauge, std::move(labels));
    metric.gauge.value = static_cast<double>(value);
  }
  void histogram(const char* name, const char* help, const Histogram& values) {
    ClientMetric& metric = add(name, help, MetricType::Histogram, {});
    metric.histogram.sample_count = values.total;
    metric.histogram.sample_sum = values.sum;
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < values.counts.size(); ++i) {
      below += values.counts[i];
      const bool is_last = i == Histogram::kBounds.size();
      metric.histogram.bucket.push_back(
          {below, is_last ? std::numeric_limits<double>::infinity() : Histogram::kBounds[i]});
    }
  }

  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return out.str();
  }

 private:
  // Metrics of one name must follow each other.
  ClientMetric& add(const char* name, const char* help, MetricType type, Labels labels) {
    if (families_.empty() || families_.back().name != name) {
      families_.push_back({name, help, type, {}});
    }
    families_.back().metric.emplace_back().label = std::move(labels);
    return families_.back().metric.back();
  }

  std::vector<MetricFamily> families_;
};

void add_requests(Families& out, const EngineStats& stats) {
  out.counter("notso_requests_submitted_total", "Requests taken into the queue", stats.submitted);
  constexpr const char* kEnds = "notso_requests_ended_total";
  constexpr const char* kEndsHelp = "Requests by how they ended";
  out.counter(kEnds, kEndsHelp, stats.done, {{"end", "done"}});
  out.counter(kEnds, kEndsHelp, stats.cancelled, {{"end", "cancelled"}});
  out.counter(kEnds, kEndsHelp, stats.timed_out, {{"end", "timeout"}});
  out.counter(kEnds, kEndsHelp, stats.failed, {{"end", "failed"}});
  out.counter(kEnds, kEndsHelp, stats.refused, {{"end", "refused"}});
  out.gauge("notso_requests_waiting", "Requests in the queue", stats.waiting);
  out.gauge("notso_requests_running", "Requests that are read or answered", stats.running);
}

void add_tokens(Families& out, const EngineStats& stats) {
  out.counter("notso_prompt_tokens_total", "Tokens of prompts, cached ones included",
              stats.prompt_tokens);
  out.counter("notso_cached_tokens_total", "Tokens of prompts that were found in the cache",
              stats.cached_tokens);
  out.counter("notso_generated_tokens_total", "Tokens of answers", stats.sampled_tokens);
  out.counter("notso_draft_tokens_total", "Tokens guessed ahead", stats.draft_tokens);
  out.counter("notso_draft_accepted_tokens_total", "Tokens guessed ahead that were right",
              stats.accepted_tokens);
}

void add_engine(Families& out, const EngineStats& stats) {
  add_requests(out, stats);
  add_tokens(out, stats);
  out.counter("notso_steps_total", "Steps of the model", stats.steps);
  out.counter("notso_step_rows_total", "Rows in all steps", stats.step_rows);
  out.counter("notso_busy_seconds_total", "Time spent in steps", stats.busy_s);
  out.gauge("notso_kv_page_bytes", "Bytes of one page of keys and values", stats.page_bytes);
  out.gauge("notso_kv_pages_max", "Pages that the budget allows", stats.pages_max);
  constexpr const char* kPages = "notso_kv_pages";
  constexpr const char* kPagesHelp = "Pages in use by running requests, and kept for their prefix";
  out.gauge(kPages, kPagesHelp, stats.pages_used, {{"state", "used"}});
  out.gauge(kPages, kPagesHelp, stats.pages_cached, {{"state", "cached"}});
  out.counter("notso_kv_pages_evicted_total", "Cached pages given up", stats.pages_evicted);
  out.counter("notso_kv_pages_stored_total", "Pages written to disk", stats.pages_stored);
  out.counter("notso_kv_pages_restored_total", "Pages read back from disk", stats.pages_restored);
  out.histogram("notso_queue_seconds", "From submit to the first step", stats.queue_s);
  out.histogram("notso_first_token_seconds", "From submit to the first token", stats.first_token_s);
  out.histogram("notso_between_tokens_seconds", "Between two tokens of an answer",
                stats.between_tokens_s);
  out.histogram("notso_step_seconds", "Of one step", stats.step_s);
}

void add_http(Families& out, const OpsStatus& status) {
  if (status.server) {
    const http::ServerStats& stats = *status.server;
    out.counter("notso_http_connections_total", "Connections taken", stats.accepted);
    out.counter("notso_http_connections_refused_total", "Connections over the limit",
                stats.refused);
    out.counter("notso_http_connections_reaped_total", "Connections cut for being too slow",
                stats.reaped);
    out.gauge("notso_http_connections", "Connections that are open", stats.open);
    out.gauge("notso_http_streams", "Answers that are being streamed", stats.streams);
  }
  for (const RequestCounts::Row& row : status.requests.rows) {
    out.counter("notso_http_requests_total", "Answered requests", row.count,
                {{"method", row.method},
                 {"route", row.route},
                 {"status", row.status == 0 ? "gone" : std::to_string(row.status)}});
  }
  out.counter("notso_http_received_bytes_total", "Bytes of requests", status.requests.bytes_in);
  out.counter("notso_http_sent_bytes_total", "Bytes of answers", status.requests.bytes_out);
  out.histogram("notso_http_request_seconds", "From a request's head to its answer's end",
                status.requests.seconds);
}

void add_process(Families& out, const ProcessFacts& facts) {
  out.counter("process_cpu_seconds_total", "Processor time of the process", facts.cpu_s);
  out.gauge("process_resident_memory_bytes", "Memory of the process", facts.resident_bytes);
  out.gauge("process_virtual_memory_bytes", "Addresses of the process", facts.virtual_bytes);
  out.gauge("process_open_fds", "Open files", facts.open_files);
  out.gauge("process_max_fds", "Most open files", facts.open_files_max);
  out.gauge("process_threads", "Threads", facts.threads);
  out.gauge("process_start_time_seconds", "When the process started, since 1970",
            facts.start_unix_s);
}

}  // namespace

std::string prometheus_text(const OpsStatus& status) {
  Families out;
  out.gauge("notso_build_info", "The version, as a label", 1, {{"version", status.version}});
  out.gauge("notso_ready", "Whether requests are answered", status.readiness.ready ? 1 : 0);
  out.gauge("notso_store_healthy", "Whether conversations can be written", status.store ? 1 : 0);
  out.counter("notso_log_lines_dropped_total", "Lines of the log that its sink was too slow for",
              status.log_lines_dropped);
  if (status.engine) add_engine(out, *status.engine);
  add_http(out, status);
  add_process(out, status.process);
  return out.text();
}

}  // namespace notso::ops
