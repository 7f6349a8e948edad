// What `notso serve-bench` measures: an engine under load, and what the engine is for: warm
// prefixes, even gaps, many streams, guessed tokens. Answers are written by the benchmark and not
// by the model (teacher forcing): speed does not depend on what is said, but whether text repeats
// itself must be in the benchmark's hand.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/engine/engine.h"

namespace notso {

// One number of the result: "prefix.warm_first_token_ms" and so on.
struct ServeBenchFigure {
  std::string name;
  double value = 0;
  std::string unit;
  std::string note;  // what is asked of it, or how it is meant
};

// How much to measure.
struct ServeBenchOptions {
  double rate = 0.2;           // requests a second, on average
  std::int32_t requests = 40;  // of the load
  std::int32_t prompt = 120;   // tokens of a user's message, on average
  std::int32_t gen = 64;       // tokens of an answer, on average
  std::int32_t streams = 8;
  std::int32_t rounds = 5;
  bool drafts = true;
  std::uint64_t seed = 1;
};

// What every scenario gets.
struct ServeBench {
  StepModel& model;
  EngineOptions engine;
  ServeBenchOptions options;
  std::function<void(const std::string& line)> progress;
};

// Chat-shaped requests that arrive at random moments, whether or not earlier ones are done: times
// to the first token, between tokens and in the queue, and tokens a second in all.
[[nodiscard]] Result<std::vector<ServeBenchFigure>> bench_load(ServeBench& bench);

// The time to the first token of 20 new tokens behind a system prompt of 300: cold, warm, and with
// an engine that has just started and finds the prefix on disk.
[[nodiscard]] Result<std::vector<ServeBenchFigure>> bench_prefix(ServeBench& bench);

// The gaps between one stream's tokens, alone and while a prompt of 4,000 tokens is read.
[[nodiscard]] Result<std::vector<ServeBenchFigure>> bench_gap(ServeBench& bench);

// Tokens a second of one stream, and of many at once together.
[[nodiscard]] Result<std::vector<ServeBenchFigure>> bench_streams(ServeBench& bench);

// Decoding with guesses against decoding without: an answer that quotes its prompt with small
// edits, and one in which nothing repeats.
[[nodiscard]] Result<std::vector<ServeBenchFigure>> bench_drafts(ServeBench& bench);

// 10,000 short requests, one in five cancelled: times to the first token and resident memory at the
// beginning and at the end. Meant for a small model.
[[nodiscard]] Result<std::vector<ServeBenchFigure>> bench_soak(ServeBench& bench);

}  // namespace notso
