// Errors as values. A function that can fail for a reason outside the program (a file, a socket, a
// flag, a request) returns Result<T>; its error says what is wrong, where, and how to mend it, in
// one line that a person can act on.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace notso {

// The kinds of failure that callers tell apart. web/api maps each to one HTTP status.
enum class ErrorCode {
  kInvalidArgument,    // the caller's input is wrong: a flag, a field, a malformed file
  kNotFound,           // a path, a model or a session does not exist
  kUnsupported,        // well formed, but this program does not do it
  kResourceExhausted,  // a limit, memory or disk space is used up
  kUnavailable,        // may work later: a full queue, a lock held elsewhere
  kDeadlineExceeded,   // ran into a time limit
  kCancelled,          // the asker went away
  kDataLoss,           // bytes that were there are gone or changed: truncation, a bad checksum
  kInternal,           // our own fault
};

// What went wrong. `message` is a full sentence without a newline.
struct Error {
  ErrorCode code;
  std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;

// Success without a value.
using Status = Result<void>;

// The error value of any Result: `return fail(ErrorCode::kNotFound, "...")`.
[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

// Passes a failed Result's error on as the error of another type.
template <class T>
[[nodiscard]] tl::unexpected<Error> pass_on(Result<T>& result) {
  return tl::unexpected<Error>(std::move(result.error()));
}

}  // namespace notso
