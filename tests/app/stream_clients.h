// Thousands of HTTP clients on one thread: each sends one request and reads its answer as it comes.
// Shared by the load tests and the load benchmark.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace notso {

// What became of one client.
struct ClientRecord {
  using Time = std::chrono::steady_clock::time_point;

  int status = 0;            // 0: no answer
  bool retry_after = false;  // the answer said when to come again
  bool complete = false;     // a stream with its last event, or another answer to its end
  bool closed = false;       // the connection is over
  std::uint64_t bytes = 0;   // of the answer
  Time started;
  std::vector<Time> events;  // when each event was read
};

// The clients. All calls from one thread.
class StreamClients {
 public:
  // Clients of a port of this machine. `keep_events`: whether times of events are recorded.
  StreamClients(int port, bool keep_events);
  StreamClients(const StreamClients&) = delete;
  StreamClients& operator=(const StreamClients&) = delete;
  ~StreamClients();

  // Connects and sends; the answer is read by run(). A client that does not read leaves all of its
  // answer to the connection's buffers.
  void add(std::string request, bool reads = true);

  // Reads what comes until all clients that read are done or the time is over. True if they are.
  bool run(std::chrono::milliseconds time);

  // Connects and sends for so long, for clients that do not read as well.
  void push(std::chrono::milliseconds time);

  [[nodiscard]] const std::vector<ClientRecord>& records() const { return records_; }
  // Clients that read and are not done.
  [[nodiscard]] std::size_t open() const { return open_; }

 private:
  struct Client {
    int fd = -1;
    bool reads = true;
    std::string request;  // what is still to be sent
    std::string head;     // of the answer, until it is whole
    std::string tail;     // the last bytes of the body
  };

  void wait(std::chrono::steady_clock::time_point end);
  void advance(std::size_t index);
  void take(std::size_t index, const char* data, std::size_t size);
  void finish(std::size_t index);

  int port_;
  bool keep_events_;
  int epoll_ = -1;
  std::size_t open_ = 0;
  std::vector<Client> clients_;
  std::vector<ClientRecord> records_;
};

// Allows as many open files as the system lets this process have.
void raise_open_files();

}  // namespace notso
