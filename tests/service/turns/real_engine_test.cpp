// Turns over the real engine and a tiny model with random weights: whatever breaks an answer off,
// its text is the one that it would have been.

#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <string>

#include "base/check.h"
#include "ml/core/cpu/cpu_backend.h"
#include "ml/smollm3/synth.h"
#include "service/engine/engine.h"
#include "service/engine/smollm3_step_model.h"
#include "turns_fixture.h"

namespace notso {
namespace {

class RealTurns : public StoreTest {
 protected:
  RealTurns() {
    const std::string path = folder_ / "tiny.gguf";
    SynthOptions synth;
    synth.mix = SynthMix::kQ8_0;
    synth.seed = 4;
    NOTSO_CHECK(write_synthetic_model(path, synth));
    CpuOptions cpu;
    cpu.threads = 1;
    file_ = *GgufFile::open(path);
    tokenizer_ = *Tokenizer::from_gguf(*file_);
    backend_ = std::move(*make_cpu_backend(cpu));
    smollm3::ModelOptions options;
    options.context = 1024;
    model_ = std::move(*smollm3::Model::load(file_, *backend_, options));
    step_model_ = std::move(*SmolLm3StepModel::make(*model_, *file_, *backend_));
    turn_options_.titles = false;
    turn_options_.followups = false;
  }
  ~RealTurns() override { end(); }

  void start() {
    store_ = open_sqlite_store(options_);
    EngineOptions engine;
    engine.kv_bytes_max = std::size_t{64} << 20U;
    engine_ = std::move(*Engine::start(*step_model_, engine));
    ChatModelInfo info;
    info.name = "tiny";
    info.context = step_model_->context();
    chat_ = std::make_unique<ChatService>(*engine_, tokenizer_,
                                          *PromptBuilder::from_gguf(*file_, tokenizer_), info,
                                          step_model_->vocab_size());
    turns_ = TurnService::make(*chat_, *store_, turn_options_);
  }
  void end() {
    turns_.reset();
    engine_.reset();
    chat_.reset();
    store_.reset();
  }

  // A new store with one conversation.
  void begin_anew() {
    end();
    std::filesystem::remove(options_.path);
    start();
    TurnSettings settings;
    settings.tools = false;
    settings.max_tokens = 120;
    id_ = WaitingStore(*store_).create("anna", "", write_turn_settings(settings))->id;
  }
  void send(const std::string& text) {
    ASSERT_TRUE(wait_for<TurnService::Started>(
        [&](auto then) { turns_->send({"anna"}, id_, 0, text, "", then); }));
  }
  StoredMessage last() {
    const auto path = WaitingStore(*store_).path("anna", id_);
    return path->back();
  }

  // Waits until the answer is at least as far as this, or over.
  void wait_while_running(TurnPhase phase) {
    while (last().state == MessageState::kRunning) {
      const auto status = turns_->status(id_);
      if (phase < TurnPhase::kDone && status && status->phase >= phase) return;
    }
  }

  TurnOptions turn_options_;
  std::shared_ptr<const GgufFile> file_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<smollm3::Model> model_;
  std::unique_ptr<SmolLm3StepModel> step_model_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ChatService> chat_;
  std::unique_ptr<TurnService> turns_;
  SessionId id_;
};

TEST_F(RealTurns, SayTheSameThroughRestartsAtAnyPoint) {
  begin_anew();
  {
    Page page(*turns_, id_);
    send("Tell me of bread.");
    page.wait_for_end();
  }
  const StoredMessage whole = last();
  EXPECT_GT(whole.message.tokens.size(), 30U);
  begin_anew();
  send("Tell me of bread.");
  for (int restart = 0; restart < 3; ++restart) {
    wait_while_running(TurnPhase::kGenerating);
    end();
    start();
    turns_->recover();
  }
  wait_while_running(TurnPhase::kDone);
  EXPECT_EQ(last().message.content, whole.message.content);
  EXPECT_EQ(last().message.reasoning, whole.message.reasoning);
  EXPECT_EQ(last().message.tokens, whole.message.tokens);
}

TEST_F(RealTurns, RunBesideEachOther) {
  begin_anew();
  send("Tell me of bread.");
  const SessionId first = id_;
  Page first_page(*turns_, first);
  const auto settings = WaitingStore(*store_).get("anna", first)->settings;
  id_ = WaitingStore(*store_).create("anna", "", settings)->id;
  Page second_page(*turns_, id_);
  send("Tell me of cheese.");
  ASSERT_TRUE(wait_for<void>([&](auto then) { turns_->stop("anna", id_, then); }));
  first_page.wait_for_end();
  EXPECT_NE(last().state, MessageState::kRunning);
}

}  // namespace
}  // namespace notso
