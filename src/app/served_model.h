// A model as the server runs it: the file's parts, the engine that runs them, and the chat service
// on top, in one piece that is made and let go as a whole.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/model_setup.h"
#include "app/settings.h"
#include "base/result.h"
#include "service/access/rate_limit.h"
#include "service/chat/chat_service.h"
#include "service/engine/engine.h"
#include "service/engine/smollm3_step_model.h"

namespace notso {

// The members are destroyed in reverse order: the service before the engine, that before the model.
struct ServedModel {
  LoadedModel loaded;
  std::unique_ptr<SmolLm3StepModel> steps;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<ChatService> chat;
};

// Opens the model's file far enough to know that it will do; takes milliseconds.
[[nodiscard]] Status check_model_file(const Settings& settings);

// Loads the model and starts its engine. Generated tokens are charged to `tokens` where there is a
// limit on them.
[[nodiscard]] Result<std::shared_ptr<ServedModel>> load_served_model(const Settings& settings,
                                                                     RateLimiter& tokens,
                                                                     const LoadProgress& progress);

}  // namespace notso
