// Adds messages to a conversation for ever, and prints the number of each that is acknowledged. A
// test kills it. Arguments: the store's path, the conversation's id, the first number.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <unistd.h>

#include "service/store/sqlite_store.h"

namespace {

constexpr int kWaitingMax = 8;

void print_line(const std::string& line) {
  if (write(STDOUT_FILENO, line.data(), line.size()) < 0) std::_Exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  notso::SqliteStoreOptions options;
  options.path = argv[1];
  const auto store = notso::open_sqlite_store(options);
  std::atomic<int> waiting = 0;
  for (int number = std::atoi(argv[3]);; ++number) {
    while (waiting >= kWaitingMax) std::this_thread::sleep_for(std::chrono::microseconds(100));
    ++waiting;
    notso::StoredMessage message;
    message.message.content = "message " + std::to_string(number);
    message.client_key = "key " + std::to_string(number);
    store->append("anna", argv[2], message, [&waiting, number](const auto& added) {
      print_line(added ? std::to_string(number) + "\n" : "error: " + added.error().message + "\n");
      --waiting;
    });
  }
}
