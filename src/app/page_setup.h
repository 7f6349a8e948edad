// What the chat page is told of the server: how it stands with the model, and the figures of its
// panels.
#pragma once

#include <functional>
#include <memory>

#include "app/server_models.h"
#include "service/store/session_store.h"
#include "service/turns/turn_service.h"
#include "web/ops/ops_status.h"
#include "web/ui/ui_routes.h"

namespace notso {

// The page's context. `status` and `turns` are asked at every page; `store` and `models` must
// outlive the server.
[[nodiscard]] ui::UiContext page_context(SessionStore& store, ServerModels& models,
                                         std::function<ops::OpsStatus()> status,
                                         std::function<std::shared_ptr<TurnService>()> turns);

}  // namespace notso
