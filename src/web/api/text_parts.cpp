#include "web/api/text_parts.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace notso::api {

namespace json = boost::json;

ApiResult<std::string> read_text_part(const json::value& part, const std::string& place,
                                      std::span<const std::string_view> types) {
  const json::object* object = part.if_object();
  if (object == nullptr) {
    return tl::unexpected(
        ApiError(ErrorCode::kInvalidArgument, place, place + " must be an object with a type"));
  }
  Fields fields(*object, place);
  std::string type;
  std::string text;
  fields.string("type", 64, type);
  if (std::find(types.begin(), types.end(), type) == types.end()) {
    fields.refuse("type", fmt::format("is '{}': this model reads only text", type),
                  ErrorCode::kUnsupported);
  }
  if (!fields.has("text")) fields.refuse("text", "is missing");
  fields.string("text", kTextBytesMax, text);
  if (fields.error()) return tl::unexpected(*fields.error());
  return text;
}

void read_text(Fields& fields, std::string_view key, std::span<const std::string_view> types,
               std::string& out) {
  const json::value* value = fields.find(key);
  if (value == nullptr || value->is_string()) {
    fields.string(key, kTextBytesMax, out);
    return;
  }
  if (!value->is_array()) {
    fields.refuse(key, fmt::format("must be a string or an array of parts of text, not {}",
                                   kind_name(*value)));
    return;
  }
  const json::array* parts = fields.array(key, kTextPartsMax);
  if (parts == nullptr) return;
  out.clear();
  for (std::size_t i = 0; i < parts->size(); ++i) {
    auto text = read_text_part((*parts)[i], fmt::format("{}[{}]", fields.name_of(key), i), types);
    if (!text) {
      fields.refuse(std::move(text.error()));
      return;
    }
    out += *text;
  }
}

}  // namespace notso::api
