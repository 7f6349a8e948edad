#include "service/grammar/cases.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace notso {
namespace {

constexpr const char* kFolder = "/tests/service/grammar/cases/";

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::vector<GrammarCase> schema_cases(const std::string& source_dir) {
  std::vector<GrammarCase> out;
  const std::string text = read_file(source_dir + kFolder + "schemas.json");
  if (text.empty()) return out;
  const boost::json::value cases = boost::json::parse(text);
  for (const auto& member : cases.as_object()) {
    out.push_back({std::string(member.key()),
                   {GrammarSource::Kind::kJsonSchema, boost::json::serialize(member.value())}});
  }
  return out;
}

std::vector<GrammarCase> gbnf_cases(const std::string& source_dir) {
  std::vector<GrammarCase> out;
  for (const auto& entry : std::filesystem::directory_iterator(source_dir + kFolder + "gbnf")) {
    out.push_back(
        {entry.path().stem().string(), {GrammarSource::Kind::kGbnf, read_file(entry.path())}});
  }
  std::ranges::sort(out, {}, &GrammarCase::name);
  return out;
}

std::vector<GrammarCase> regex_cases(const std::string& source_dir) {
  std::vector<GrammarCase> out;
  std::ifstream file(source_dir + kFolder + "regexes.txt");
  for (std::string line; std::getline(file, line);) {
    out.push_back({line, {GrammarSource::Kind::kRegex, line}});
  }
  return out;
}

}  // namespace notso
