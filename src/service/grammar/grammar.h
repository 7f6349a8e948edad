// Structured output: a grammar decides, token by token, what a model may say next.
//
//   GrammarSource    what was asked for, as text: a JSON schema, GBNF, a regular expression, ...
//   GrammarVocabulary  the tokens as byte strings
//   Grammar          a source compiled for a vocabulary; shared, with its masks cached
//   GrammarMatcher   where one answer stands; gives the mask of allowed tokens
//   GrammarCache     the grammars used last
//
// A token is allowed iff its bytes lead to a place from which the grammar can still be completed,
// byte for byte. Characters are Unicode code points, tokens may end in the middle of one. The
// tokens that end an answer are allowed exactly where the grammar may end.
//
// Masks: a stack of rules decides what may follow, but for most tokens its top does already. For
// each set of states on top, the vocabulary is walked once; it is remembered which tokens the top
// alone allows, and which run over the end of its rule, with the rest that runs over. A mask is
// then the union of such sets plus a walk over those rests with what really lies below.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace notso {

namespace grammar {
class Automaton;
class TokenTrie;
struct Pushdown;
}  // namespace grammar

// What the model's output shall match, as it was asked for.
struct GrammarSource {
  enum class Kind {
    kGbnf,        // llama.cpp's grammar format, see gbnf.h
    kRegex,       // a regular expression for the whole answer, see regex.h
    kJsonSchema,  // a JSON Schema, see schema.h
    kJsonObject,  // any JSON object; the text is empty
    kToolCalls,   // one call of one of the tools in a JSON array, see tool_call_source
  };
  Kind kind = Kind::kJsonObject;
  std::string text;
};

// A tool's name and the JSON text of the schema of its arguments ("" takes any object).
struct ToolSignature {
  std::string_view name;
  std::string_view parameters;
};

// The source whose answers are {"name": ..., "arguments": {...}} for exactly one of the tools, with
// or without a newline after it.
// Fails where `parameters` is not JSON.
Result<GrammarSource> tool_call_source(std::span<const ToolSignature> tools);

// The tokens of a model, as a grammar sees them. Immutable and shared.
class GrammarVocabulary {
 public:
  // `tokens[id]` are the bytes that the token adds to the output; empty ones are never allowed, nor
  // are the ids in `never` (control tokens). The ids in `ends` end an answer, whatever their bytes.
  GrammarVocabulary(std::span<const std::string_view> tokens, std::span<const std::int32_t> never,
                    std::span<const std::int32_t> ends);
  ~GrammarVocabulary();
  GrammarVocabulary(const GrammarVocabulary&) = delete;
  GrammarVocabulary& operator=(const GrammarVocabulary&) = delete;

  [[nodiscard]] std::size_t size() const { return first_.size() - 1; }
  // 64-bit words of a mask.
  [[nodiscard]] std::size_t mask_words() const { return (size() + 63) / 64; }
  // Empty for ids outside the vocabulary and for those that are never allowed.
  [[nodiscard]] std::string_view bytes(std::int32_t id) const;
  [[nodiscard]] bool is_end(std::int32_t id) const;
  [[nodiscard]] std::span<const std::int32_t> ends() const { return ends_; }
  [[nodiscard]] const grammar::TokenTrie& trie() const { return *trie_; }

 private:
  std::string text_;
  std::vector<std::size_t> first_;  // [size + 1] into text_
  std::vector<std::int32_t> ends_;
  std::unique_ptr<const grammar::TokenTrie> trie_;
};

// A compiled grammar for one vocabulary. Safe to use from many threads; its caches fill as matchers
// go along and are started anew when they grow too large.
class Grammar {
 public:
  static constexpr std::size_t kDefaultCacheBytes = 96u * 1024 * 1024;

  // Errors are kInvalidArgument (malformed), kUnsupported (the construct is named) or
  // kResourceExhausted (over a limit of limits.h), and say where. Takes at most about a second.
  // The caches start anew when they hold more than `max_cache_bytes`.
  static Result<std::shared_ptr<Grammar>> compile(
      const GrammarSource& source, std::shared_ptr<const GrammarVocabulary> vocabulary,
      std::size_t max_cache_bytes = kDefaultCacheBytes);

  // Whether compile() would take the source, without a vocabulary.
  static Status check(const GrammarSource& source);

  // From a machine that is built already; see compile.
  Grammar(std::shared_ptr<const grammar::Pushdown> machine,
          std::shared_ptr<const GrammarVocabulary> vocabulary, std::size_t max_cache_bytes);

  [[nodiscard]] const GrammarVocabulary& vocabulary() const { return *vocabulary_; }

  // What the caches hold, and starting them anew; matchers at work keep those that they have.
  [[nodiscard]] std::size_t cache_bytes() const;
  void drop_caches();

 private:
  friend class GrammarMatcher;
  // The automaton with the caches that new matchers and those of a full one use.
  std::shared_ptr<grammar::Automaton> automaton();

  std::shared_ptr<const grammar::Pushdown> machine_;
  std::shared_ptr<const GrammarVocabulary> vocabulary_;
  std::size_t max_cache_bytes_;
  mutable std::mutex mutex_;
  std::shared_ptr<grammar::Automaton> automaton_;
};

// Where one answer stands. A copy is a clone and costs little: drafts may go on with a copy or be
// rolled back. Use one matcher from one thread at a time.
class GrammarMatcher {
 public:
  // Steps that rollback can take back at most.
  static constexpr std::size_t kMaxRollback = 256;

  // At the start of an answer.
  explicit GrammarMatcher(std::shared_ptr<Grammar> grammar);

  // Goes on by a token; false and no change where the grammar does not allow it.
  bool accept(std::int32_t token);
  // Goes on by bytes that did not come from a token of the vocabulary, as one step.
  bool accept_bytes(std::string_view bytes);
  // Takes back the last steps; false and no change where so many are not there.
  bool rollback(std::size_t steps);

  // Sets exactly the bits of the tokens that accept() would take; `mask` has mask_words() words.
  // Returns how many those are. Fails with kUnsupported where there is none (the vocabulary cannot
  // spell what the grammar wants, or an end token was accepted) and where the grammar is too
  // ambiguous to go on (see the work of limits.h).
  Result<std::uint32_t> fill_mask(std::span<std::uint64_t> mask);

  // Whether the answer may end here.
  [[nodiscard]] bool is_accepting() const;
  // Whether an end token was accepted; nothing more is.
  [[nodiscard]] bool is_finished() const { return finished_; }
  // The bytes that must come next, as far as there is no choice; at most `max_bytes`.
  [[nodiscard]] std::string forced_bytes(std::size_t max_bytes = 256) const;
  // Whether both stand at the same place of the same grammar.
  [[nodiscard]] bool same_state(const GrammarMatcher& other) const;
  // A number that is equal for equal places, as long as the grammar's caches are not started anew.
  [[nodiscard]] std::uint64_t state_number() const { return state_; }

 private:
  void leave_full_automaton();

  std::shared_ptr<Grammar> grammar_;
  std::shared_ptr<grammar::Automaton> automaton_;
  std::uint32_t state_;
  std::uint64_t work_left_;  // for masks that are not in the caches
  bool finished_ = false;
  std::vector<std::uint32_t> history_;
};

// The compiled grammars that were used last, for one vocabulary. Safe to use from many threads.
class GrammarCache {
 public:
  static constexpr std::size_t kDefaultMaxBytes = 192u * 1024 * 1024;

  // Where the caches of all grammars together hold more than `max_bytes`, those of the grammars
  // that were used longest ago start anew.
  explicit GrammarCache(std::shared_ptr<const GrammarVocabulary> vocabulary,
                        std::size_t capacity = 32, std::size_t max_bytes = kDefaultMaxBytes);

  // The same grammar for the same source while it is in the cache. Failures are not cached. Other
  // callers go on while one compiles.
  Result<std::shared_ptr<Grammar>> get(const GrammarSource& source);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<Grammar> grammar;
  };

  Result<std::shared_ptr<Grammar>> find_or_compile(const GrammarSource& source);
  void trim();

  std::shared_ptr<const GrammarVocabulary> vocabulary_;
  std::size_t capacity_;
  std::size_t max_bytes_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // last used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
};

}  // namespace notso
