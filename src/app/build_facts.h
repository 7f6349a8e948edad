// What this program is and how it was built, for --version, `notso doctor` and reports of problems.
#pragma once

#include <string>

namespace notso {

// "0.1.0"
[[nodiscard]] std::string program_version();

// Version and commit in the first line; then compiler, kind of build, kernels and libraries.
[[nodiscard]] std::string version_text();

// The second part alone: "g++ 12.2.0, Release, x86_64".
[[nodiscard]] std::string build_text();

// The kernel tables of this build, the one in use marked.
[[nodiscard]] std::string kernels_text();

}  // namespace notso
