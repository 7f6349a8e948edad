#include "web/api/sampling_fields.h"

#include <boost/json.hpp>
#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "service/chat/stop_strings.h"
#include "web/api/api_context.h"

namespace notso::api {
namespace {

namespace json = boost::json;

constexpr std::int32_t kInt32Max = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kInt64Min = std::numeric_limits<std::int64_t>::min();
constexpr std::size_t kGrammarBytesMax = std::size_t{256} << 10U;

// Without one, or with -1, which many clients send for "any", every answer is another one.
void read_seed(Fields& fields, SamplingParams& sampling) {
  std::int64_t seed = -1;
  fields.integer("seed", kInt64Min, kInt64Max, seed);
  sampling.seed = seed == -1 ? random_bits() : static_cast<std::uint64_t>(seed);
}

void read_logit_bias(Fields& fields, SamplingParams& sampling) {
  const json::object* biases = fields.object("logit_bias");
  if (biases == nullptr) return;
  if (biases->size() > kLogitBiasesMax) {
    fields.refuse("logit_bias",
                  fmt::format("has {} entries; the limit is {}", biases->size(), kLogitBiasesMax));
    return;
  }
  Fields entries(*biases, fields.name_of("logit_bias"));
  sampling.logit_bias.clear();
  for (const auto& entry : *biases) {
    const std::string_view key = entry.key();
    LogitBias bias;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), bias.token);
    if (error != std::errc() || end != key.data() + key.size()) {
      fields.refuse("logit_bias", "has a key that is no token id");
      return;
    }
    entries.number(key, -100, 100, bias.bias);
    sampling.logit_bias.push_back(bias);
  }
  if (entries.error()) fields.refuse(*entries.error());
}

// A field that holds a grammar of this kind as text.
void read_grammar_text(Fields& fields, std::string_view key, GrammarSource::Kind kind,
                       std::optional<GrammarSource>& format) {
  if (!fields.has(key)) return;
  GrammarSource source{kind, {}};
  fields.string(key, kGrammarBytesMax, source.text);
  format = std::move(source);
}

void read_format_object(Fields& fields, const json::object& object,
                        std::optional<GrammarSource>& format) {
  Fields inner(object, fields.name_of("response_format"));
  std::string type;
  inner.string("type", 64, type);
  if (type == "json_object") {
    format = GrammarSource{GrammarSource::Kind::kJsonObject, {}};
    read_schema(inner, "schema", format);
  } else if (type == "json_schema") {
    const json::object* wrapped = inner.object("json_schema");
    if (wrapped == nullptr) {
      inner.refuse("json_schema", "is missing");
    } else {
      Fields schema(*wrapped, inner.name_of("json_schema"));
      if (!schema.has("schema")) schema.refuse("schema", "is missing");
      read_schema(schema, "schema", format);
      if (schema.error()) inner.refuse(*schema.error());
    }
  } else if (type == "grammar") {
    if (!inner.has("grammar")) inner.refuse("grammar", "is missing");
    read_grammar_text(inner, "grammar", GrammarSource::Kind::kGbnf, format);
  } else if (type == "regex") {
    if (!inner.has("regex")) inner.refuse("regex", "is missing");
    read_grammar_text(inner, "regex", GrammarSource::Kind::kRegex, format);
  } else if (type != "text") {
    inner.refuse("type", "must be text, json_object, json_schema, grammar or regex");
  }
  if (inner.error()) fields.refuse(*inner.error());
}

}  // namespace

void read_schema(Fields& fields, std::string_view key, std::optional<GrammarSource>& format) {
  const json::value* schema = fields.find(key);
  if (schema == nullptr) return;
  if (!schema->is_object() && !schema->is_bool()) {
    fields.refuse(key, fmt::format("must be a JSON schema, not {}", kind_name(*schema)));
    return;
  }
  std::string text = json::serialize(*schema);
  if (text.size() > kGrammarBytesMax) {
    fields.refuse(key, fmt::format("has {} bytes; the limit is {}", text.size(), kGrammarBytesMax));
    return;
  }
  format = GrammarSource{GrammarSource::Kind::kJsonSchema, std::move(text)};
}

void read_sampling(Fields& fields, SamplingParams& sampling) {
  fields.number("temperature", 0, 2, sampling.temperature);
  fields.number("top_p", 0, 1, sampling.top_p);
  fields.number("min_p", 0, 1, sampling.min_p);
  // -1 switches it off for vLLM, as 0 does for everybody.
  fields.integer("top_k", -1, kInt32Max, sampling.top_k);
  if (sampling.top_k < 0) sampling.top_k = 0;
  fields.number("frequency_penalty", -2, 2, sampling.frequency_penalty);
  fields.number("presence_penalty", -2, 2, sampling.presence_penalty);
  fields.number("repeat_penalty", 0.1, 10, sampling.repetition_penalty);
  fields.number("repetition_penalty", 0.1, 10, sampling.repetition_penalty);
  read_seed(fields, sampling);
  read_logit_bias(fields, sampling);
}

void read_stop(Fields& fields, std::vector<std::string>& stop, std::string_view key) {
  fields.strings(key, kStopStringsMax, kStopStringBytesMax, stop);
  if (fields.error()) return;
  if (auto valid = validate_stop_strings(stop); !valid) {
    fields.refuse(key, std::move(valid.error()));
  }
}

void read_max_tokens(Fields& fields, std::int32_t low, std::int32_t& max_tokens) {
  const bool newer = fields.has("max_completion_tokens");
  const std::string_view key = newer ? "max_completion_tokens" : "max_tokens";
  // Many programs write -1 for "as many as there is room for".
  const json::value* given = fields.find(key);
  if (given != nullptr && given->is_int64() && given->get_int64() == -1) {
    max_tokens = kInt32Max;
    return;
  }
  fields.integer(key, low, kInt32Max, max_tokens);
}

void read_response_format(Fields& fields, std::optional<GrammarSource>& format) {
  int given = 0;
  for (const std::string_view key : {"response_format", "json_schema", "grammar", "regex"}) {
    given += fields.has(key) ? 1 : 0;
    if (given > 1) fields.refuse(key, "does not go with another format of the answer");
  }
  if (const json::object* object = fields.object("response_format")) {
    read_format_object(fields, *object, format);
  }
  read_schema(fields, "json_schema", format);
  read_grammar_text(fields, "grammar", GrammarSource::Kind::kGbnf, format);
  read_grammar_text(fields, "regex", GrammarSource::Kind::kRegex, format);
}

std::optional<Effort> effort_named(std::string_view name) {
  if (name == "none" || name == "minimal") return Effort{false, std::nullopt};
  if (name == "low") return Effort{true, 512};
  if (name == "medium") return Effort{true, 2048};
  if (name == "high") return Effort{true, 8192};
  if (name == "xhigh" || name == "max") return Effort{true, std::nullopt};
  return std::nullopt;
}

}  // namespace notso::api
