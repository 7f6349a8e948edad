#include "service/grammar/schema_format.h"

#include <array>
#include <utility>

namespace notso::grammar {
namespace {

// The years 0001 to 9999; 29 February only in leap years.
#define NOTSO_DATE                                                                      \
  "(?:(?:000[1-9]|00[1-9]\\d|0[1-9]\\d\\d|[1-9]\\d{3})-"                                \
  "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|" \
  "02-(?:0[1-9]|1\\d|2[0-8]))|"                                                         \
  "(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29)"
#define NOTSO_TIME \
  "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)"
#define NOTSO_LABEL "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"
#define NOTSO_HOST NOTSO_LABEL "(?:\\." NOTSO_LABEL "){0,4}"
#define NOTSO_BYTE "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
#define NOTSO_HEX4 "[0-9a-fA-F]{1,4}"

constexpr std::string_view kDuration =
    "^P(?:\\d{1,6}W|"
    "(?:\\d{1,6}Y(?:\\d{1,6}M(?:\\d{1,6}D)?)?|\\d{1,6}M(?:\\d{1,6}D)?|\\d{1,6}D)"
    "(?:T(?:\\d{1,6}H(?:\\d{1,6}M(?:\\d{1,6}S)?)?|\\d{1,6}M(?:\\d{1,6}S)?|\\d{1,6}S))?|"
    "T(?:\\d{1,6}H(?:\\d{1,6}M(?:\\d{1,6}S)?)?|\\d{1,6}M(?:\\d{1,6}S)?|\\d{1,6}S))$";

constexpr std::string_view kEmail =
    "^[a-zA-Z0-9_+-]{1,30}(?:\\.[a-zA-Z0-9_+-]{1,15}){0,2}@" NOTSO_LABEL "(?:\\." NOTSO_LABEL
    "){1,3}$";

// With "::" for one gap; before it come at most as many groups as are left after it.
constexpr std::string_view kIpv6 =
    "^(?:(?:" NOTSO_HEX4 ":){7}" NOTSO_HEX4 "|::(?:" NOTSO_HEX4 "(?::" NOTSO_HEX4
    "){0,6})?|" NOTSO_HEX4 "::(?:" NOTSO_HEX4 "(?::" NOTSO_HEX4 "){0,5})?|" NOTSO_HEX4
    ":" NOTSO_HEX4 "::(?:" NOTSO_HEX4 "(?::" NOTSO_HEX4 "){0,4})?|(?:" NOTSO_HEX4 ":){2}" NOTSO_HEX4
    "::(?:" NOTSO_HEX4 "(?::" NOTSO_HEX4 "){0,3})?|(?:" NOTSO_HEX4 ":){3}" NOTSO_HEX4
    "::(?:" NOTSO_HEX4 "(?::" NOTSO_HEX4 "){0,2})?|(?:" NOTSO_HEX4 ":){4}" NOTSO_HEX4
    "::(?:" NOTSO_HEX4 "(?::" NOTSO_HEX4 ")?)?|(?:" NOTSO_HEX4 ":){5}" NOTSO_HEX4 "::(?:" NOTSO_HEX4
    ")?|(?:" NOTSO_HEX4 ":){6}" NOTSO_HEX4 "::)$";

constexpr std::string_view kUri =
    "^[a-zA-Z][a-zA-Z0-9+.-]{0,15}://" NOTSO_HOST
    "(?::[1-9]\\d{0,3})?(?:/(?:[a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}){0,64}){0,8}"
    "(?:\\?(?:[a-zA-Z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2}){0,128})?"
    "(?:#(?:[a-zA-Z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2}){0,64})?$";

constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kFormats{
    {{"date-time", "^" NOTSO_DATE "T" NOTSO_TIME "$"},
     {"date", "^" NOTSO_DATE "$"},
     {"time", "^" NOTSO_TIME "$"},
     {"duration", kDuration},
     {"email", kEmail},
     {"hostname", "^" NOTSO_HOST "$"},
     {"ipv4", "^" NOTSO_BYTE "(?:\\." NOTSO_BYTE "){3}$"},
     {"ipv6", kIpv6},
     {"uuid", "^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"},
     {"uri", kUri}}};

#undef NOTSO_DATE
#undef NOTSO_TIME
#undef NOTSO_LABEL
#undef NOTSO_HOST
#undef NOTSO_BYTE
#undef NOTSO_HEX4

}  // namespace

std::string_view format_pattern(std::string_view format) {
  for (const auto& [name, pattern] : kFormats) {
    if (name == format) return pattern;
  }
  return {};
}

}  // namespace notso::grammar
