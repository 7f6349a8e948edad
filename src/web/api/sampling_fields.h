// How an answer is to be drawn and when it is to end: the fields that all APIs share, by the names
// that OpenAI, llama.cpp and vLLM give them.
#pragma once

#include "service/chat/answer_state.h"
#include "web/api/json_fields.h"

namespace notso::api {

// Reads temperature, top_p, top_k, min_p, frequency_penalty, presence_penalty, repetition_penalty
// (or repeat_penalty), logit_bias and seed. What is not given stays as it is.
void read_sampling(Fields& fields, SamplingParams& sampling);

// Reads stop, or what an API calls it: a string or an array of them.
void read_stop(Fields& fields, std::vector<std::string>& stop, std::string_view key = "stop");

// Reads max_completion_tokens or, where that is missing, max_tokens; at least `low`, or
// -1 for as many as there is room for.
void read_max_tokens(Fields& fields, std::int32_t low, std::int32_t& max_tokens);

// Reads what the content must match: response_format (text, json_object, json_schema, grammar,
// regex), or one of json_schema, grammar and regex on the top level.
void read_response_format(Fields& fields, std::optional<GrammarSource>& format);

// Reads a field that holds a JSON schema.
void read_schema(Fields& fields, std::string_view key, std::optional<GrammarSource>& format);

// How much thought each reasoning_effort buys; nothing for a word that is none.
struct Effort {
  bool thinking = true;
  std::optional<std::int32_t> budget;  // tokens; unset: as many as it likes
};
[[nodiscard]] std::optional<Effort> effort_named(std::string_view name);

}  // namespace notso::api
