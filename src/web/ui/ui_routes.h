// The chat page: what a person sees at "/". Every page is whole HTML that works without scripts;
// with them, pieces are exchanged and answers are streamed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/store/session_store.h"
#include "service/turns/turn_service.h"
#include "web/http/router.h"
#include "web/ui/ui_model.h"

namespace notso::ui {

// What the page is made of. The functions are called from the server's threads, and must be quick.
struct UiContext {
  SessionStore* store = nullptr;
  std::function<std::shared_ptr<TurnService>()> turns;  // gives null while no model is ready
  std::function<UiModel()> model;
  std::function<std::vector<UiFact>()> model_facts;   // what runs, device, memory, speed
  std::function<std::vector<UiFact>()> server_facts;  // requests, queue, cache
  UiModelActions models;
};

// Adds the page's routes. Fails only by a fault of our own.
Status add_ui_routes(http::Router& router, UiContext context);

}  // namespace notso::ui
