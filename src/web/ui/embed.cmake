# Puts the page's files into one C++ file: the templates as they are, the static files plain and
# compressed. The hash of all static files is part of their address, so a browser may keep them for
# ever and never sees an old one beside a new one.
#
#   cmake -D SOURCE=... -D PACKAGES=... -D FOLDER=... -D OUTPUT=... -P embed.cmake
find_program(GZIP gzip REQUIRED)
set(static ${FOLDER}/static)
file(REMOVE_RECURSE ${static})
file(MAKE_DIRECTORY ${static}/js ${static}/hljs ${static}/katex/fonts)

# Our own, the style sheets as one.
file(GLOB sheets ${SOURCE}/static/css/*.css)
list(SORT sheets)
foreach(sheet ${sheets})
  file(READ ${sheet} text)
  file(APPEND ${static}/app.css "${text}")
endforeach()
file(GLOB scripts ${SOURCE}/static/js/*.js)
file(COPY ${scripts} DESTINATION ${static}/js)
file(COPY ${SOURCE}/static/icon.svg DESTINATION ${static})

# Other people's.
set(htmx ${PACKAGES}/htmx.org/dist)
configure_file(${htmx}/htmx.min.js ${static}/htmx.js COPYONLY)
configure_file(${htmx}/ext/hx-sse.min.js ${static}/htmx-sse.js COPYONLY)
set(hljs ${PACKAGES}/@highlightjs/cdn-assets/es)
configure_file(${hljs}/core.min.js ${static}/hljs/core.js COPYONLY)
foreach(language bash c cmake cpp csharp css diff dockerfile go ini java javascript json kotlin lua
    markdown php python r ruby rust sql swift typescript xml yaml)
  configure_file(${hljs}/languages/${language}.min.js ${static}/hljs/${language}.js COPYONLY)
endforeach()
set(katex ${PACKAGES}/katex/dist)
configure_file(${katex}/katex.min.js ${static}/katex/katex.js COPYONLY)
configure_file(${katex}/katex.min.css ${static}/katex/katex.css COPYONLY)
file(GLOB fonts ${katex}/fonts/*.woff2)
file(COPY ${fonts} DESTINATION ${static}/katex/fonts)

set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")
set(type_woff2 "font/woff2")

set(data "")
set(table "")
set(count 0)

# Adds the bytes of a file as the symbol NAME to `data`.
function(add_bytes name path)
  string(APPEND data "asm(\".section .rodata\\n.global ${name}\\n.global ${name}_end\\n\"\n"
    "    \"${name}:\\n.incbin \\\"${path}\\\"\\n${name}_end:\\n.byte 0\\n.previous\\n\");\n"
    "extern const char ${name}[], ${name}_end[];\n")
  set(data "${data}" PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE files RELATIVE ${static} ${static}/*)
list(SORT files)
set(hashes "")
foreach(file ${files})
  file(SHA256 ${static}/${file} hash)
  string(APPEND hashes "${file} ${hash}\n")
  math(EXPR count "${count} + 1")
  string(REGEX REPLACE "^.*\\." "" extension ${file})
  add_bytes(notso_ui_${count} ${static}/${file})
  set(packed "{}")
  if(NOT extension STREQUAL "woff2")
    execute_process(COMMAND ${GZIP} -9 --no-name --stdout ${static}/${file}
      OUTPUT_FILE ${FOLDER}/${count}.gz COMMAND_ERROR_IS_FATAL ANY)
    add_bytes(notso_ui_${count}_gz ${FOLDER}/${count}.gz)
    set(packed "{notso_ui_${count}_gz, notso_ui_${count}_gz_end}")
  endif()
  string(APPEND table "    {\"${file}\", \"${type_${extension}}\",\n"
    "     {notso_ui_${count}, notso_ui_${count}_end}, ${packed}},\n")
endforeach()
string(SHA256 hash "${hashes}")
string(SUBSTRING ${hash} 0 16 hash)

set(templates "")
file(GLOB files RELATIVE ${SOURCE}/templates ${SOURCE}/templates/*.html)
list(SORT files)
foreach(file ${files})
  math(EXPR count "${count} + 1")
  add_bytes(notso_ui_${count} ${SOURCE}/templates/${file})
  string(APPEND templates "    {\"${file}\", {notso_ui_${count}, notso_ui_${count}_end}},\n")
endforeach()

file(WRITE ${OUTPUT} "// Made by embed.cmake.\n#include \"web/ui/assets.h\"\n\nextern \"C\" {\n"
  "${data}}\n\nnamespace notso::ui {\n\n"
  "const std::string_view kAssetsHash = \"${hash}\";\n\n"
  "std::span<const Asset> assets() {\n  static const Asset table[] = {\n${table}  };\n"
  "  return table;\n}\n\n"
  "std::span<const TemplateFile> template_files() {\n"
  "  static const TemplateFile table[] = {\n${templates}  };\n  return table;\n}\n\n"
  "}  // namespace notso::ui\n")
