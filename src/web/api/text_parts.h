// Text that an API takes as a string or as a list of typed parts.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "web/api/json_fields.h"

namespace notso::api {

// Bytes of one text, and parts of one list.
inline constexpr std::size_t kTextBytesMax = std::size_t{4} << 20U;
inline constexpr std::size_t kTextPartsMax = 1024;

// Reads the field: a string, or an array of objects {"type": one of `types`, "text": ...}, which
// are joined. What is not text is refused by its place.
void read_text(Fields& fields, std::string_view key, std::span<const std::string_view> types,
               std::string& out);

// Reads the text of one part, an entry of a list that stands at `place`.
[[nodiscard]] ApiResult<std::string> read_text_part(const boost::json::value& part,
                                                    const std::string& place,
                                                    std::span<const std::string_view> types);

}  // namespace notso::api
