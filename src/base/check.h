// Assertions for programmer errors. Never for input: what comes from a file, a socket or a flag
// fails as a Result.
#pragma once

namespace notso {

// Prints the failed condition with its place and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace notso

// Holds in every build; use it off the hot paths.
#define NOTSO_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::notso::check_failed(#condition, __FILE__, __LINE__))

// Holds in debug and sanitizer builds only.
#ifdef NDEBUG
#define NOTSO_DCHECK(condition) static_cast<void>(0)
#else
#define NOTSO_DCHECK(condition) NOTSO_CHECK(condition)
#endif
