// Calls into request policies, which are other people's code: what they throw ends their request
// and nothing else.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "base/result.h"

namespace notso {

// The value of call(), or what it threw as an error. A call that gives a Result keeps its type.
template <class Call>
[[nodiscard]] auto call_policy(Call&& call) {
  using Value = decltype(call());
  constexpr bool kIsResult = requires { typename Value::error_type; };
  using Outcome = typename std::conditional_t<kIsResult, std::type_identity<Value>,
                                              std::type_identity<tl::expected<Value, Error>>>::type;
  try {
    if constexpr (std::is_void_v<Value>) {
      std::forward<Call>(call)();
      return Outcome();
    } else {
      return Outcome(std::forward<Call>(call)());
    }
  } catch (const std::bad_alloc&) {
    return Outcome(fail(ErrorCode::kResourceExhausted, "there is not enough memory to go on"));
  } catch (const std::exception& error) {
    return Outcome(fail(ErrorCode::kInternal, std::string("the answer failed: ") + error.what()));
  } catch (...) {
    return Outcome(fail(ErrorCode::kInternal, "the answer failed for an unknown reason"));
  }
}

}  // namespace notso
