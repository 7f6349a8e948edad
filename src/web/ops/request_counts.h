// What the server has answered, counted by route and status: for metrics.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "service/engine/engine_stats.h"
#include "web/http/server.h"

namespace notso::ops {

// Takes access records from the server's threads. Labels are routes' patterns, not paths, so that
// clients cannot grow the table.
class RequestCounts {
 public:
  // One row of counts.
  struct Row {
    std::string method;  // one of the usual ones, or "other"
    std::string route;   // the pattern; "none"
    int status = 0;
    std::uint64_t count = 0;
  };
  // Everything at one moment.
  struct Snapshot {
    std::vector<Row> rows;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    Histogram seconds;
  };

  // Counts one answered request.
  void add(const http::AccessRecord& record);
  [[nodiscard]] Snapshot snapshot() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Row> rows_;
  Snapshot totals_;
};

}  // namespace notso::ops
