# cmake --install, and CPack's Debian package. What the program writes about itself (completions,
# the manual page) is written at installation by the program that is installed: never stale.
include(GNUInstallDirs)

install(TARGETS notso RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
set(pages ${CMAKE_BINARY_DIR}/packaging)
install(CODE "
  file(MAKE_DIRECTORY \"${pages}\")
  foreach(page \"man;notso.1\" \"completion;bash;notso\" \"completion;zsh;_notso\"
          \"completion;fish;notso.fish\")
    list(POP_BACK page name)
    execute_process(COMMAND \"$<TARGET_FILE:notso>\" \${page}
      OUTPUT_FILE \"${pages}/\${name}\" COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
  execute_process(COMMAND gzip --best --no-name --force \"${pages}/notso.1\"
    COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND gzip --best --no-name --stdout
    INPUT_FILE \"${PROJECT_SOURCE_DIR}/packaging/debian/changelog\"
    OUTPUT_FILE \"${pages}/changelog.gz\" COMMAND_ERROR_IS_FATAL ANY)")
install(FILES ${pages}/notso.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${pages}/notso
  DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/bash-completion/completions)
# Debian's zsh looks into the first under /usr (and a package must use it), else into the second.
install(CODE "
  if(CMAKE_INSTALL_PREFIX MATCHES \"/usr$\")
    set(notso_zsh_folder vendor-completions)
  else()
    set(notso_zsh_folder site-functions)
  endif()")
install(FILES ${pages}/_notso
  DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/zsh/\${notso_zsh_folder})
install(FILES ${pages}/notso.fish
  DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/fish/vendor_completions.d)
install(FILES README.md ${pages}/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES packaging/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
# The page's parts by other people are inside the program, so their notices go with it.
foreach(package katex htmx.org @highlightjs/cdn-assets)
  string(REGEX REPLACE "^@|/.*$" "" name ${package})
  install(FILES ${CMAKE_BINARY_DIR}/page/node_modules/${package}/LICENSE
    DESTINATION ${CMAKE_INSTALL_DOCDIR}/licenses RENAME ${name})
endforeach()
foreach(unit notso.service notso.socket)
  if(EXISTS ${PROJECT_SOURCE_DIR}/packaging/${unit})
    install(FILES packaging/${unit} DESTINATION lib/systemd/system)
  endif()
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME notso)
set(CPACK_PACKAGE_CONTACT "the notso-smollm3 authors <notso@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "private chat with the language model SmolLM3-3B")
set(CPACK_PACKAGE_DESCRIPTION "Runs the language model SmolLM3-3B on this machine: an inference
 engine of its own, a server with a web page and an OpenAI-compatible API, and
 a chat at the terminal. Nothing leaves the machine.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/packaging/debian/postinst
  ${PROJECT_SOURCE_DIR}/packaging/debian/prerm
  ${PROJECT_SOURCE_DIR}/packaging/debian/postrm)
include(CPack)
