// Responses that are kept, so that they can be read again by their ids and gone on from. Kept with
// each is its whole conversation: one read is enough to go on, and none depends on another.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/chat/message.h"
#include "service/store/session_store.h"
#include "web/api/error_status.h"

namespace notso::api {

// A response as it is kept, for 30 days.
struct KeptResponse {
  std::string body;               // the response's JSON
  std::vector<Message> messages;  // the conversation, its answer included
};

// Keeps a response of this owner. `fingerprint` is the model's, whose token ids the messages hold.
[[nodiscard]] boost::asio::awaitable<ApiResult<void>> keep_response(SessionStore& store,
                                                                    std::string owner,
                                                                    std::string id,
                                                                    std::string fingerprint,
                                                                    const KeptResponse& response);

// The response of that id. The messages have their token ids only if the fingerprint is that which
// they were kept with: ids mean nothing to another model.
[[nodiscard]] boost::asio::awaitable<ApiResult<KeptResponse>> find_response(
    SessionStore& store, std::string owner, std::string id, std::string fingerprint);

// Forgets a response. kNotFound: there is none.
[[nodiscard]] boost::asio::awaitable<ApiResult<void>> forget_response(SessionStore& store,
                                                                      std::string owner,
                                                                      std::string id);

}  // namespace notso::api
