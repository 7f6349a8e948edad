#include "service/chat/answer_fixture.h"

#include "base/check.h"
#include "ml/core/cpu/cpu_backend.h"
#include "ml/core/gguf/gguf_bytes.h"
#include "ml/core/tokenizer/small_vocab.h"
#include "ml/smollm3/synth.h"

namespace notso {
namespace {

// One delta's kind with what it belongs to, and its text.
struct Part {
  std::string kind;
  std::string text;
};

Part part_of(const ChatEvent& event) {
  if (const auto* thinking = std::get_if<ThinkingDelta>(&event)) return {"think", thinking->text};
  if (const auto* content = std::get_if<ContentDelta>(&event)) return {"text", content->text};
  if (std::holds_alternative<Warning>(event)) return {"warning", ""};
  if (std::holds_alternative<Finished>(event)) return {"end", ""};
  const auto& call = std::get<ToolCallDelta>(event);
  const std::string index = std::to_string(call.index);
  if (call.id.empty()) return {"args" + index, call.arguments_delta};
  NOTSO_CHECK(call.arguments_delta.empty());
  return {"call" + index, call.id + ":" + call.name};
}

}  // namespace

std::string summary(std::span<const ChatEvent> events) {
  std::vector<Part> parts;
  for (const ChatEvent& event : events) {
    Part part = part_of(event);
    if (!parts.empty() && parts.back().kind == part.kind && part.kind != "warning") {
      parts.back().text += part.text;
    } else {
      parts.push_back(std::move(part));
    }
  }
  std::string line;
  for (const Part& part : parts) {
    if (!line.empty()) line += ' ';
    line += part.kind;
    if (part.kind != "warning" && part.kind != "end") line += "(" + part.text + ")";
  }
  return line;
}

bool is_utf8(const std::string& text) {
  Utf8Stream stream;
  std::string repaired;
  stream.feed(text, repaired);
  stream.finish(repaired);
  return repaired == text;
}

std::shared_ptr<const Tokenizer> mark_tokenizer() {
  static const auto tokenizer =
      tokenizer_of({.user_defined = {"<think>", "</think>", "<tool_call>", "</tool_call>", "<code>",
                                     "</code>", "<tool_response>"}});
  return tokenizer;
}

TinyModel make_tiny_model(const smollm3::ModelOptions& options) {
  const TempFile file;
  SynthOptions synth;
  synth.mix = SynthMix::kQ8_0;
  synth.seed = 4;
  NOTSO_CHECK(write_synthetic_model(file.path(), synth));
  auto gguf = GgufFile::open(file.path());
  NOTSO_CHECK(gguf);
  TinyModel made;
  auto tokenizer = Tokenizer::from_gguf(**gguf);
  CpuOptions cpu;
  cpu.threads = 1;
  auto backend = make_cpu_backend(cpu);
  NOTSO_CHECK(tokenizer && backend);
  made.tokenizer = *tokenizer;
  made.backend = std::move(*backend);
  auto model = smollm3::Model::load(*gguf, *made.backend, options);
  NOTSO_CHECK(model);
  made.model = std::move(*model);
  return made;
}

TinyModel& tiny_model() {
  static TinyModel tiny = make_tiny_model({.context = 512, .max_outputs = 1});
  return tiny;
}

}  // namespace notso
