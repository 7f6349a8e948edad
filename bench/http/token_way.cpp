// What the server's layers add to a token's way: from the moment the engine's policy takes it to
// the moment a client in another process has read its event. The engine is replaced by a clock that
// hands every running stream a token at a fixed pace; chat service, API and HTTP are the real ones.
//
//   token_way [STREAMS [TOKENS [PACE_MS]]]        (8 200 50)

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "app/server_process.h"
#include "app/stream_clients.h"
#include "ml/smollm3/synth.h"
#include "service/chat/chat_service.h"
#include "web/api/openai_routes.h"
#include "web/http/server.h"

namespace notso {
namespace {

using Clock = std::chrono::steady_clock;

struct Plan {
  int streams = 8;
  int tokens = 200;
  int pace_ms = 50;
};

// When each token left, written by the server and read by the client: [streams][tokens].
struct Departures {
  explicit Departures(const Plan& its_plan) : plan(its_plan) {
    const std::size_t bytes = sizeof(Clock::time_point) * static_cast<std::size_t>(plan.streams) *
                              static_cast<std::size_t>(plan.tokens);
    void* const memory =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    times = static_cast<Clock::time_point*>(memory);
  }
  [[nodiscard]] Clock::time_point& at(int stream, int token) const {
    return times[stream * plan.tokens + token];
  }

  const Plan& plan;
  Clock::time_point* times = nullptr;
};

// Hands each request the same token, one at a tick.
class PacedEngine final : public Engine {
 public:
  PacedEngine(const Departures& departures, std::size_t vocab, std::int32_t token)
      : departures_(departures), sampler_(vocab), logits_(vocab, -30.0F) {
    logits_[static_cast<std::size_t>(token)] = 30.0F;
    thread_ = std::thread([this] { run(); });
  }
  PacedEngine(const PacedEngine&) = delete;
  PacedEngine& operator=(const PacedEngine&) = delete;
  ~PacedEngine() override {
    stop_ = true;
    thread_.join();
  }

  Result<RequestId> submit(EngineRequest request) override {
    const std::lock_guard lock(mutex_);
    arrived_.push_back({static_cast<int>(next_id_), 0, std::move(request)});
    return ++next_id_;
  }
  void cancel(RequestId) override {}
  [[nodiscard]] double expected_wait_s() const override { return 0; }
  [[nodiscard]] EngineStats stats() const override { return {}; }
  void drop_caches() override {}

 private:
  struct Running {
    int stream;
    int sent;
    EngineRequest request;
  };

  void run() {
    auto tick = Clock::now();
    while (!stop_) {
      tick += std::chrono::milliseconds(departures_.plan.pace_ms);
      std::this_thread::sleep_until(tick);
      {
        const std::lock_guard lock(mutex_);
        for (Running& one : arrived_) running_.push_back(std::move(one));
        arrived_.clear();
      }
      std::erase_if(running_, [this](Running& one) { return step(one); });
    }
  }

  // Gives one token; true once the answer is over.
  bool step(Running& one) {
    TokenPolicy& policy = *one.request.policy;
    if (one.stream < departures_.plan.streams && one.sent < departures_.plan.tokens) {
      departures_.at(one.stream, one.sent) = Clock::now();
    }
    ++one.sent;
    const auto token = policy.next(logits_, sampler_);
    if (!token || !policy.accept(*token)) return false;
    RequestReport report;
    report.sampled_tokens = one.sent;
    policy.ended(report);
    return true;
  }

  const Departures& departures_;
  Sampler sampler_;
  std::vector<float> logits_;
  std::mutex mutex_;
  std::vector<Running> arrived_;  // under mutex_
  RequestId next_id_ = 0;         // under mutex_
  std::vector<Running> running_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

double quantile(std::vector<double>& values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The client process: reads all streams and prints how long their tokens were on the way.
int read_streams(const Plan& plan, const Departures& departures, int port) {
  StreamClients clients(port, true);
  const std::string body =
      R"({"messages":[{"role":"user","content":"Hi"}],"stream":true,"temperature":0,)"
      R"("max_tokens":)" +
      std::to_string(plan.tokens) + "}";
  for (int i = 0; i < plan.streams; ++i) {
    clients.add(request_text(port, "POST", "/v1/chat/completions", body));
    // One after the other, so that they are numbered in this order.
    clients.run(std::chrono::milliseconds(20));
  }
  if (!clients.run(std::chrono::milliseconds(plan.tokens * plan.pace_ms + 30'000))) return 1;
  std::vector<double> ways_ms;
  for (int i = 0; i < plan.streams; ++i) {
    const ClientRecord& record = clients.records()[static_cast<std::size_t>(i)];
    const auto wanted = static_cast<std::size_t>(plan.tokens) + 3;  // role, end, [DONE]
    if (record.events.size() != wanted) {
      std::fprintf(stderr, "token_way: a stream of %zu events, not %zu\n", record.events.size(),
                   wanted);
      return 1;
    }
    for (int k = 0; k < plan.tokens; ++k) {
      const auto way = record.events[static_cast<std::size_t>(k) + 1] - departures.at(i, k);
      ways_ms.push_back(std::chrono::duration<double, std::milli>(way).count());
    }
  }
  std::printf(
      "%d streams, a token every %d ms each: on the way %.3f ms (p50) %.3f (p95) %.3f (p99)\n",
      plan.streams, plan.pace_ms, quantile(ways_ms, 0.5), quantile(ways_ms, 0.95),
      quantile(ways_ms, 0.99));
  std::fflush(stdout);
  return 0;
}

Status measure(const Plan& plan, const std::string& folder) {
  const std::string path = folder + "/tiny.gguf";
  if (auto written = write_synthetic_model(path, {}, {}); !written) return written;
  auto file = GgufFile::open(path);
  if (!file) return pass_on(file);
  auto tokenizer = Tokenizer::from_gguf(**file);
  if (!tokenizer) return pass_on(tokenizer);
  auto prompts = PromptBuilder::from_gguf(**file, *tokenizer);
  if (!prompts) return pass_on(prompts);
  const Departures departures(plan);
  const auto vocab = static_cast<std::size_t>((*tokenizer)->vocab_size());
  PacedEngine engine(departures, vocab, (*tokenizer)->encode("a").front());
  ChatModelInfo info;
  info.name = "paced";
  info.context = 1 << 20;
  const api::ApiContext context =
      api::context_of(std::make_shared<ChatService>(engine, *tokenizer, *prompts, info, vocab));
  http::Router router;
  api::add_openai_routes(router, context);
  http::ServerOptions options;
  options.port = 0;
  auto server = http::Server::start(options, std::move(router), {});
  if (!server) return pass_on(server);
  const auto begun = Clock::now();
  const double cpu_before = cpu_seconds();
  const pid_t client = fork();
  if (client == 0) _exit(read_streams(plan, departures, (*server)->port()));
  int status = 0;
  waitpid(client, &status, 0);
  const std::chrono::duration<double> took = Clock::now() - begun;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return fail(ErrorCode::kInternal, "the client failed");
  }
  std::printf("processor time of the server: %.2f%% of one core\n",
              (cpu_seconds() - cpu_before) / took.count() * 100);
  return {};
}

int run(int argc, char** argv) {
  Plan plan;
  if (argc > 1) plan.streams = std::atoi(argv[1]);
  if (argc > 2) plan.tokens = std::atoi(argv[2]);
  if (argc > 3) plan.pace_ms = std::atoi(argv[3]);
  std::string folder = (std::filesystem::temp_directory_path() / "token_way_XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  const Status done = measure(plan, folder);
  std::filesystem::remove_all(folder);
  if (!done) std::fprintf(stderr, "token_way: %s\n", done.error().message.c_str());
  return done ? 0 : 1;
}

}  // namespace
}  // namespace notso

int main(int argc, char** argv) { return notso::run(argc, argv); }
