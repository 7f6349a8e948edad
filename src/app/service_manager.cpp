#include "app/service_manager.h"

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace notso {
namespace {

constexpr int kFirstInherited = 3;
constexpr int kInheritedMax = 16;

// The number in an environment variable; 0 if there is none.
int environment_number(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? 0 : std::atoi(value);
}

bool is_listening(int fd) {
  int value = 0;
  socklen_t size = sizeof value;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) != 0 || value != 1) return false;
  size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size) == 0 && value == SOCK_STREAM;
}

}  // namespace

void notify_service_manager(std::string_view state) {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  // An abstract name begins with a zero byte.
  if (path[0] == '@') address.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  // Nothing depends on its arrival.
  (void)sendto(fd, state.data(), state.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), size);
  close(fd);
}

Result<std::vector<int>> take_inherited_sockets() {
  std::vector<int> sockets;
  const int count = environment_number("LISTEN_FDS");
  const bool for_us = environment_number("LISTEN_PID") == getpid();
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDNAMES");
  if (!for_us || count <= 0) return sockets;
  for (int fd = kFirstInherited; fd < kFirstInherited + std::min(count, kInheritedMax); ++fd) {
    if (!is_listening(fd)) {
      return fail(ErrorCode::kInvalidArgument,
                  "the service manager handed over descriptor " + std::to_string(fd) +
                      ", which is no listening stream socket; check the .socket unit's "
                      "ListenStream=");
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    sockets.push_back(fd);
  }
  return sockets;
}

}  // namespace notso
