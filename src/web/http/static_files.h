// Files that are part of the program: a table filled at start, served with validators, so that a
// browser asks for each version once, and in the compressed form that it takes.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "web/http/message.h"

namespace notso::http {

// One file. The bytes are the program's own and live as long as it does.
struct StaticFile {
  std::string path;          // "/static/chat.css"
  std::string content_type;  // "text/css; charset=utf-8"
  std::string_view bytes;    // plain
  std::string_view gzip;     // the same compressed; empty: not offered
  std::string hash;          // of the plain bytes, in characters that an ETag may have
  bool immutable = false;    // the path changes with the content: keep it for a year
};

// The table. Constant once the server runs.
class StaticFiles {
 public:
  // Adds a file; one with the same path is replaced.
  void add(StaticFile file);

  // The file at a path; null if there is none.
  [[nodiscard]] const StaticFile* find(std::string_view path) const;

  // The answer to a GET or HEAD of `file`: 200 with the smaller form that the request's
  // Accept-Encoding takes, or 304 where If-None-Match has it.
  [[nodiscard]] static Response answer(const Request& request, const StaticFile& file);

  // The answer to the request's path; 404 where there is no such file.
  [[nodiscard]] Response answer(const Request& request) const;

 private:
  std::unordered_map<std::string, StaticFile> files_;
};

// Whether an Accept-Encoding header takes `coding` ("gzip"): named, or by "*", and not with q=0.
[[nodiscard]] bool accepts_encoding(std::string_view accept_encoding, std::string_view coding);

}  // namespace notso::http
