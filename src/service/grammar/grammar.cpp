#include "service/grammar/grammar.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "service/grammar/automaton.h"
#include "service/grammar/expression.h"
#include "service/grammar/gbnf.h"
#include "service/grammar/json_rules.h"
#include "service/grammar/limits.h"
#include "service/grammar/pushdown.h"
#include "service/grammar/regex.h"
#include "service/grammar/schema.h"
#include "service/grammar/token_trie.h"

namespace notso {
namespace {

using grammar::Configurations;

Result<grammar::RuleId> parse(const GrammarSource& source, grammar::ExpressionPool& pool) {
  switch (source.kind) {
    case GrammarSource::Kind::kGbnf:
      return grammar::parse_gbnf(source.text, pool);
    case GrammarSource::Kind::kRegex:
      return grammar::parse_regex_rule(source.text, pool);
    case GrammarSource::Kind::kJsonSchema:
      return grammar::parse_schema(source.text, pool);
    case GrammarSource::Kind::kToolCalls:
      return grammar::parse_tool_calls(source.text, pool);
    case GrammarSource::Kind::kJsonObject:
      break;
  }
  return grammar::any_object_rule(pool);
}

}  // namespace

GrammarVocabulary::GrammarVocabulary(std::span<const std::string_view> tokens,
                                     std::span<const std::int32_t> never,
                                     std::span<const std::int32_t> ends)
    : ends_(ends.begin(), ends.end()) {
  std::erase_if(ends_, [&](std::int32_t id) {
    return id < 0 || static_cast<std::size_t>(id) >= tokens.size();
  });
  std::sort(ends_.begin(), ends_.end());
  ends_.erase(std::unique(ends_.begin(), ends_.end()), ends_.end());
  std::vector<char> hidden(tokens.size(), 0);
  for (const std::int32_t id : never) {
    if (id >= 0 && static_cast<std::size_t>(id) < tokens.size()) {
      hidden[static_cast<std::size_t>(id)] = 1;
    }
  }
  for (const std::int32_t id : ends_) hidden[static_cast<std::size_t>(id)] = 1;
  first_.push_back(0);
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    // What the tree leaves out for its length must not be accepted either.
    if (!hidden[id] && tokens[id].size() <= 0xFFFF) text_ += tokens[id];
    first_.push_back(text_.size());
  }
  std::vector<grammar::TrieEntry> entries;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const auto token = static_cast<std::uint32_t>(id);
    entries.push_back({bytes(static_cast<std::int32_t>(id)), token});
  }
  trie_ = std::make_unique<const grammar::TokenTrie>(std::move(entries));
}

GrammarVocabulary::~GrammarVocabulary() = default;

std::string_view GrammarVocabulary::bytes(std::int32_t id) const {
  if (id < 0 || static_cast<std::size_t>(id) >= size()) return {};
  const auto index = static_cast<std::size_t>(id);
  return std::string_view(text_).substr(first_[index], first_[index + 1] - first_[index]);
}

bool GrammarVocabulary::is_end(std::int32_t id) const {
  return std::binary_search(ends_.begin(), ends_.end(), id);
}

Grammar::Grammar(std::shared_ptr<const grammar::Pushdown> machine,
                 std::shared_ptr<const GrammarVocabulary> vocabulary, std::size_t max_cache_bytes)
    : machine_(std::move(machine)),
      vocabulary_(std::move(vocabulary)),
      max_cache_bytes_(max_cache_bytes) {}

namespace {

Result<std::shared_ptr<const grammar::Pushdown>> machine_of(const GrammarSource& source) {
  if (source.text.size() > grammar::kMaxSourceBytes) {
    return fail(ErrorCode::kResourceExhausted,
                "The grammar has " + std::to_string(source.text.size()) + " bytes; at most " +
                    std::to_string(grammar::kMaxSourceBytes) + " are allowed.");
  }
  grammar::ExpressionPool pool;
  Result<grammar::RuleId> root = parse(source, pool);
  if (!root) return pass_on(root);
  return grammar::build_pushdown(pool, *root);
}

}  // namespace

Status Grammar::check(const GrammarSource& source) {
  auto machine = machine_of(source);
  return machine ? Status() : pass_on(machine);
}

Result<std::shared_ptr<Grammar>> Grammar::compile(
    const GrammarSource& source, std::shared_ptr<const GrammarVocabulary> vocabulary,
    std::size_t max_cache_bytes) {
  auto machine = machine_of(source);
  if (!machine) return pass_on(machine);
  return std::make_shared<Grammar>(std::move(*machine), std::move(vocabulary), max_cache_bytes);
}

std::size_t Grammar::cache_bytes() const {
  const std::scoped_lock lock(mutex_);
  if (automaton_ == nullptr) return 0;
  const std::scoped_lock inner(automaton_->mutex);
  return automaton_->memory_bytes();
}

void Grammar::drop_caches() {
  const std::scoped_lock lock(mutex_);
  automaton_ = nullptr;
}

std::shared_ptr<grammar::Automaton> Grammar::automaton() {
  const std::scoped_lock lock(mutex_);
  bool is_full = automaton_ == nullptr;
  if (!is_full) {
    const std::scoped_lock inner(automaton_->mutex);
    is_full = automaton_->is_full();
  }
  if (is_full)
    automaton_ = std::make_shared<grammar::Automaton>(machine_, vocabulary_, max_cache_bytes_);
  return automaton_;
}

GrammarMatcher::GrammarMatcher(std::shared_ptr<Grammar> grammar)
    : grammar_(std::move(grammar)),
      automaton_(grammar_->automaton()),
      state_(automaton_->configs.start()),
      work_left_(grammar::kMaxAnswerWork) {}

// Moves over to fresh caches, so that those of this grammar stay within their limit.
void GrammarMatcher::leave_full_automaton() {
  {
    const std::scoped_lock lock(automaton_->mutex);
    if (!automaton_->is_full()) return;
  }
  const std::shared_ptr<grammar::Automaton> fresh = grammar_->automaton();
  if (fresh == automaton_) return;
  // This may be the last user of the full one, whose mutex must outlive the lock.
  const std::shared_ptr<grammar::Automaton> full = std::exchange(automaton_, fresh);
  const std::scoped_lock lock(full->mutex, fresh->mutex);
  state_ = full->configs.copy_to(fresh->configs, state_);
  for (std::uint32_t& state : history_) state = full->configs.copy_to(fresh->configs, state);
}

bool GrammarMatcher::accept(std::int32_t token) {
  if (grammar_->vocabulary().is_end(token)) {
    if (finished_ || !is_accepting()) return false;
    history_.push_back(state_);
    finished_ = true;
    return true;
  }
  const std::string_view bytes = grammar_->vocabulary().bytes(token);
  return !bytes.empty() && accept_bytes(bytes);
}

bool GrammarMatcher::accept_bytes(std::string_view bytes) {
  if (finished_) return false;
  leave_full_automaton();
  {
    const std::scoped_lock lock(automaton_->mutex);
    automaton_->configs.reset_work();
    const std::uint32_t next = automaton_->run(state_, bytes);
    work_left_ -= std::min(work_left_, automaton_->configs.work());
    if (next == Configurations::kDead) return false;
    if (history_.size() >= 2 * kMaxRollback) {
      history_.erase(history_.begin(), history_.begin() + kMaxRollback);
    }
    history_.push_back(state_);
    state_ = next;
  }
  return true;
}

bool GrammarMatcher::rollback(std::size_t steps) {
  if (steps > history_.size()) return false;
  if (steps == 0) return true;
  state_ = history_[history_.size() - steps];
  history_.resize(history_.size() - steps);
  finished_ = false;
  return true;
}

Result<std::uint32_t> GrammarMatcher::fill_mask(std::span<std::uint64_t> mask) {
  std::fill(mask.begin(), mask.end(), 0);
  if (!finished_) {
    leave_full_automaton();
    const std::scoped_lock lock(automaton_->mutex);
    work_left_ += grammar::kWorkPerMask;
    if (!automaton_->add_mask(state_, mask, work_left_)) {
      return fail(ErrorCode::kUnsupported,
                  "The grammar is too ambiguous here to go on; make its alternatives differ "
                  "earlier.");
    }
    if (automaton_->configs.accepts(state_)) {
      for (const std::int32_t id : grammar_->vocabulary().ends()) {
        const auto bit = static_cast<std::uint32_t>(id);
        mask[bit / 64] |= std::uint64_t{1} << (bit % 64);
      }
    }
  }
  std::uint32_t allowed = 0;
  for (const std::uint64_t word : mask) allowed += static_cast<std::uint32_t>(std::popcount(word));
  if (allowed == 0) {
    return fail(ErrorCode::kUnsupported,
                finished_ ? "The answer has ended; no token can follow."
                          : "No token of the vocabulary can continue the grammar here.");
  }
  return allowed;
}

bool GrammarMatcher::is_accepting() const {
  const std::scoped_lock lock(automaton_->mutex);
  return automaton_->configs.accepts(state_);
}

std::string GrammarMatcher::forced_bytes(std::size_t max_bytes) const {
  std::string out;
  if (finished_) return out;
  const std::scoped_lock lock(automaton_->mutex);
  std::uint32_t state = state_;
  while (out.size() < max_bytes) {
    const int byte = automaton_->configs.only_byte(state);
    if (byte < 0) break;
    out += static_cast<char>(byte);
    state = automaton_->configs.step(state, static_cast<std::uint8_t>(byte));
  }
  return out;
}

bool GrammarMatcher::same_state(const GrammarMatcher& other) const {
  return automaton_ == other.automaton_ && state_ == other.state_ && finished_ == other.finished_;
}

GrammarCache::GrammarCache(std::shared_ptr<const GrammarVocabulary> vocabulary,
                           std::size_t capacity, std::size_t max_bytes)
    : vocabulary_(std::move(vocabulary)),
      capacity_(std::max<std::size_t>(capacity, 1)),
      max_bytes_(max_bytes) {}

// The caches grow while answers are written, so they are looked at when the next answer begins.
void GrammarCache::trim() {
  std::vector<std::shared_ptr<Grammar>> grammars;  // not asked under the lock: an answer may be
  {                                                // in the middle of a mask
    const std::scoped_lock lock(mutex_);
    for (const Entry& entry : entries_) grammars.push_back(entry.grammar);
  }
  std::size_t bytes = 0;
  for (const auto& grammar : grammars) {
    bytes += grammar->cache_bytes();
    if (bytes > max_bytes_ && grammar != grammars.front()) grammar->drop_caches();
  }
}

Result<std::shared_ptr<Grammar>> GrammarCache::get(const GrammarSource& source) {
  auto grammar = find_or_compile(source);
  if (grammar) trim();
  return grammar;
}

Result<std::shared_ptr<Grammar>> GrammarCache::find_or_compile(const GrammarSource& source) {
  std::string key = std::to_string(static_cast<int>(source.kind)) + ":" + source.text;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = by_key_.find(key);
    if (found != by_key_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return found->second->grammar;
    }
  }
  auto grammar = Grammar::compile(source, vocabulary_);
  if (!grammar) return pass_on(grammar);
  const std::scoped_lock lock(mutex_);
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) return found->second->grammar;
  entries_.push_front({std::move(key), *grammar});
  by_key_.emplace(entries_.front().key, entries_.begin());
  if (entries_.size() > capacity_) {
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
  return *grammar;
}

}  // namespace notso
