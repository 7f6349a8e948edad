// The serving engine: many sequences share one model. One thread owns the model and runs
// schedule, step, publish; everybody else submits requests and hears of them through their policy.
//
// What a request gets never depends on its company: the same prompt, policy and seed give the same
// tokens alone, in a crowd, from a warm cache, with drafts or without.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/engine/engine_stats.h"
#include "service/engine/sampler.h"
#include "service/engine/step_model.h"

namespace notso {

// Names a request of one engine; never used twice.
using RequestId = std::uint64_t;

// Interactive requests come first; background ones (titles, prefill while typing) run only in what
// is left, and give way within a step.
enum class Priority : std::uint8_t { kInteractive, kBackground };

// Why a request is over.
enum class RequestEnd : std::uint8_t {
  kDone,       // its policy said so, or (without a policy) its prompt is read
  kLength,     // the context is full
  kCancelled,  // by cancel(), or the engine stops
  kTimeout,    // one of its time limits
  kError,      // see RequestReport::error
};

// What became of a request.
struct RequestReport {
  RequestEnd end = RequestEnd::kDone;
  Error error = {ErrorCode::kInternal, ""};  // kError and kTimeout: what happened
  std::int32_t prompt_tokens = 0;
  std::int32_t cached_tokens = 0;  // of the prompt, found in the cache
  std::int32_t sampled_tokens = 0;
  std::int32_t draft_tokens = 0;     // proposed
  std::int32_t accepted_tokens = 0;  // of those, right
  double queue_s = 0;                // from submit to its first step
  double prompt_s = 0;               // from its first step to the prompt's end
  double first_token_s = 0;          // from submit to the first token; 0 without one
  double decode_s = 0;               // from the first token to the end
};

// Decides a request's tokens. Every call comes from the engine's thread, and must be quick: all
// streams wait for it. After ended() the engine forgets the policy.
class TokenPolicy {
 public:
  virtual ~TokenPolicy() = default;

  // The request's place in the queue changed: how many go before it, and a guess of how long.
  virtual void queued(std::int32_t position, double wait_s) = 0;
  // So much of the prompt is read, the part from the cache included.
  virtual void prompt_progress(std::int32_t done, std::int32_t total) = 0;
  // Whether the next token is certain: next() will not look at logits.
  [[nodiscard]] virtual bool is_forced() const = 0;
  // The next token by the logits[vocab] of the sequence so far. An error ends the request.
  [[nodiscard]] virtual Result<std::int32_t> next(std::span<const float> logits,
                                                  Sampler& sampler) = 0;
  // Takes in the token that next() gave. True once the answer is over.
  virtual bool accept(std::int32_t token) = 0;
  // The last call: the request is over, its pages are free or in the cache.
  virtual void ended(const RequestReport& report) = 0;
};

// What is asked of the engine.
struct EngineRequest {
  std::vector<std::int32_t> prompt;     // at least one token, all inside the vocabulary
  std::unique_ptr<TokenPolicy> policy;  // none: only reads the prompt into the cache
  std::string session;                  // requests of one session share one fair portion
  std::string cache_scope;              // prefixes are shared among requests of the same scope only
  Priority priority = Priority::kInteractive;
  bool drafts = true;
  bool pin = false;  // keeps the prompt in the cache before all others: for system prompts
  std::optional<double> token_s_max;   // without a new token; unset: the engine's
  std::optional<double> answer_s_max;  // from the prompt's end; unset: the engine's
  std::optional<double> queue_s_max;   // before its first step; unset: the engine's
};

// Limits and habits of an engine.
struct EngineOptions {
  std::int32_t step_rows_max = 256;  // most rows in one step, all sequences together
  std::int32_t running_max = 64;     // most sequences in one step
  std::int32_t queue_max = 256;      // most that wait of one priority; one more is refused
  std::size_t kv_bytes_max = 0;      // hard budget of all KV pages; 0: from the machine's memory
  bool prefix_cache = true;
  bool drafts = true;
  std::int32_t draft_tokens_max = 8;
  double token_s_max = 30;
  double answer_s_max = 600;
  double queue_s_max = 120;
  std::string kv_folder;  // where prefixes are kept between runs; "": nowhere
  std::size_t kv_disk_bytes_max = std::size_t{4} << 30U;
  std::function<double()> clock;  // seconds that never fall; none: the system's
  // Takes one line about files of the KV folder that were dropped or cannot be written; called on
  // the engine's thread.
  std::function<void(const std::string& line)> log;
};

// The memory that could be taken now, within the bounds that a container sets.
[[nodiscard]] std::size_t available_memory_bytes();

// A budget for KV pages that suits the machine: half of that.
[[nodiscard]] std::size_t default_kv_bytes_max();

// The engine. All members may be called from any thread.
class Engine {
 public:
  // Starts the thread. `model` must outlive the engine.
  static Result<std::unique_ptr<Engine>> start(StepModel& model, EngineOptions options);

  // Ends all requests as cancelled, writes what is to be kept, joins the thread.
  virtual ~Engine() = default;

  // Queues a request. Refused at once: a prompt that is too long for the context (the error gives
  // both numbers), tokens outside the vocabulary, a full queue (kUnavailable), a prompt that could
  // never fit the KV budget (kResourceExhausted).
  [[nodiscard]] virtual Result<RequestId> submit(EngineRequest request) = 0;

  // Ends a request within one step, wherever it stands. Unknown ids are ignored: it may just have
  // ended.
  virtual void cancel(RequestId id) = 0;

  // Seconds until a request that is submitted now would probably run; for Retry-After.
  [[nodiscard]] virtual double expected_wait_s() const = 0;

  // A moment's counts, without stopping anything.
  [[nodiscard]] virtual EngineStats stats() const = 0;

  // Forgets all cached prefixes that nobody uses, in memory and on disk.
  virtual void drop_caches() = 0;
};

}  // namespace notso
