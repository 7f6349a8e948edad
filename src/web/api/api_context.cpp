#include "web/api/api_context.h"

#include <fmt/format.h>
#include <random>
#include <utility>

namespace notso::api {

bool names_model(std::string_view name, const ChatModelInfo& info) {
  if (name.empty() || name == "default" || name == info.name) return true;
  const std::string_view path = info.path;
  const std::string_view file = path.substr(path.find_last_of('/') + 1);
  return !file.empty() && (name == file || name == file.substr(0, file.rfind(".gguf")));
}

ApiContext context_of(std::shared_ptr<ChatService> service) {
  ApiContext context;
  context.models = [service] { return std::vector<ListedModel>{{service->info(), true}}; };
  context.model = [service = std::move(service)](const std::string& name, const TakeModel& take) {
    if (names_model(name, service->info())) return take(service);
    take(fail(ErrorCode::kNotFound, fmt::format("there is no model '{}'; this server runs '{}'",
                                                name, service->info().name)));
  };
  return context;
}

std::int64_t unix_now_s() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

std::uint64_t random_bits() {
  thread_local std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

std::string random_id(std::string_view prefix) {
  return fmt::format("{}{:016x}{:08x}", prefix, random_bits(), random_bits() >> 32U);
}

std::string system_fingerprint(const ChatModelInfo& info) {
  // FNV-1a: no secret, and the same everywhere.
  std::uint64_t hash = 14695981039346656037U;
  const std::string facts = fmt::format("{}|{}|{}", info.name, info.file_bytes, info.description);
  for (const char c : facts) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return fmt::format("notso-{:010x}", hash >> 24U);
}

}  // namespace notso::api
