// The chat page with scripted answers: page_server PORT STORE-FILE [PAUSE_MS [LOADING-FILE
// [CHAT.json...]]]. As long as there is a LOADING-FILE the model is on its way. The other files are
// conversations to import. Prints its address, and ends at a signal.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>

#include "service/store/sqlite_store.h"
#include "web/http/server.h"
#include "web/ui/scripted_turns.h"
#include "web/ui/ui_routes.h"

using namespace notso;

namespace {

// Imports a conversation and waits for it.
bool import_chat(SessionStore& store, const char* path) {
  std::ifstream file(path);
  std::string json{std::istreambuf_iterator<char>(file), {}};
  std::promise<Status> imported;
  store.import_json("", std::move(json), [&](Result<Conversation> chat) {
    imported.set_value(chat ? Status() : Status(tl::unexpected<Error>(chat.error())));
  });
  const Status status = imported.get_future().get();
  if (!status) std::fprintf(stderr, "%s: %s\n", path, status.error().message.c_str());
  return status.has_value();
}

ui::UiContext page_context(SessionStore& store, const std::shared_ptr<TurnService>& turns,
                           const std::filesystem::path& loading) {
  ui::UiContext context;
  context.store = &store;
  const auto loaded = [loading] {
    std::error_code error;
    return !std::filesystem::exists(loading, error);
  };
  context.turns = [turns, loaded] { return loaded() ? turns : nullptr; };
  context.model = [loaded] {
    const auto state = loaded() ? ui::UiModel::State::kReady : ui::UiModel::State::kLoading;
    return ui::UiModel{state, "SmolLM3-3B Q4_K_M", "", false};
  };
  context.model_facts = [] {
    return std::vector<ui::UiFact>{{"Model", "SmolLM3-3B"},         {"Quantisation", "Q4_K_M"},
                                   {"Runs on", "2 cores, AVX-512"}, {"Memory", "2.1 GB"},
                                   {"Context", "65536 tokens"},     {"Speed", "12.4 tokens/s"}};
  };
  context.server_facts = [] {
    return std::vector<ui::UiFact>{{"Running", "0 answers"}, {"Waiting", "0"}};
  };
  context.models.models = [] { return ui::UiModels(); };
  return context;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  SqliteStoreOptions store_options;
  store_options.path = argv[2];
  const std::unique_ptr<SessionStore> store = open_sqlite_store(store_options);
  const std::shared_ptr<TurnService> turns =
      ui::make_scripted_turns(*store, argc > 3 ? std::atoi(argv[3]) : 15);
  turns->recover();
  const std::filesystem::path loading(argc > 4 ? argv[4] : "");
  for (int i = 5; i < argc; ++i) {
    if (!import_chat(*store, argv[i])) return 1;
  }
  http::Router router;
  if (const Status added = ui::add_ui_routes(router, page_context(*store, turns, loading));
      !added) {
    std::fprintf(stderr, "%s\n", added.error().message.c_str());
    return 1;
  }
  http::ServerOptions options;
  options.port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  auto server = http::Server::start(options, std::move(router), {});
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().message.c_str());
    return 1;
  }
  std::printf("%s\n", (*server)->url().c_str());
  std::fflush(stdout);
  int number = 0;
  sigwait(&signals, &number);
  turns->shut_down();
  (*server)->stop();
  return 0;
}
