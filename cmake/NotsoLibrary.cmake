# The kinds of target that this project has. Every leaf folder of src/ is one library; its LINKS
# are the arrows of the architecture, and tests/tidy checks that no include goes against them.

set(NOTSO_WARNINGS -Wall -Wextra -Wconversion -Wshadow)

function(notso_options target)
  target_compile_options(${target} PRIVATE ${NOTSO_WARNINGS})
  if(NOTSO_SANITIZE)
    # Among a sanitizer's own code GCC 12 sees mismatched and uninitialised things that are none
    # (coroutines, optionals); the other presets warn of real ones.
    target_compile_options(${target} PUBLIC -fsanitize=${NOTSO_SANITIZE} -fno-sanitize-recover=all
                           PRIVATE -Wno-mismatched-new-delete -Wno-maybe-uninitialized)
    target_link_options(${target} PUBLIC -fsanitize=${NOTSO_SANITIZE})
  endif()
  if(NOTSO_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# notso_library(name SOURCES a.cpp ... [LINKS lib ...]): headers are included from the root of src/.
function(notso_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${name} PUBLIC ${arg_LINKS})
  notso_options(${name})
endfunction()

# notso_test(name SOURCES a.cpp ... LINKS lib ...): one GoogleTest program a folder of tests/, run
# as one ctest test a case. TIMEOUT is per case, in seconds. LABELS that ./test knows: slow and peer
# (left out of the sanitizer runs), tsan (run under ThreadSanitizer too).
function(notso_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LINKS;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE NOTSO_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  notso_options(${name})
  if("tsan" IN_LIST arg_LABELS)
    add_dependencies(tsan_tests ${name})
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${arg_TIMEOUT})
  # gtest_discover_tests cannot pass on a list, so the labels are set by a file that ctest reads
  # after the one with the tests; that one leaves their names in NAME_TESTS.
  if(arg_LABELS)
    set(labels_file ${CMAKE_CURRENT_BINARY_DIR}/${name}_labels.cmake)
    file(WRITE ${labels_file} "if(${name}_TESTS)\n"
      "  set_tests_properties(\${${name}_TESTS} PROPERTIES LABELS \"${arg_LABELS}\")\nendif()\n")
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${labels_file})
  endif()
endfunction()
