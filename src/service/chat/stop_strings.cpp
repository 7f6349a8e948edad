#include "service/chat/stop_strings.h"

#include <algorithm>

#include "ml/core/tokenizer/tokenizer.h"

namespace notso {

Status validate_stop_strings(std::span<const std::string> stops) {
  if (stops.size() > kStopStringsMax) {
    return fail(ErrorCode::kInvalidArgument, "stop: " + std::to_string(stops.size()) +
                                                 " strings are given, at most " +
                                                 std::to_string(kStopStringsMax) + " are allowed");
  }
  for (const std::string& stop : stops) {
    if (stop.empty()) {
      return fail(ErrorCode::kInvalidArgument, "stop: an empty string would stop at once");
    }
    if (stop.size() > kStopStringBytesMax) {
      return fail(ErrorCode::kInvalidArgument,
                  "stop: a string has " + std::to_string(stop.size()) + " bytes, at most " +
                      std::to_string(kStopStringBytesMax) + " are allowed");
    }
    Utf8Stream stream;
    std::string repaired;
    stream.feed(stop, repaired);
    stream.finish(repaired);
    if (repaired != stop) return fail(ErrorCode::kInvalidArgument, "stop: a string is not UTF-8");
  }
  return {};
}

StopMatcher::StopMatcher(std::span<const std::string> stops) {
  for (const std::string& text : stops) {
    Stop stop{text, std::vector<std::size_t>(text.size(), 0), 0};
    for (std::size_t i = 1, border = 0; i < text.size(); ++i) {
      while (border > 0 && text[i] != text[border]) border = stop.fallback[border - 1];
      if (text[i] == text[border]) ++border;
      stop.fallback[i] = border;
    }
    stops_.push_back(std::move(stop));
  }
}

bool StopMatcher::Stop::step(char c) {
  while (matched > 0 && text[matched] != c) matched = fallback[matched - 1];
  if (text[matched] == c) ++matched;
  return matched == text.size();
}

bool StopMatcher::feed(std::string_view text, std::string& out) {
  if (found_) return true;
  if (stops_.empty()) {
    out += text;
    return false;
  }
  for (const char c : text) {
    held_ += c;
    std::size_t longest = 0;
    for (Stop& stop : stops_) {
      if (!stop.step(c)) continue;
      found_ = true;
      longest = std::max(longest, stop.text.size());
    }
    if (!found_) continue;
    out.append(held_, 0, held_.size() - longest);
    held_.clear();
    return true;
  }
  std::size_t kept = 0;
  for (const Stop& stop : stops_) kept = std::max(kept, stop.matched);
  out.append(held_, 0, held_.size() - kept);
  held_.erase(0, held_.size() - kept);
  return false;
}

void StopMatcher::flush(std::string& out) {
  out += held_;
  held_.clear();
  for (Stop& stop : stops_) stop.matched = 0;
}

}  // namespace notso
