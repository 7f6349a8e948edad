#include "service/models/fault_server.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

#include "service/models/transfer.h"

namespace notso {

ScratchFolder::ScratchFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "notso-models-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

std::string noise(std::size_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string text(count, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

std::string file_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

FaultServer::FaultServer(const ScratchFolder& folder, const std::string& content,
                         const std::string& certificate) {
  const std::string file = folder / "served";
  write_text(file, content);
  int in[2];
  int out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) std::abort();
  const std::string script =
      std::string(NOTSO_SOURCE_DIR) + "/tests/service/models/fault_server.py";
  child_ = fork();
  if (child_ == 0) {
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    const char* tls = certificate.empty() ? nullptr : certificate.c_str();
    execl(NOTSO_PYTHON, NOTSO_PYTHON, "-B", script.c_str(), file.c_str(), tls, tls, nullptr);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  input_ = in[1];
  char c = 0;
  while (read(out[0], &c, 1) == 1 && c != '\n') port_ += c;
  close(out[0]);
  if (port_.empty()) std::abort();
  root_ = (certificate.empty() ? "http://127.0.0.1:" : "https://127.0.0.1:") + port_;
}

FaultServer::~FaultServer() {
  close(input_);
  waitpid(child_, nullptr, 0);
}

std::string FaultServer::ask(const std::string& path) const {
  Transfers transfers({}, {});
  std::string text;
  TransferRequest request;
  request.url = url(path);
  request.on_head = [](const ResponseHead&) { return true; };
  request.on_body = [&text](std::span<const std::byte> body) {
    text.append(reinterpret_cast<const char*>(body.data()), body.size());
    return true;
  };
  if (!transfers.start(0, std::move(request))) return "";
  while (transfers.poll(std::chrono::milliseconds(100)).empty()) continue;
  return text;
}

}  // namespace notso
