// Open-loop load on a running server: requests for streams begin at their times whether or not
// earlier ones have ended, as people's do. Prints quantiles of the first event, of the gaps between
// events and of the whole, what was refused, and the server's memory for each stream.
//
//   http_load PORT [STREAMS [RATE [TOKENS [PID]]]]     (1000 streams, 0: all at once, 16 tokens)

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "app/server_process.h"
#include "app/stream_clients.h"

namespace notso {
namespace {

using Clock = std::chrono::steady_clock;

struct Load {
  int port = 0;
  int streams = 1000;
  double rate = 0;  // a second; 0: all at once
  int tokens = 16;
  int process = 0;
};

long resident_kb(int process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6);
  }
  return 0;
}

void print_quantiles(const char* what, std::vector<double>& ms) {
  if (ms.empty()) return;
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double part) {
    return ms[static_cast<std::size_t>(part * static_cast<double>(ms.size() - 1))];
  };
  std::printf("%-16s %9.1f ms (p50) %9.1f (p95) %9.1f (p99) %9.1f (longest)\n", what, at(0.5),
              at(0.95), at(0.99), ms.back());
}

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

void report(const Load& load, const std::vector<ClientRecord>& records) {
  std::vector<double> first;
  std::vector<double> gaps;
  std::vector<double> whole;
  int refused = 0;
  int broken = 0;
  for (const ClientRecord& record : records) {
    if (record.status == 429 && record.retry_after) ++refused;
    if (record.status != 429 && !record.complete) ++broken;
    if (record.status != 200 || record.events.empty()) continue;
    first.push_back(ms_between(record.started, record.events.front()));
    whole.push_back(ms_between(record.started, record.events.back()));
    for (std::size_t i = 1; i < record.events.size(); ++i) {
      gaps.push_back(ms_between(record.events[i - 1], record.events[i]));
    }
  }
  std::printf("%d streams: %zu answered, %d refused with 429, %d broken\n", load.streams,
              whole.size(), refused, broken);
  print_quantiles("first event", first);
  print_quantiles("between events", gaps);
  print_quantiles("whole answer", whole);
}

int run(const Load& load) {
  raise_open_files();
  const long before_kb = load.process > 0 ? resident_kb(load.process) : 0;
  long peak_kb = before_kb;
  const std::string body =
      R"({"messages":[{"role":"user","content":"Hi"}],"stream":true,"max_tokens":)" +
      std::to_string(load.tokens) + "}";
  const std::string request = request_text(load.port, "POST", "/v1/chat/completions", body);
  StreamClients clients(load.port, true);
  const auto begun = Clock::now();
  for (int i = 0; i < load.streams; ++i) {
    if (load.rate > 0) {
      const auto due = begun + std::chrono::duration_cast<Clock::duration>(
                                   std::chrono::duration<double>(i / load.rate));
      clients.push(std::chrono::duration_cast<std::chrono::milliseconds>(due - Clock::now()));
    }
    clients.add(request);
  }
  while (!clients.run(std::chrono::milliseconds(100)) &&
         Clock::now() - begun < std::chrono::minutes(30)) {
    if (load.process > 0) peak_kb = std::max(peak_kb, resident_kb(load.process));
  }
  report(load, clients.records());
  if (load.process > 0) {
    std::printf("memory of the server: %ld MB before, %ld MB at most: %.1f KiB a stream\n",
                before_kb / 1024, peak_kb / 1024,
                static_cast<double>(peak_kb - before_kb) / load.streams);
  }
  return clients.open() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace notso

int main(int argc, char** argv) {
  notso::Load load;
  if (argc < 2) {
    std::fprintf(stderr, "usage: http_load PORT [STREAMS [RATE [TOKENS [PID]]]]\n");
    return 2;
  }
  load.port = std::atoi(argv[1]);
  if (argc > 2) load.streams = std::atoi(argv[2]);
  if (argc > 3) load.rate = std::atof(argv[3]);
  if (argc > 4) load.tokens = std::atoi(argv[4]);
  if (argc > 5) load.process = std::atoi(argv[5]);
  return notso::run(load);
}
