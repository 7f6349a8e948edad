#include "service/access/rate_limit.h"

#include <algorithm>

namespace notso {

RateLimiter::RateLimiter(RateLimit limit, std::size_t clients_max)
    : limit_(limit), clients_max_(std::max<std::size_t>(clients_max, 1)) {
  // Less than one would never let anything through.
  limit_.burst = std::max(limit_.burst, 1.0);
}

double RateLimiter::take(const std::string& client, double cost, Time now) {
  if (limit_.per_second <= 0) return 0;
  const std::lock_guard lock(mutex_);
  Bucket& own = bucket(client, now);
  if (own.level >= cost) {
    own.level -= cost;
    return 0;
  }
  return (cost - own.level) / limit_.per_second;
}

void RateLimiter::charge(const std::string& client, double cost, Time now) {
  if (limit_.per_second <= 0) return;
  const std::lock_guard lock(mutex_);
  bucket(client, now).level -= cost;
}

double RateLimiter::debt_seconds(const std::string& client, Time now) {
  if (limit_.per_second <= 0) return 0;
  const std::lock_guard lock(mutex_);
  return std::max(0.0, -bucket(client, now).level / limit_.per_second);
}

std::size_t RateLimiter::size() const {
  const std::lock_guard lock(mutex_);
  return buckets_.size();
}

RateLimiter::Bucket& RateLimiter::bucket(const std::string& client, Time now) {
  if (const auto known = by_client_.find(client); known != by_client_.end()) {
    buckets_.splice(buckets_.begin(), buckets_, known->second);
    Bucket& own = buckets_.front();
    const double seconds = std::chrono::duration<double>(now - own.filled).count();
    own.level = std::min(limit_.burst, own.level + std::max(seconds, 0.0) * limit_.per_second);
    own.filled = std::max(own.filled, now);
    return own;
  }
  if (buckets_.size() == clients_max_) {
    by_client_.erase(buckets_.back().client);
    buckets_.pop_back();
  }
  buckets_.push_front({client, limit_.burst, now});
  by_client_[client] = buckets_.begin();
  return buckets_.front();
}

}  // namespace notso
