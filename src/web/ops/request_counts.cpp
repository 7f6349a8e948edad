#include "web/ops/request_counts.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace notso::ops {
namespace {

constexpr std::array<std::string_view, 7> kMethods = {"GET",   "HEAD",   "POST",   "PUT",
                                                      "PATCH", "DELETE", "OPTIONS"};

}  // namespace

void RequestCounts::add(const http::AccessRecord& record) {
  Row row;
  const bool is_usual =
      std::find(kMethods.begin(), kMethods.end(), record.method) != kMethods.end();
  row.method = is_usual ? record.method : "other";
  row.route = record.pattern.empty() ? "none" : record.pattern;
  row.status = record.status;
  const std::string key = row.method + " " + row.route + " " + std::to_string(row.status);
  const std::lock_guard lock(mutex_);
  ++rows_.try_emplace(key, std::move(row)).first->second.count;
  totals_.bytes_in += record.bytes_in;
  totals_.bytes_out += record.bytes_out;
  totals_.seconds.add(record.seconds);
}

RequestCounts::Snapshot RequestCounts::snapshot() const {
  const std::lock_guard lock(mutex_);
  Snapshot copy = totals_;
  for (const auto& [key, row] : rows_) copy.rows.push_back(row);
  return copy;
}

}  // namespace notso::ops
