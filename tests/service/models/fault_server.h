// Starts fault_server.py for a test: a local web server that misbehaves on request.
#pragma once

#include <string>
#include <sys/types.h>

namespace notso {

// A folder for one test; removed with all that is in it.
class ScratchFolder {
 public:
  ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();

  [[nodiscard]] const std::string& path() const { return path_; }
  // A path inside.
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// `count` bytes that do not repeat, the same for the same seed.
[[nodiscard]] std::string noise(std::size_t count, unsigned seed = 1);

// A whole file; "" if there is none.
[[nodiscard]] std::string file_text(const std::string& path);
void write_text(const std::string& path, const std::string& text);

// The running server; it ends with this object, however the test ends.
class FaultServer {
 public:
  // Serves `content`, which is kept in `folder`; over TLS if `certificate` (with its key in the
  // same file) is given.
  FaultServer(const ScratchFolder& folder, const std::string& content,
              const std::string& certificate = "");
  FaultServer(const FaultServer&) = delete;
  FaultServer& operator=(const FaultServer&) = delete;
  ~FaultServer();

  // "http://127.0.0.1:PORT"
  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] std::string url(const std::string& path) const { return root_ + path; }
  [[nodiscard]] const std::string& port() const { return port_; }

  // The server's own page at `path`, as text.
  [[nodiscard]] std::string ask(const std::string& path) const;

 private:
  pid_t child_ = -1;
  int input_ = -1;
  std::string port_;
  std::string root_;
};

}  // namespace notso
