// The page's files, embedded in the program: the templates, and the static files under an address
// that has the hash of them all.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace notso::ui {

// One static file.
struct Asset {
  std::string_view path;  // below the folder with the hash: "js/main.js"
  std::string_view content_type;
  std::string_view bytes;
  std::string_view gzip;  // "": not worth it
};

// One template, by the name that the others include it by.
struct TemplateFile {
  std::string_view name;
  std::string_view source;
};

// Hexadecimal digits that change with any static file.
extern const std::string_view kAssetsHash;

// All static files, by path.
[[nodiscard]] std::span<const Asset> assets();

// All templates, by name.
[[nodiscard]] std::span<const TemplateFile> template_files();

// The source of the template `name`; "" when there is none.
[[nodiscard]] std::string_view find_template(std::string_view name);

// Where the static files are: "/assets/0123456789abcdef".
[[nodiscard]] std::string assets_folder();

}  // namespace notso::ui
