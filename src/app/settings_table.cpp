// The one table of settings.
#include <array>

#include "app/settings.h"

namespace notso {
namespace {

constexpr double kKib = 1024;
constexpr double kMib = 1024 * kKib;
constexpr double kGib = 1024 * kMib;
constexpr double kTib = 1024 * kGib;
constexpr double kDay = 86'400;

using S = Settings;

constexpr std::array kServer = {
    SettingInfo{"server.host", "--host", "HOST", &S::host, "ADDRESS",
                "Address to listen on; 0.0.0.0 or :: for every one"},
    SettingInfo{"server.port", "-p,--port", "PORT", &S::port, "PORT",
                "Port to listen on; 0 takes any free one", 0, 65535},
    SettingInfo{"server.threads", "--http-threads", nullptr, &S::http_threads, "N",
                "Threads of the network, besides the model's", 1, 64},
    SettingInfo{"server.allowed_hosts", "--allow-host", nullptr, &S::allowed_hosts, "NAME",
                "Further names that a request's Host may have, besides the loopback's and the "
                "address above; several flags, or a list with commas"},
    SettingInfo{"server.cors_origins", "--cors-origin", nullptr, &S::cors_origins, "ORIGIN",
                "Web pages of other origins that may call, such as https://app.example"},
    SettingInfo{"server.behind_proxy", "--behind-proxy", nullptr, &S::behind_proxy, "",
                "Believe X-Forwarded-For and X-Forwarded-Proto of a proxy on this machine"},
    SettingInfo{"server.trusted_proxies", "--trusted-proxy", nullptr, &S::trusted_proxies,
                "ADDRESS",
                "Believe these proxies, too: addresses or networks, such as 172.17.0.0/16"},
    SettingInfo{"server.tls_certificate", "--tls-cert", nullptr, &S::tls_certificate, "FILE",
                "Certificate chain in PEM; with the key below, the server speaks HTTPS", 0, 0, "",
                "plain HTTP"},
    SettingInfo{"server.tls_key", "--tls-key", nullptr, &S::tls_key, "FILE",
                "The certificate's private key in PEM", 0, 0, "", "plain HTTP"},
    SettingInfo{"server.connections_max", "--connections", nullptr, &S::connections_max, "N",
                "Most connections at once; more are turned away", 1, 1'000'000},
    SettingInfo{"server.body_max", "--body-max", nullptr, &S::body_max, "SIZE",
                "Largest body of a request", kKib, 256 * kMib},
    SettingInfo{"server.header_seconds_max", "--header-seconds", nullptr, &S::header_seconds_max,
                "S", "Longest time for a request's head to arrive", 0.1, 3600},
    SettingInfo{"server.body_seconds_max", "--body-seconds", nullptr, &S::body_seconds_max, "S",
                "Longest time for a request's body to arrive", 0.1, 3600},
    SettingInfo{"server.idle_seconds_max", "--idle-seconds", nullptr, &S::idle_seconds_max, "S",
                "Longest pause between two requests of a connection", 0.1, 86'400},
    SettingInfo{"server.write_seconds_max", "--write-seconds", nullptr, &S::write_seconds_max, "S",
                "A reader that takes nothing for so long is cut off", 0.1, 3600},
    SettingInfo{"server.drain_seconds_max", "--drain-seconds", nullptr, &S::drain_seconds_max, "S",
                "At the end, time for running answers before they are cut", 0, 3600},
};

constexpr std::array kModel = {
    SettingInfo{"model.path", "-m,--model", "MODEL_PATH", &S::model_path, "MODEL",
                "The model: a SmolLM3 GGUF file or a name that 'notso models' shows", 0, 0, "",
                "the newest downloaded"},
    SettingInfo{"model.tokenizer", "--tokenizer", "TOKENIZER_PATH", &S::tokenizer_path,
                "tokenizer.json", "A Hugging Face tokenizer.json in place of the model's own", 0, 0,
                "", "the one in the model's file"},
    SettingInfo{"model.name", "--model-name", nullptr, &S::model_name, "NAME",
                "What the API calls the model", 0, 0, "", "the file's name without .gguf"},
    SettingInfo{"model.context", "--ctx", nullptr, &S::context, "TOKENS",
                "Longest conversation in tokens; above 65,536 YaRN stretches the model", 0, 131'072,
                "", "65,536, or less where the memory for keys and values holds less"},
    SettingInfo{"model.threads", "--threads", nullptr, &S::threads, "N", "Threads that compute", 0,
                256, "", "one for each physical core"},
    SettingInfo{"model.kv_type", "--kv", nullptr, &S::kv_type, "TYPE",
                "Element type of keys and values; q8_0 takes about half the memory", 0, 0,
                "f16 q8_0"},
    SettingInfo{"model.demo", "--demo", nullptr, &S::demo, "",
                "Run the built-in demo model where no other one is"},
    SettingInfo{"model.pack_cache", "--pack-cache", nullptr, &S::pack_cache, "",
                "Keep packed weights in the cache folder, so that the next start is quick"},
    SettingInfo{"model.memory_max", "--model-memory", nullptr, &S::model_memory_max, "SIZE",
                "Most memory for all models that run at once, with their keys and values; a model "
                "that nobody uses makes room for one that is asked for",
                0, 64 * kTib, "", "as the machine has"},
    SettingInfo{"model.idle_seconds_max", "--model-idle-seconds", nullptr,
                &S::model_idle_seconds_max, "S",
                "A model beside the chosen one that nobody asks for so long is unloaded; 0: never",
                0, kDay},
    SettingInfo{"model.manage", "--manage-models", nullptr, &S::manage_models, "",
                "Let the page switch models and download new ones"},
    SettingInfo{"model.offer", "--offer", nullptr, &S::offered_model, "NAME",
                "The model that the page offers to download where there is none; 'notso pull "
                "--list' has the names"},
};

constexpr std::array kEngine = {
    SettingInfo{"engine.kv_memory", "--kv-memory", nullptr, &S::kv_memory, "SIZE",
                "Memory for keys and values of all conversations with a model; never exceeded", 0,
                64 * kTib, "", "from the machine's memory"},
    SettingInfo{"engine.streams_max", "--streams", nullptr, &S::streams_max, "N",
                "Most answers that are written at once; the others wait", 1, 1024},
    SettingInfo{"engine.queue_max", "--queue", nullptr, &S::queue_max, "N",
                "Most requests that wait; one more gets 429", 0, 100'000},
    SettingInfo{"engine.step_rows_max", "--step-rows", nullptr, &S::step_rows_max, "N",
                "Most tokens in one step of the model", 16, 4096},
    SettingInfo{"engine.prefix_cache", "--prefix-cache", nullptr, &S::prefix_cache, "",
                "Keep what was read, so that a conversation's next turn reads only what is new"},
    SettingInfo{"engine.drafts", "--drafts", nullptr, &S::drafts, "",
                "Guess tokens ahead from the text so far; changes the speed, never the answer"},
    SettingInfo{"engine.draft_tokens_max", "--draft-tokens", nullptr, &S::draft_tokens_max, "N",
                "Most tokens guessed ahead", 1, 64},
    SettingInfo{"engine.kv_on_disk", "--kv-on-disk", nullptr, &S::kv_on_disk, "",
                "Keep what was read on disk too, for the next start"},
    SettingInfo{"engine.kv_disk", "--kv-disk", nullptr, &S::kv_disk, "SIZE",
                "Most disk space for that, for each model", 0, 64 * kTib},
    SettingInfo{"engine.token_seconds_max", "--token-seconds", nullptr, &S::token_seconds_max, "S",
                "An answer without a new token for so long is ended", 0.1, kDay},
    SettingInfo{"engine.answer_seconds_max", "--answer-seconds", nullptr, &S::answer_seconds_max,
                "S", "An answer that takes longer is ended with what there is", 0.1, 7 * kDay},
    SettingInfo{"engine.queue_seconds_max", "--queue-seconds", nullptr, &S::queue_seconds_max, "S",
                "A request that waits longer is refused", 0.1, kDay},
};

constexpr std::array kAccess = {
    SettingInfo{"access.keys_file", "--api-keys", nullptr, &S::keys_file, "FILE",
                "API keys, as `notso key` writes them; where the file exists, every route but "
                "/health asks for one",
                0, 0, "", "keys in the state folder, if it exists"},
    SettingInfo{"access.rate_limit", "--rate-limit", nullptr, &S::rate_limit, "N",
                "Requests a second for each key, or each address without keys; 0: no limit", 0,
                1'000'000},
    SettingInfo{"access.rate_burst", "--rate-burst", nullptr, &S::rate_burst, "N",
                "Requests that may come at once before that limit holds", 1, 1'000'000},
    SettingInfo{"access.tokens_per_minute", "--tokens-per-minute", nullptr, &S::tokens_per_minute,
                "N", "Generated tokens a minute for each key or address; 0: no limit", 0,
                1'000'000'000},
    SettingInfo{"access.share_prefixes", "--share-prefixes", nullptr, &S::share_prefixes, "",
                "Let different keys share what is cached of equal prompts"},
};

constexpr std::array kSessions = {
    SettingInfo{"sessions.file", "--sessions", nullptr, &S::sessions_file, "FILE",
                "The database of conversations", 0, 0, "", "sessions.db in the state folder"},
    SettingInfo{"sessions.idle_days_max", "--idle-days", nullptr, &S::idle_days_max, "DAYS",
                "Conversations without a new message for so long are removed; 0: never", 0, 36'500},
    SettingInfo{"sessions.deleted_days_max", "--deleted-days", nullptr, &S::deleted_days_max,
                "DAYS", "Deleted conversations can be brought back for so long", 0, 36'500},
};

constexpr std::array kLog = {
    SettingInfo{"log.level", "--log-level", nullptr, &S::log_level, "LEVEL",
                "What is written to the log", 0, 0, "debug info warning error"},
    SettingInfo{"log.format", "--log-format", nullptr, &S::log_format, "FORMAT",
                "Lines of text, or of JSON", 0, 0, "text json"},
    SettingInfo{"log.access", "--log-access", nullptr, &S::log_access, "",
                "A line for every request"},
    SettingInfo{"log.prompts", "--log-prompts", nullptr, &S::log_prompts, "",
                "Allow what people write, and the answers, into the log"},
};

template <std::size_t N, std::size_t... M>
constexpr auto joined(const std::array<SettingInfo, N>& first,
                      const std::array<SettingInfo, M>&... rest) {
  std::vector<SettingInfo> all(first.begin(), first.end());
  (all.insert(all.end(), rest.begin(), rest.end()), ...);
  return all;
}

}  // namespace

std::span<const SettingInfo> setting_table() {
  static const std::vector<SettingInfo> table =
      joined(kServer, kModel, kEngine, kAccess, kSessions, kLog);
  return table;
}

}  // namespace notso
