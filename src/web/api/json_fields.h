// Reads the fields of a request's JSON under bounds. Every API's requests are read through this, so
// that all of them refuse the same things in the same words.
#pragma once

#include <boost/json/fwd.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "web/api/error_status.h"

namespace notso::api {

// The body of a request: one JSON object, at most 64 deep.
[[nodiscard]] ApiResult<boost::json::object> parse_object(std::string_view body);

// "a string", "an object", ...: what a value is, for messages.
[[nodiscard]] std::string_view kind_name(const boost::json::value& value);

// The fields of one object. A reader fills `out` where the field is there and not null, leaves it
// alone where it is not, and remembers the first field that is wrong; after that, readers do
// nothing. Unknown fields are nobody's business.
class Fields {
 public:
  // `place` is where the object stands: "" for the request itself, "stream_options" within it.
  // `object` must outlive the reader.
  explicit Fields(const boost::json::object& object, std::string place = "");

  // What went wrong first, if anything; to be looked at once all fields are read.
  [[nodiscard]] const std::optional<ApiError>& error() const { return error_; }
  // Remembers that a field is wrong: "NAME WHAT".
  void refuse(std::string_view key, std::string_view what,
              ErrorCode code = ErrorCode::kInvalidArgument);
  // Remembers an error of the layers below. Where its message begins with the name of the field or
  // of a place in it ("messages[0].role is missing"), that is what the error is about.
  void refuse(std::string_view key, Error error);
  // The same for an error found inside the field, by another reader.
  void refuse(ApiError error);

  // The value; nothing where it is missing or null.
  [[nodiscard]] const boost::json::value* find(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  // The whole name of a field: "stream_options.include_usage".
  [[nodiscard]] std::string name_of(std::string_view key) const;

  // A number from `low` to `high`; NaN is none.
  void number(std::string_view key, double low, double high, double& out);
  void number(std::string_view key, double low, double high, float& out);
  // A whole number from `low` to `high`.
  void integer(std::string_view key, std::int64_t low, std::int64_t high, std::int64_t& out);
  template <std::integral Int>
  void integer(std::string_view key, std::int64_t low, std::int64_t high, Int& out) {
    std::int64_t wide = static_cast<std::int64_t>(out);
    integer(key, low, high, wide);
    out = static_cast<Int>(wide);
  }
  void boolean(std::string_view key, bool& out);
  void boolean(std::string_view key, std::optional<bool>& out);
  // A string of at most `bytes_max`.
  void string(std::string_view key, std::size_t bytes_max, std::string& out);
  // One string or an array of them.
  void strings(std::string_view key, std::size_t count_max, std::size_t bytes_max,
               std::vector<std::string>& out);
  // An array or an object; nothing where it is missing, null or refused.
  [[nodiscard]] const boost::json::array* array(std::string_view key, std::size_t count_max);
  [[nodiscard]] const boost::json::object* object(std::string_view key);

 private:
  [[nodiscard]] const boost::json::value* wanted(std::string_view key) const;

  const boost::json::object& object_;
  std::string place_;
  std::optional<ApiError> error_;
};

// Token ids of an array; those outside [0, `vocab_size`) are refused by place: "tokens[3]".
[[nodiscard]] ApiResult<std::vector<std::int32_t>> read_token_ids(const boost::json::array& array,
                                                                  const std::string& place,
                                                                  std::int32_t vocab_size);

}  // namespace notso::api
