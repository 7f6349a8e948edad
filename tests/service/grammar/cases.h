// The schemas, GBNF grammars and regular expressions of tests/service/grammar/cases.
#pragma once

#include <string>
#include <vector>

#include "service/grammar/grammar.h"

namespace notso {

struct GrammarCase {
  std::string name;
  GrammarSource source;
};

// Read from `source_dir`, the root of the project; empty where the files are not there.
std::vector<GrammarCase> schema_cases(const std::string& source_dir);
std::vector<GrammarCase> gbnf_cases(const std::string& source_dir);
std::vector<GrammarCase> regex_cases(const std::string& source_dir);

}  // namespace notso
