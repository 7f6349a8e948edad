#include "service/grammar/gbnf_oracle.h"

#include <codecvt>
#include <locale>
#include <stdexcept>

namespace notso {
namespace {

std::u32string decode(const std::string& text) {
  std::wstring_convert<std::codecvt_utf8<char32_t>, char32_t> convert;
  return convert.from_bytes(text);
}

bool is_word(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

}  // namespace

GbnfOracle::GbnfOracle(const std::string& grammar) : source_(decode(grammar) + U'\n') {
  skip(true);
  while (at_ < source_.size()) {
    std::string name;
    while (is_word(source_[at_])) name += static_cast<char>(source_[at_++]);
    skip(false);
    if (source_.substr(at_, 3) != U"::=") throw std::runtime_error("no ::= after " + name);
    at_ += 3;
    skip(true);
    rules_[name] = read_alternatives(false);
    skip(true);
  }
}

void GbnfOracle::skip(bool over_lines) {
  for (; at_ < source_.size(); ++at_) {
    if (source_[at_] == '#') at_ = source_.find(U'\n', at_);
    const char32_t c = source_[at_];
    if (c != ' ' && c != '\t' && !(over_lines && c == '\n')) return;
    if (c == '\n' && !over_lines) return;
  }
}

GbnfOracle::Alternatives GbnfOracle::read_alternatives(bool nested) {
  Alternatives out(1);
  for (;;) {
    skip(nested);
    if (!nested && source_[at_] == '\n') {
      const std::size_t line_end = at_;
      skip(true);
      if (at_ >= source_.size() || source_[at_] != '|') {
        at_ = line_end;
        return out;
      }
    }
    if (source_[at_] == ')') {
      ++at_;
      return out;
    }
    if (source_[at_] == '|') {
      ++at_;
      skip(true);
      out.emplace_back();
      continue;
    }
    Term term;
    if (!read_term(term)) throw std::runtime_error("unreadable grammar");
    read_repeat(term);
    out.back().push_back(term);
  }
}

bool GbnfOracle::read_term(Term& out) {
  const char32_t c = source_[at_];
  if (c == '"') {
    for (++at_; source_[at_] != '"';) out.text += read_char();
    ++at_;
  } else if (c == '.') {
    out.kind = Term::Kind::kClass;
    out.negated = true;
    ++at_;
  } else if (c == '[') {
    out.kind = Term::Kind::kClass;
    out.negated = source_[++at_] == '^';
    if (out.negated) ++at_;
    while (source_[at_] != ']') {
      const char32_t low = read_char();
      const bool is_range = source_[at_] == '-' && source_[at_ + 1] != ']';
      if (is_range) ++at_;
      out.text += low;
      out.text += is_range ? read_char() : low;
    }
    ++at_;
  } else if (c == '(') {
    out.kind = Term::Kind::kGroup;
    ++at_;
    out.group = read_alternatives(true);
  } else if (is_word(c)) {
    out.kind = Term::Kind::kRule;
    while (is_word(source_[at_])) out.rule += static_cast<char>(source_[at_++]);
  } else {
    return false;
  }
  return true;
}

void GbnfOracle::read_repeat(Term& term) {
  const char32_t c = source_[at_];
  if (c != '*' && c != '+' && c != '?' && c != '{') return;
  ++at_;
  term.min = c == '+' ? 1 : 0;
  term.max = c == '?' ? 1 : std::u32string::npos;
  if (c != '{') return;
  std::string text;
  while (source_[at_] != '}') text += static_cast<char>(source_[at_++]);
  ++at_;
  const std::size_t comma = text.find(',');
  const std::string low = text.substr(0, comma);
  term.min = low.empty() ? 0 : std::stoul(low);
  if (comma == std::string::npos) {
    term.max = term.min;
  } else if (comma + 1 < text.size()) {
    term.max = std::stoul(text.substr(comma + 1));
  }
}

char32_t GbnfOracle::read_char() {
  char32_t c = source_[at_++];
  if (c != '\\') return c;
  c = source_[at_++];
  if (c == 'n') return '\n';
  if (c == 'r') return '\r';
  if (c == 't') return '\t';
  const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (digits == 0) return c;
  std::string hex;
  for (std::size_t i = 0; i < digits; ++i) hex += static_cast<char>(source_[at_++]);
  return static_cast<char32_t>(std::stoul(hex, nullptr, 16));
}

bool GbnfOracle::matches(const std::string& text) {
  text_ = decode(text);
  known_.clear();
  return match_alternatives(rules_.at("root"), {0}).contains(text_.size());
}

GbnfOracle::Positions GbnfOracle::match_alternatives(const Alternatives& alternatives,
                                                     const Positions& from) {
  Positions out;
  for (const auto& terms : alternatives) {
    Positions at = from;
    for (const Term& term : terms) at = match_term(term, at);
    out.insert(at.begin(), at.end());
  }
  return out;
}

GbnfOracle::Positions GbnfOracle::match_term(const Term& term, const Positions& from) {
  Positions at = from;
  Positions out;
  if (term.min == 0) out = from;
  for (std::size_t count = 1; count <= term.max && !at.empty(); ++count) {
    Positions next = match_once(term, at);
    if (count > term.min) {
      // Past the minimum only new positions are of interest, or an empty part would never end.
      for (const std::size_t position : out) next.erase(position);
    }
    if (count >= term.min) out.insert(next.begin(), next.end());
    at = next;
  }
  return out;
}

GbnfOracle::Positions GbnfOracle::match_once(const Term& term, const Positions& from) {
  Positions out;
  if (term.kind == Term::Kind::kGroup) return match_alternatives(term.group, from);
  for (const std::size_t position : from) {
    if (term.kind == Term::Kind::kText) {
      if (text_.substr(position, term.text.size()) == term.text) {
        out.insert(position + term.text.size());
      }
    } else if (term.kind == Term::Kind::kClass) {
      if (position >= text_.size()) continue;
      bool inside = false;
      for (std::size_t i = 0; i < term.text.size(); i += 2) {
        inside |= text_[position] >= term.text[i] && text_[position] <= term.text[i + 1];
      }
      if (inside != term.negated) out.insert(position + 1);
    } else {
      const auto key = std::make_pair(term.rule, position);
      if (!known_.contains(key)) {
        known_[key] = match_alternatives(rules_.at(term.rule), {position});
      }
      out.insert(known_[key].begin(), known_[key].end());
    }
  }
  return out;
}

}  // namespace notso
