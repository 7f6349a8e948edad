#include "app/build_facts.h"

#include <boost/version.hpp>
#include <cstdlib>

#include "app/revision_generated.h"
#include "ml/core/cpu/kernel_table.h"
#include "service/models/transfer.h"

namespace notso {
namespace {

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string processor() {
#if defined(__x86_64__)
  return "x86_64";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "another processor";
#endif
}

std::string boost() {
  return "Boost " + std::to_string(BOOST_VERSION / 100'000) + "." +
         std::to_string(BOOST_VERSION / 100 % 1000);
}

}  // namespace

std::string program_version() { return NOTSO_VERSION; }

std::string build_text() {
  std::string text = compiler() + ", " + NOTSO_BUILD_TYPE + ", " + processor();
  const std::string sanitizers = NOTSO_SANITIZERS;
  if (!sanitizers.empty()) text += ", sanitizers: " + sanitizers;
  return text;
}

std::string kernels_text() {
  const char* const forced = std::getenv("NOTSO_CPU");
  const auto chosen = choose_kernel_table(forced == nullptr ? "" : forced);
  std::string text;
  for (const KernelTable* table : kernel_tables()) {
    if (!text.empty()) text += ", ";
    text += table->name;
    if (chosen && *chosen == table) text += " (in use)";
    if (!table->supported()) text += " (not on this processor)";
  }
  return text;
}

std::string version_text() {
  const std::string revision = NOTSO_REVISION;
  return "notso " + program_version() + (revision.empty() ? "" : " (" + revision + ")") + "\n" +
         "built:     " + build_text() + "\nkernels:   " + kernels_text() +
         "\nlibraries: " + transfer_library() + ", " + boost();
}

}  // namespace notso
