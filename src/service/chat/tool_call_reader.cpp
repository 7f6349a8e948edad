// The library's event parser is fed byte by byte, so the moments at which the arguments' object
// opens and closes are places in the text.
#include "service/chat/tool_call_reader.h"

#include <boost/json/basic_parser_impl.hpp>

namespace notso {
namespace {

namespace json = boost::json;

constexpr std::string_view kSpace = " \t\r\n";

// Follows the outer object. Returning false stops the parser: the text is not a call.
struct CallHandler {
  using Ec = json::error_code;
  using View = json::string_view;

  // The parser wants to know these limits; an answer's tokens bound them already.
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  std::size_t depth = 0;
  std::string key;  // of the outer object, the last one
  std::string name;
  bool has_name = false;
  bool in_arguments = false;
  bool has_arguments = false;
  bool closed = false;

  // Whether a value that is neither string nor object may stand here.
  [[nodiscard]] bool other_value(Ec& ec) const {
    const bool fine = depth > 1 || (depth == 1 && key != "name" && key != "arguments");
    return fine || refuse(ec);
  }
  static bool refuse(Ec& ec) {
    ec = json::error::syntax;
    return false;
  }

  bool on_document_begin(Ec&) { return true; }
  bool on_document_end(Ec&) { return true; }
  bool on_object_begin(Ec& ec) {
    if (depth == 1 && key == "name") return refuse(ec);
    if (depth == 1 && key == "arguments") {
      if (has_arguments) return refuse(ec);
      in_arguments = true;
    }
    ++depth;
    return true;
  }
  bool on_object_end(std::size_t, Ec& ec) {
    --depth;
    if (depth == 1 && in_arguments) {
      in_arguments = false;
      has_arguments = true;
    }
    if (depth == 0) closed = true;
    return !closed || has_name || refuse(ec);
  }
  bool on_array_begin(Ec& ec) {
    if (!other_value(ec)) return false;
    ++depth;
    return true;
  }
  bool on_array_end(std::size_t, Ec&) {
    --depth;
    return true;
  }
  bool on_key_part(View part, std::size_t size, Ec&) {
    if (depth != 1) return true;
    if (size == part.size()) key.clear();
    key.append(part.data(), part.size());
    return true;
  }
  bool on_key(View part, std::size_t size, Ec& ec) { return on_key_part(part, size, ec); }
  bool on_string_part(View part, std::size_t, Ec& ec) {
    if (depth > 1) return true;
    if (depth == 0 || key == "arguments" || (key == "name" && has_name)) return refuse(ec);
    if (key == "name") name.append(part.data(), part.size());
    return true;
  }
  bool on_string(View part, std::size_t size, Ec& ec) {
    if (!on_string_part(part, size, ec)) return false;
    if (depth == 1 && key == "name") has_name = true;
    return !has_name || !name.empty() || refuse(ec);
  }
  bool on_number_part(View, Ec& ec) { return other_value(ec); }
  bool on_int64(std::int64_t, View, Ec& ec) { return other_value(ec); }
  bool on_uint64(std::uint64_t, View, Ec& ec) { return other_value(ec); }
  bool on_double(double, View, Ec& ec) { return other_value(ec); }
  bool on_bool(bool, Ec& ec) { return other_value(ec); }
  bool on_null(Ec& ec) { return other_value(ec); }
  bool on_comment_part(View, Ec&) { return true; }
  bool on_comment(View, Ec&) { return true; }
};

json::parse_options call_options() {
  json::parse_options options;
  options.max_depth = kToolCallDepthMax;
  return options;
}

}  // namespace

struct ToolCallReader::Impl {
  json::basic_parser<CallHandler> parser{call_options()};
  std::string text;
  std::string arguments;
  std::size_t end = 0;  // of the object, once it is closed
  bool malformed = false;

  void step(char c) {
    const CallHandler& handler = parser.handler();
    const bool inside = handler.in_arguments;
    json::error_code error;
    parser.write_some(true, &c, 1, error);
    if (error) {
      malformed = true;
      return;
    }
    if (inside || handler.in_arguments) arguments += c;
    if (!handler.closed) return;
    end = text.size();
    if (!handler.has_arguments) arguments = "{}";
  }
};

ToolCallReader::ToolCallReader() : impl_(std::make_unique<Impl>()) {}
ToolCallReader::ToolCallReader(ToolCallReader&&) noexcept = default;
ToolCallReader& ToolCallReader::operator=(ToolCallReader&&) noexcept = default;
ToolCallReader::~ToolCallReader() = default;

void ToolCallReader::feed(std::string_view text) {
  for (const char c : text) {
    impl_->text += c;
    if (!impl_->malformed && !complete()) impl_->step(c);
  }
}

bool ToolCallReader::complete() const { return impl_->end > 0; }
bool ToolCallReader::malformed() const { return impl_->malformed; }
bool ToolCallReader::has_name() const { return impl_->parser.handler().has_name; }
const std::string& ToolCallReader::name() const { return impl_->parser.handler().name; }
const std::string& ToolCallReader::arguments() const { return impl_->arguments; }
const std::string& ToolCallReader::text() const { return impl_->text; }

std::string_view ToolCallReader::rest() const {
  if (!complete()) return {};
  std::string_view rest = std::string_view(impl_->text).substr(impl_->end);
  const std::size_t first = rest.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return rest.substr(first, rest.find_last_not_of(kSpace) + 1 - first);
}

}  // namespace notso
