// Rate limits: a bucket of tokens for each client, filled at a steady rate up to its size. What
// costs something takes tokens out; when there are too few, the client waits.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

namespace notso {

// A rate and how much may come at once. A rate of 0 means no limit.
struct RateLimit {
  double per_second = 0;
  double burst = 0;
};

// The buckets of all clients, in bounded memory: when the table is full, the client that was seen
// longest ago is forgotten, which can only help it. Safe to use from many threads.
class RateLimiter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // One limit for all, and the most clients that are known at once.
  RateLimiter(RateLimit limit, std::size_t clients_max);

  // Takes `cost` from the client's bucket if that much is in it. Gives the seconds after which it
  // would be, 0 when it was taken.
  [[nodiscard]] double take(const std::string& client, double cost, Time now);

  // Takes `cost` even where that leaves a debt: for what is known only afterwards.
  void charge(const std::string& client, double cost, Time now);

  // Seconds until the bucket is out of debt; 0 if it is.
  [[nodiscard]] double debt_seconds(const std::string& client, Time now);

  [[nodiscard]] std::size_t size() const;

 private:
  struct Bucket {
    std::string client;
    double level = 0;
    Time filled;
  };

  // The client's bucket, filled up to `now` and first in the list. Under the lock.
  Bucket& bucket(const std::string& client, Time now);

  RateLimit limit_;
  std::size_t clients_max_;
  mutable std::mutex mutex_;
  std::list<Bucket> buckets_;  // the latest first
  std::unordered_map<std::string, std::list<Bucket>::iterator> by_client_;
};

}  // namespace notso
