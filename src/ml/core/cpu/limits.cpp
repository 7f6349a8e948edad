#include "ml/core/cpu/limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <sys/mman.h>
#include <thread>

#include "ml/core/cpu/limits_probes.h"

namespace notso {
namespace {

constexpr std::size_t kReadBytes = 1U << 30;
constexpr std::size_t kQuickReadBytes = 1U << 28;  // still more than caches hold
constexpr int kRepetitions = 5;

Probes probes_for(std::string_view table) {
#if defined(NOTSO_AVX512)
  if (table == "avx512bf16") {
    return {kAvx512Probes.read, kAvx512Probes.int8, probe_avx512_bf16, kAvx512Probes.f32};
  }
  if (table == "avx512") return kAvx512Probes;
#endif
#if defined(NOTSO_AVX2)
  if (table == "avx2") return kAvx2Probes;
#endif
#if defined(NOTSO_NEON)
  if (table == "neon-i8mm") return {kNeonProbes.read, probe_neon_i8mm, nullptr, kNeonProbes.f32};
  if (table == "neon") return kNeonProbes;
#endif
  static_cast<void>(table);
  return kScalarProbes;
}

// Seconds from when all threads are ready until the last is done.
double timed(int threads, const std::function<void(int)>& body) {
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> team;
  team.reserve(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) {
    team.emplace_back([&, i] {
      ready.fetch_add(1);
      while (!go.load()) std::this_thread::yield();
      body(i);
    });
  }
  while (ready.load() < threads) std::this_thread::yield();
  const auto start = std::chrono::steady_clock::now();
  go.store(true);
  for (auto& thread : team) thread.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class Mapping {
 public:
  explicit Mapping(std::size_t bytes)
      : bytes_(bytes),
        data_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (data_ != MAP_FAILED) ::madvise(data_, bytes, MADV_HUGEPAGE);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (data_ != MAP_FAILED) ::munmap(data_, bytes_);
  }
  [[nodiscard]] std::byte* data() const {
    return data_ == MAP_FAILED ? nullptr : static_cast<std::byte*>(data_);
  }

 private:
  std::size_t bytes_;
  void* data_;
};

void touch_all(const Mapping& memory, std::size_t bytes, int threads) {
  timed(threads, [&](int thread) {
    const std::size_t share = bytes / static_cast<std::size_t>(threads);
    for (std::size_t at = 0; at < share; at += 4096) {
      memory.data()[static_cast<std::size_t>(thread) * share + at] = std::byte{1};
    }
  });
}

double read_rate(ReadProbe probe, const std::byte* data, std::size_t bytes, int threads) {
  const std::size_t share = bytes / static_cast<std::size_t>(threads) / 4096 * 4096;
  std::atomic<std::uint64_t> sink{0};
  double best = 0;
  for (int i = 0; i < kRepetitions; ++i) {
    const double seconds = timed(threads, [&](int thread) {
      sink += probe(data + static_cast<std::size_t>(thread) * share, share);
    });
    best = std::max(best, static_cast<double>(share) * threads / seconds);
  }
  return best;
}

double mac_rate(MacProbe probe, int threads) {
  if (probe == nullptr) return 0;
  constexpr std::int64_t kIterations = 8'000'000;
  std::vector<std::int64_t> sinks(static_cast<std::size_t>(threads));
  double best = 0;
  for (int i = 0; i < kRepetitions; ++i) {
    double macs = 0;
    const double seconds = timed(threads, [&](int thread) {
      volatile std::int64_t sink = 0;
      const double done = probe(kIterations, &sink);
      sinks[static_cast<std::size_t>(thread)] = sink;
      if (thread == 0) macs = done;
    });
    best = std::max(best, macs * threads / seconds);
  }
  return best;
}

}  // namespace

Result<double> measure_read_rate(std::string_view table, int threads) {
  const Mapping memory(kQuickReadBytes);
  if (memory.data() == nullptr) {
    return fail(ErrorCode::kResourceExhausted, "measuring memory needs 256 MiB of it free");
  }
  touch_all(memory, kQuickReadBytes, threads);
  return read_rate(probes_for(table).read, memory.data(), kQuickReadBytes, threads);
}

Result<MachineLimits> measure_limits(std::string_view table, int threads,
                                     const std::function<void(double)>& progress) {
  const Probes probes = probes_for(table);
  const Mapping memory(kReadBytes);
  if (memory.data() == nullptr) {
    return fail(ErrorCode::kResourceExhausted, "measuring the machine needs 1 GiB of free memory");
  }
  touch_all(memory, kReadBytes, threads);
  MachineLimits limits;
  const double steps = threads + 3.0;
  double done = 0;
  const auto step = [&] {
    if (progress) progress(++done / steps);
  };
  for (int n = 1; n <= threads; ++n) {
    limits.read_bytes_per_s.push_back(read_rate(probes.read, memory.data(), kReadBytes, n));
    step();
  }
  limits.int8_macs_per_s = mac_rate(probes.int8, threads);
  step();
  limits.bf16_macs_per_s = mac_rate(probes.bf16, threads);
  step();
  limits.f32_macs_per_s = mac_rate(probes.f32, threads);
  step();
  return limits;
}

}  // namespace notso
