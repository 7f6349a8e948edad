#include "web/http/static_files.h"

#include <algorithm>
#include <utility>

#include "web/http/text.h"

namespace notso::http {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Whether an item's parameters have a q of 0: "0", "0.0" and so on.
bool is_refused(std::string_view parameters) {
  const std::size_t at = parameters.find("q=");
  if (at == std::string_view::npos) return false;
  const std::string_view weight = trimmed(parameters.substr(at + 2));
  return weight.starts_with('0') && weight.find_first_of("123456789") == std::string_view::npos;
}

// Whether If-None-Match has `tag`, weak or strong: proxies that compress weaken tags.
bool matches(std::string_view if_none_match, std::string_view tag) {
  for (std::string_view item : list_items(if_none_match)) {
    if (item.starts_with("W/")) item.remove_prefix(2);
    if (item == "*" || item == tag) return true;
  }
  return false;
}

}  // namespace

bool accepts_encoding(std::string_view accept_encoding, std::string_view coding) {
  bool accepted = false;
  for (const std::string_view item : list_items(accept_encoding)) {
    const std::size_t semicolon = std::min(item.find(';'), item.size());
    const std::string_view name = trimmed(item.substr(0, semicolon));
    const bool refused = is_refused(item.substr(semicolon));
    // An item by name is the last word, whatever "*" says.
    if (same_name(name, coding)) return !refused;
    if (name == "*") accepted = !refused;
  }
  return accepted;
}

void StaticFiles::add(StaticFile file) {
  std::string path = file.path;
  files_.insert_or_assign(std::move(path), std::move(file));
}

const StaticFile* StaticFiles::find(std::string_view path) const {
  const auto found = files_.find(std::string(path));
  return found == files_.end() ? nullptr : &found->second;
}

Response StaticFiles::answer(const Request& request, const StaticFile& file) {
  const bool gzip = !file.gzip.empty() && file.gzip.size() < file.bytes.size() &&
                    accepts_encoding(request.header("accept-encoding").value_or(""), "gzip");
  // The forms differ in their bytes, so they differ in their tags.
  const std::string tag = "\"" + file.hash + (gzip ? "-gzip\"" : "\"");
  Response response;
  response.headers = {
      {"ETag", tag},
      {"Cache-Control", file.immutable ? "public, max-age=31536000, immutable" : "no-cache"},
      {"Vary", "Accept-Encoding"},
  };
  if (matches(request.header("if-none-match").value_or(""), tag)) {
    response.status = 304;
    return response;
  }
  response.headers.push_back({"Content-Type", file.content_type});
  if (gzip) response.headers.push_back({"Content-Encoding", "gzip"});
  response.body = gzip ? file.gzip : file.bytes;
  return response;
}

Response StaticFiles::answer(const Request& request) const {
  if (const StaticFile* file = find(request.path)) return answer(request, *file);
  return {404, {{"Content-Type", "text/plain; charset=utf-8"}}, "There is no such file.\n"};
}

}  // namespace notso::http
