// A model as the server runs it: the file's parts, the engine that runs them, and the chat service
// on top, in one piece that is made and let go as a whole. Several may be there at once.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/model_setup.h"
#include "app/settings.h"
#include "base/result.h"
#include "service/access/rate_limit.h"
#include "service/chat/chat_service.h"
#include "service/engine/interruptible_engine.h"
#include "service/engine/smollm3_step_model.h"
#include "service/models/model_host.h"

namespace notso {

// The members are destroyed in reverse order: the service before the engine, that before the model.
struct ServedModel final : HostedModel {
  [[nodiscard]] std::uint64_t memory_bytes() const override;
  [[nodiscard]] std::size_t busy() const override;
  void end_all(const std::string& why) override;

  LoadedModel loaded;
  std::unique_ptr<SmolLm3StepModel> steps;
  std::unique_ptr<InterruptibleEngine> engine;
  std::unique_ptr<ChatService> chat;
};

// What is particular to one of them.
struct ServedModelWish {
  std::string path;
  std::string name;            // what the API calls it; "": the file's name
  std::string tokenizer_path;  // "": the file's own
  std::size_t kv_bytes = 0;
};

// The least memory for keys and values that a model is started with.
inline constexpr std::size_t kLeastKvBytes = std::size_t{64} << 20U;

// Opens the model's file far enough to know that it will do; takes milliseconds.
[[nodiscard]] Status check_model_file(const Settings& settings);

// Loads the model and starts its engine. Generated tokens are charged to `tokens` where there is a
// limit on them.
[[nodiscard]] Result<std::shared_ptr<ServedModel>> load_served_model(const Settings& settings,
                                                                     const ServedModelWish& wish,
                                                                     RateLimiter& tokens,
                                                                     const LoadProgress& progress);

}  // namespace notso
