// OpenAI's API: models, chat completions, completions, and llama.cpp's tools around them (tokenize,
// detokenize, apply-template).
#pragma once

#include "web/api/api_context.h"
#include "web/http/router.h"

namespace notso::api {

// Adds the routes. `context` must outlive the router.
void add_openai_routes(http::Router& router, const ApiContext& context);

// The part of them that writes raw prompts on: POST /v1/completions.
void add_completions_routes(http::Router& router, const ApiContext& context);

// The part of them that shows what the model reads: POST /tokenize, /detokenize, /apply-template.
void add_token_routes(http::Router& router, const ApiContext& context);

}  // namespace notso::api
