// The numbers that go out are the numbers that came in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "web/ops/ops_status.h"

namespace notso::ops {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A status with a different number in every place.
OpsStatus full_status() {
  OpsStatus status;
  status.version = "1.2.3";
  status.readiness = {true, ""};
  EngineStats engine;
  engine.submitted = 101;
  engine.done = 102;
  engine.cancelled = 103;
  engine.timed_out = 104;
  engine.failed = 105;
  engine.refused = 106;
  engine.waiting = 107;
  engine.running = 108;
  engine.prompt_tokens = 12'345'678'901;
  engine.cached_tokens = 110;
  engine.sampled_tokens = 111;
  engine.pages_used = 112;
  engine.pages_cached = 113;
  engine.pages_max = 1000;
  engine.page_bytes = 4096;
  engine.first_token_s.add(0.002);
  engine.first_token_s.add(0.3);
  engine.first_token_s.add(1000);
  status.engine = engine;
  status.server = http::ServerStats{
      .accepted = 201, .refused = 202, .reaped = 203, .open = 204, .streams = 205};
  status.requests.rows = {{"GET", "/v1/models", 200, 301}, {"POST", "none", 0, 302}};
  status.requests.bytes_in = 303;
  status.model = ChatModelInfo{};
  status.model->name = "small \"one\"";
  return status;
}

TEST(Metrics, EveryCountIsThereExactly) {
  const std::string text = prometheus_text(full_status());
  for (const char* line :
       {"notso_build_info{version=\"1.2.3\"} 1\n",
        "notso_ready 1\n",
        "notso_requests_submitted_total 101\n",
        "notso_requests_ended_total{end=\"done\"} 102\n",
        "notso_requests_ended_total{end=\"cancelled\"} 103\n",
        "notso_requests_ended_total{end=\"timeout\"} 104\n",
        "notso_requests_ended_total{end=\"failed\"} 105\n",
        "notso_requests_ended_total{end=\"refused\"} 106\n",
        "notso_requests_waiting 107\n",
        "notso_requests_running 108\n",
        "notso_prompt_tokens_total 12345678901\n",
        "notso_cached_tokens_total 110\n",
        "notso_generated_tokens_total 111\n",
        "notso_kv_pages{state=\"used\"} 112\n",
        "notso_kv_pages{state=\"cached\"} 113\n",
        "notso_http_connections_total 201\n",
        "notso_http_connections_refused_total 202\n",
        "notso_http_connections_reaped_total 203\n",
        "notso_http_connections 204\n",
        "notso_http_streams 205\n",
        "notso_http_requests_total{method=\"GET\",route=\"/v1/models\",status=\"200\"} 301\n",
        "notso_http_requests_total{method=\"POST\",route=\"none\",status=\"gone\"} 302\n",
        "notso_http_received_bytes_total 303\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Metrics, AHistogramCountsUpToItsBounds) {
  const std::string text = prometheus_text(full_status());
  EXPECT_THAT(text, AllOf(HasSubstr("notso_first_token_seconds_count 3\n"),
                          HasSubstr("notso_first_token_seconds_bucket{le=\"0.001\"} 0\n"),
                          HasSubstr("notso_first_token_seconds_bucket{le=\"0.0025\"} 1\n"),
                          HasSubstr("notso_first_token_seconds_bucket{le=\"0.5\"} 2\n"),
                          HasSubstr("notso_first_token_seconds_bucket{le=\"120\"} 2\n"),
                          HasSubstr("notso_first_token_seconds_bucket{le=\"+Inf\"} 3\n")));
}

TEST(Metrics, EachNameIsExplainedOnce) {
  const std::string text = prometheus_text(full_status());
  const std::string line = "# TYPE notso_requests_ended_total counter\n";
  const std::size_t first = text.find(line);
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(text.find(line, first + 1), std::string::npos);
}

TEST(Metrics, WithoutAModelTheServersOwnAreThere) {
  OpsStatus status;
  status.store = fail(ErrorCode::kUnavailable, "disk is full");
  const std::string text = prometheus_text(status);
  EXPECT_THAT(text, AllOf(HasSubstr("notso_ready 0\n"), HasSubstr("notso_store_healthy 0\n"),
                          Not(HasSubstr("notso_steps_total"))));
}

TEST(Metrics, TheProcessesOwnFactsAreRead) {
  const ProcessFacts facts = read_process_facts();
  EXPECT_GT(facts.resident_bytes, 1U << 20U);
  EXPECT_GT(facts.virtual_bytes, facts.resident_bytes);
  EXPECT_GT(facts.start_unix_s, 1e9);
  EXPECT_GE(facts.threads, 1U);
  EXPECT_GE(facts.open_files, 3U);
  EXPECT_GE(facts.open_files_max, facts.open_files);
}

TEST(StatusJson, SaysHowItStands) {
  const std::string text = status_json(full_status());
  EXPECT_THAT(text, AllOf(HasSubstr("\"ready\":true"), HasSubstr("\"reason\":null"),
                          HasSubstr("\"name\":\"small \\\"one\\\"\""),
                          HasSubstr("\"budget_bytes\":4096000"), HasSubstr("\"store\":\"ok\"")));
  OpsStatus bare;
  bare.readiness.reason = "loading";
  EXPECT_EQ(health_json(bare), "{\"live\":true,\"ready\":false,\"reason\":\"loading\"}\n");
  EXPECT_THAT(status_json(bare), AllOf(HasSubstr("\"model\":null"), HasSubstr("\"engine\":null")));
}

TEST(RequestCounts, AreKeptByRouteAndStatus) {
  RequestCounts counts;
  http::AccessRecord record;
  record.method = "GET";
  record.path = "/v1/models/a";
  record.pattern = "/v1/models/{id}";
  record.status = 200;
  record.bytes_in = 10;
  record.bytes_out = 20;
  record.seconds = 0.5;
  counts.add(record);
  record.path = "/v1/models/b";
  counts.add(record);
  record.status = 404;
  counts.add(record);
  const RequestCounts::Snapshot now = counts.snapshot();
  ASSERT_EQ(now.rows.size(), 2U);
  EXPECT_EQ(now.rows[0].count, 2U);
  EXPECT_EQ(now.rows[1].status, 404);
  EXPECT_EQ(now.bytes_in, 30U);
  EXPECT_EQ(now.bytes_out, 60U);
  EXPECT_EQ(now.seconds.total, 3U);
}

TEST(RequestCounts, AClientCannotGrowTheTable) {
  RequestCounts counts;
  http::AccessRecord record;
  record.status = 404;
  for (int i = 0; i < 1000; ++i) {
    record.method = std::to_string(i);
    record.path = std::to_string(i);
    counts.add(record);
  }
  EXPECT_EQ(counts.snapshot().rows.size(), 1U);
}

}  // namespace
}  // namespace notso::ops
