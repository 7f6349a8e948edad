// GBNF read and matched in the plainest way: a recursive reader, and a matcher that goes from sets
// of positions to sets of positions. For trusted grammars without left recursion.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace notso {

class GbnfOracle {
 public:
  explicit GbnfOracle(const std::string& grammar);

  // Whether `root` matches the whole text, which is UTF-8.
  bool matches(const std::string& text);

 private:
  struct Term {
    enum class Kind { kText, kClass, kRule, kGroup } kind = Kind::kText;
    std::u32string text;  // a literal, or the pairs of a class
    bool negated = false;
    std::string rule;
    std::vector<std::vector<Term>> group;
    std::size_t min = 1;
    std::size_t max = 1;
  };
  using Alternatives = std::vector<std::vector<Term>>;
  using Positions = std::set<std::size_t>;

  void skip(bool over_lines);
  Alternatives read_alternatives(bool nested);
  bool read_term(Term& out);
  void read_repeat(Term& term);
  char32_t read_char();
  Positions match_alternatives(const Alternatives& alternatives, const Positions& from);
  Positions match_term(const Term& term, const Positions& from);
  Positions match_once(const Term& term, const Positions& from);

  std::u32string source_;
  std::size_t at_ = 0;
  std::map<std::string, Alternatives> rules_;
  std::u32string text_;
  std::map<std::pair<std::string, std::size_t>, Positions> known_;
};

}  // namespace notso
