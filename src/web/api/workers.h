// Work that takes too long for a connection's thread, which others wait for too: rendering prompts,
// cutting them into tokens, compiling grammars.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <type_traits>
#include <utility>

#include "web/api/api_context.h"

namespace notso::api {

// Runs `work` on one of the context's workers and comes back with what it gives. The work must own
// all that it uses: where the server ends, nobody is left to wait for it.
template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> on_worker(const ApiContext& context,
                                                              Work work) {
  using Made = std::invoke_result_t<Work&>;
  if (!context.workers) co_return work();
  auto run = [own = std::move(work)]() mutable -> boost::asio::awaitable<Made> { co_return own(); };
  co_return co_await boost::asio::co_spawn(context.workers, std::move(run),
                                           boost::asio::use_awaitable);
}

}  // namespace notso::api
