// Filters that apply another filter, an attribute or a test to each item.
#include "service/template/builtins.h"
#include "service/template/template_error.h"
#include "service/template/value_ops.h"
#include "service/template/value_paths.h"

namespace notso::jinja {
namespace {

using Args = Arguments;

// Takes the positional argument that names something off the front.
std::string take_name(Arguments& args, const char* what) {
  if (args.positional.empty() || !args.positional[0].is(Kind::kString)) {
    throw TemplateError(std::string(what) + " needs a name as its first argument");
  }
  std::string name(args.positional[0].as_view());
  args.positional.erase(args.positional.begin());
  return name;
}

Value filter_map(Runtime& runtime, const Value& value, const Args& args) {
  std::vector<Value> results;
  if (args.positional.empty()) {
    Bound bound("map", args, {"attribute", "default"});
    const Value fallback = bound.get(1);
    for (const Value& item : items_of(runtime, value)) {
      results.push_back(
          value_at_path(runtime, item, bound.at(0), bound.has(1) ? &fallback : nullptr));
    }
  } else {
    Arguments rest = args;
    const std::string name = take_name(rest, "map");
    const FilterRef filter = find_filter(runtime.environment(), name);
    for (const Value& item : items_of(runtime, value)) {
      DepthGuard depth(runtime);
      results.push_back(apply_filter(runtime, filter, name, item, rest));
      if (results.back().is(Kind::kString)) runtime.charge(results.back().as_text().size());
    }
  }
  return runtime.make_list(std::move(results));
}

// Keeps the items whose test (or truth) is `wanted`.
Value choose(Runtime& runtime, const Value& value, const Args& args, bool by_attribute,
             bool wanted) {
  Arguments rest = args;
  Value path;
  if (by_attribute) {
    if (rest.positional.empty()) throw TemplateError("the name of an attribute is missing");
    path = rest.positional[0];
    rest.positional.erase(rest.positional.begin());
  }
  std::string test;
  if (!rest.positional.empty()) test = take_name(rest, "the test");
  std::vector<Value> kept;
  for (const Value& item : items_of(runtime, value)) {
    runtime.step();
    const Value subject = value_at_path(runtime, item, path);
    const bool holds = test.empty() ? subject.truthy() : apply_test(runtime, test, subject, rest);
    if (holds == wanted) kept.push_back(item);
  }
  return runtime.make_list(std::move(kept));
}

Value filter_select(Runtime& runtime, const Value& value, const Args& args) {
  return choose(runtime, value, args, false, true);
}

Value filter_reject(Runtime& runtime, const Value& value, const Args& args) {
  return choose(runtime, value, args, false, false);
}

Value filter_selectattr(Runtime& runtime, const Value& value, const Args& args) {
  return choose(runtime, value, args, true, true);
}

Value filter_rejectattr(Runtime& runtime, const Value& value, const Args& args) {
  return choose(runtime, value, args, true, false);
}

constexpr FilterEntry kFilters[] = {{"map", filter_map},
                                    {"reject", filter_reject},
                                    {"rejectattr", filter_rejectattr},
                                    {"select", filter_select},
                                    {"selectattr", filter_selectattr}};

}  // namespace

std::span<const FilterEntry> selection_filters() { return kFilters; }

}  // namespace notso::jinja
