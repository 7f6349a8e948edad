// The parts of a message that are lists or records as JSON, for the tables' columns and for
// exports. Private to the store.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "service/chat/message.h"

namespace notso {

// Reads the members of an object; remembers the first that is wrong, by its name. A member that is
// missing or null reads as empty.
class JsonFields {
 public:
  // `field` is what the value is called in errors. Anything but an object is an error.
  JsonFields(const boost::json::value& value, std::string field);

  // Whole UTF-8 without NUL.
  std::string text(std::string_view key);
  // Within [min, max].
  std::int64_t integer(std::string_view key, std::int64_t min, std::int64_t max);
  bool boolean(std::string_view key);
  // The position of the text in `names`; an error if it is none of them.
  std::size_t one_of(std::string_view key, const std::vector<std::string_view>& names);
  // nullptr where it is missing.
  const boost::json::array* array(std::string_view key);
  const boost::json::value* member(std::string_view key) const;
  // How a member is called in errors.
  [[nodiscard]] std::string name_of(std::string_view key) const;

  [[nodiscard]] const Status& status() const { return status_; }
  // Says what is wrong, if nothing was before.
  void fail_with(std::string message);
  // Takes over another's error.
  void merge(const Status& other);

 private:
  void wrong(std::string_view key, std::string_view what);

  const boost::json::object* object_;
  std::string field_;
  Status status_;
};

// Tool calls, follow-ups and usage; times are whole microseconds. Reading names what is wrong.
[[nodiscard]] boost::json::value calls_to_json(const std::vector<ToolCall>& calls);
[[nodiscard]] Result<std::vector<ToolCall>> calls_from_json(const boost::json::array& array,
                                                            const std::string& field);
[[nodiscard]] boost::json::value texts_to_json(const std::vector<std::string>& texts);
[[nodiscard]] Result<std::vector<std::string>> texts_from_json(const boost::json::array& array,
                                                               const std::string& field);
[[nodiscard]] boost::json::value usage_to_json(const Usage& usage);
[[nodiscard]] Result<Usage> usage_from_json(const boost::json::value& value,
                                            const std::string& field);

// The same as the text of a column; what is empty is "".
[[nodiscard]] std::string calls_to_text(const std::vector<ToolCall>& calls);
[[nodiscard]] Result<std::vector<ToolCall>> calls_from_text(const std::string& text);
[[nodiscard]] std::string texts_to_text(const std::vector<std::string>& texts);
[[nodiscard]] Result<std::vector<std::string>> texts_from_text(const std::string& text);
[[nodiscard]] std::string usage_to_text(const Usage& usage);
[[nodiscard]] Result<Usage> usage_from_text(const std::string& text);

// Token ids as bytes, seven bits a byte, the lowest first; the top bit says that more follow. A
// vocabulary of 128k takes at most three bytes an id.
[[nodiscard]] std::string tokens_to_bytes(const std::vector<std::int32_t>& tokens);
[[nodiscard]] Result<std::vector<std::int32_t>> tokens_from_bytes(std::string_view bytes);

}  // namespace notso
