// What passes between a service manager (systemd) and a service: readiness goes out as datagrams to
// the socket that NOTIFY_SOCKET names, listening sockets come in as inherited file descriptors.
// Without a manager all of this does nothing.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"

namespace notso {

// Tells the manager something: "READY=1", "STOPPING=1", "STATUS=loading the model: 43%".
void notify_service_manager(std::string_view state);

// The listening sockets that were handed over (LISTEN_PID, LISTEN_FDS), taken out of the
// environment. Fails when one of them is no listening stream socket.
[[nodiscard]] Result<std::vector<int>> take_inherited_sockets();

}  // namespace notso
