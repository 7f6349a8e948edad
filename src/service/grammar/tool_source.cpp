#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "service/grammar/grammar.h"
#include "service/grammar/limits.h"

namespace notso {

Result<GrammarSource> tool_call_source(std::span<const ToolSignature> tools) {
  namespace json = boost::json;
  json::parse_options options;
  options.max_depth = grammar::kMaxJsonDepth - 2;  // what is put around it counts too
  json::array list;
  for (const ToolSignature& tool : tools) {
    json::object entry{{"name", json::string(tool.name)}};
    if (!tool.parameters.empty()) {
      boost::system::error_code error;
      entry["parameters"] =
          json::parse({tool.parameters.data(), tool.parameters.size()}, error, {}, options);
      if (error) {
        return fail(ErrorCode::kInvalidArgument,
                    "The parameters of tool " + std::to_string(list.size()) +
                        " are not valid JSON: " + error.message() + ".");
      }
    }
    list.push_back(std::move(entry));
  }
  return GrammarSource{GrammarSource::Kind::kToolCalls, json::serialize(list)};
}

}  // namespace notso
