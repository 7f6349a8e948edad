#include "service/grammar/schema.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/string.hpp>
#include <map>
#include <utility>

#include "service/grammar/json_rules.h"
#include "service/grammar/limits.h"
#include "service/grammar/regex.h"
#include "service/grammar/schema_facts.h"
#include "service/grammar/schema_format.h"
#include "service/grammar/utf8_ranges.h"

namespace notso::grammar {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxPointer = 400;

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

Result<json::value> parse_json(std::string_view text, std::string_view what) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  boost::system::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error, {}, options);
  if (error == json::error::too_deep) {
    return fail(ErrorCode::kResourceExhausted,
                std::string(what) + " is nested deeper than " + std::to_string(kMaxJsonDepth) +
                    " levels of braces and brackets; make it flatter.");
  }
  if (error) {
    return fail(ErrorCode::kInvalidArgument,
                std::string(what) + " is not valid JSON: " + error.message() + ".");
  }
  return value;
}

std::uint32_t code_point_count(std::string_view text) {
  return static_cast<std::uint32_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<std::uint8_t>(c) & 0xC0) != 0x80;
  }));
}

// Turns schemas into rules, one schema after another from a queue, so that no depth of a schema
// becomes a depth of calls. A schema that is met again, also through $ref, is the same rule.
class SchemaCompiler {
 public:
  explicit SchemaCompiler(ExpressionPool& pool) : pool_(pool), json_(pool) {}

  // The whole document as an expression, for values that fit the schema `also` too, if there is
  // one. Both must outlive the compiler.
  Result<ExprId> add_document(const json::value& document, std::string pointer,
                              const json::value* also = nullptr) {
    SchemaParts parts{&document};
    if (also != nullptr) parts.push_back(also);
    Result<ExprId> root = schema(std::move(parts), {}, {&document, std::move(pointer)});
    if (!root) return root;
    for (; next_ < tasks_.size(); ++next_) {
      const Task task = tasks_[next_];
      Result<ExprId> body = task.is_value ? value_body(*task.parts[0]) : convert(task);
      if (!body) return body;
      if (!pool_.status()) return tl::unexpected(pool_.status().error());
      pool_.define(task.rule, *body);
    }
    return root;
  }

 private:
  using Chosen = std::vector<const json::array*>;

  // A rule whose body is still to be made: for a value that fits all `parts`, or for one value.
  struct Task {
    SchemaParts parts;
    Chosen chosen;
    SchemaPlace place;
    RuleId rule = 0;
    bool is_value = false;
  };

  // A reference to the rule of these schemas together.
  Result<ExprId> schema(SchemaParts parts, Chosen chosen, SchemaPlace place) {
    for (const json::value*& part : parts) {
      Result<const json::value*> target = dereference(part, place);
      if (!target) return pass_on(target);
      part = *target;
    }
    if (parts.size() == 1 && parts[0]->is_bool()) {
      return parts[0]->get_bool() ? json_.any_value() : pool_.never();
    }
    const auto [known, is_new] = rules_.try_emplace({parts, chosen}, 0);
    if (is_new) {
      known->second = pool_.add_rule(place.pointer);
      tasks_.push_back(
          {std::move(parts), std::move(chosen), std::move(place), known->second, false});
    }
    if (!pool_.status()) return tl::unexpected(pool_.status().error());
    return pool_.reference(known->second);
  }

  // One step down. Very long pointers, which are only for messages, end early.
  static SchemaPlace below(const SchemaPlace& place, std::string_view step) {
    if (place.pointer.size() > kMaxPointer) return place;
    std::string pointer = place.pointer + "/";
    for (const char c : printable(step)) {
      pointer += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    }
    return {place.document, std::move(pointer)};
  }

  Result<ExprId> convert(const Task& task) {
    Result<SchemaFacts> gathered = gather_facts(task.parts, task.chosen, task.place, merge_budget_);
    if (!gathered) return pass_on(gathered);
    const SchemaFacts& facts = *gathered;
    if (facts.is_never) return pool_.never();
    std::vector<ExprId> alternatives;
    if (facts.also_null && !facts.values) alternatives.push_back(pool_.literal("null"));
    Result<ExprId> body = !facts.choices.empty() ? choice_body(task, *facts.choices[0])
                          : facts.values         ? values_body(facts, task.place)
                                                 : typed_body(facts, task.place);
    if (!body) return body;
    alternatives.push_back(*body);
    return pool_.choice(alternatives);
  }

  // Each alternative together with everything else that holds here. A schema that is nothing but
  // the list is left out, so that recursion through it finds the same rules again.
  Result<ExprId> choice_body(const Task& task, const json::array& list) {
    Chosen chosen = task.chosen;
    chosen.push_back(&list);
    const json::object* only = task.parts.size() == 1 ? task.parts[0]->if_object() : nullptr;
    const bool is_alone =
        only != nullptr && only->size() == 1 && only->begin()->value().if_array() == &list;
    std::vector<ExprId> out;
    for (std::size_t i = 0; i < list.size(); ++i) {
      SchemaParts parts = is_alone ? SchemaParts{} : task.parts;
      parts.push_back(&list[i]);
      Result<ExprId> one = schema(std::move(parts), is_alone ? Chosen{} : chosen,
                                  below(below(task.place, "anyOf"), std::to_string(i)));
      if (!one) return one;
      out.push_back(*one);
    }
    return pool_.choice(out);
  }

  Result<ExprId> typed_body(const SchemaFacts& facts, const SchemaPlace& place) {
    TypeSet types = facts.types.value_or(facts.keyword_types);
    if (!facts.types && facts.keyword_types == 0) return json_.any_value();
    std::vector<ExprId> out;
    if (types & kNull) out.push_back(pool_.literal("null"));
    if (types & kBoolean) {
      out.push_back(pool_.literal("true"));
      out.push_back(pool_.literal("false"));
    }
    if (types & kNumber) {
      Result<ExprId> body = number_body(facts, (types & kNumber) == kInteger, place);
      if (!body) return body;
      out.push_back(*body);
    }
    if (types & kString) {
      Result<ExprId> body = string_body(facts, place);
      if (!body) return body;
      out.push_back(*body);
    }
    if (types & kObject) {
      Result<ExprId> body = object_body(facts, place);
      if (!body) return body;
      out.push_back(*body);
    }
    if (types & kArray) {
      Result<ExprId> body = array_body(facts, place);
      if (!body) return body;
      out.push_back(*body);
    }
    return pool_.choice(out);
  }

  Result<ExprId> number_body(const SchemaFacts& facts, bool is_integer, const SchemaPlace& place) {
    if (!facts.has_number_bounds) return is_integer ? json_.any_integer() : json_.any_number();
    auto body = bounded_number(facts.number, is_integer, pool_);
    if (!body) {
      return fail_at(place, body.error() + " is not supported", ErrorCode::kUnsupported);
    }
    return *body;
  }

  // A format is an annotation: one that is not known says nothing, and beside a pattern, which
  // generators write to spell it out, it only stands in for one that cannot be followed.
  Result<ExprId> string_body(const SchemaFacts& facts, const SchemaPlace& place) {
    const bool has_pattern = facts.pattern != nullptr;
    const std::string_view format =
        facts.format != nullptr ? format_pattern(view(*facts.format)) : std::string_view();
    const ExprId quote = pool_.literal("\"");
    const std::uint32_t most = facts.max_length.value_or(kUnbounded);
    if (most < facts.min_length) return pool_.never();
    if (has_pattern || !format.empty()) {
      const TextLength length{facts.min_length, most};
      const std::string what = "The schema at " + place.pointer + ": 'pattern'";
      Result<ExprId> inside = parse_regex(has_pattern ? view(*facts.pattern) : format,
                                          RegexUse::kJsonString, what, pool_, length);
      if (!inside && inside.error().code == ErrorCode::kUnsupported && has_pattern &&
          !format.empty()) {
        inside = parse_regex(format, RegexUse::kJsonString, what, pool_, length);
      }
      if (inside) return pool_.sequence({quote, *inside, quote});
      // Lengths are a demand, a format is none.
      const bool is_only_format = !has_pattern && inside.error().code == ErrorCode::kUnsupported;
      if (!is_only_format) return inside;
    }
    if (facts.min_length == 0 && !facts.max_length) return json_.any_string();
    return pool_.sequence(
        {quote, pool_.repeat(json_string_char(pool_), facts.min_length, most), quote});
  }

  // The properties in turn. `rest[i]` is what may follow once something stands before property i;
  // as rules that end in each other they need one place for each property, however many are left
  // out.
  Result<ExprId> object_body(const SchemaFacts& facts, const SchemaPlace& place) {
    const bool is_closed = facts.additional.empty() && facts.has_properties;
    if (!facts.has_properties && facts.additional.empty() && facts.required.empty()) {
      return json_.any_object();
    }
    std::vector<ExprId> members;
    std::vector<char> needed;
    Status status = collect_members(facts, place, members, needed);
    if (!status) return pass_on(status);
    ExprId extra = pool_.never();
    if (!is_closed) {
      Result<ExprId> made = extra_member(facts, place);
      if (!made) return made;
      extra = *made;
    }
    const ExprId separator = json_.separator();
    ExprId rest = pool_.repeat(pool_.sequence({separator, extra}), 0, kUnbounded);
    std::vector<ExprId> starts;  // each way to begin, the last first
    if (extra != pool_.never()) starts.push_back(pool_.sequence({extra, rest}));
    for (std::size_t i = members.size(); i-- > 0;) {
      if (needed[i]) starts.clear();
      starts.push_back(pool_.sequence({members[i], rest}));
      const ExprId item = pool_.sequence({separator, members[i]});
      if (i > 0) {
        rest = pool_.hidden_rule(place.pointer,
                                 pool_.sequence({needed[i] ? item : pool_.optional(item), rest}));
      }
    }
    std::vector<ExprId> bodies{json_.enclosed('{', pool_.choice(starts), '}')};
    if (std::find(needed.begin(), needed.end(), 1) == needed.end()) {
      bodies.push_back(pool_.sequence({pool_.literal("{"), json_.space(), pool_.literal("}")}));
    }
    return pool_.choice(bodies);
  }

  // "name": schema for all that are listed, and for those that are only required.
  Status collect_members(const SchemaFacts& facts, const SchemaPlace& place,
                         std::vector<ExprId>& members, std::vector<char>& needed) {
    std::vector<PropertyFacts> properties = facts.properties;
    std::unordered_map<std::string_view, std::size_t> index = facts.property_index;
    for (const std::string_view name : facts.required) {
      if (index.try_emplace(name, properties.size()).second) {
        properties.push_back({name, facts.additional});
      }
    }
    needed.assign(properties.size(), 0);
    for (const std::string_view name : facts.required) needed[index.at(name)] = 1;
    for (const PropertyFacts& property : properties) {
      const SchemaPlace at = below(below(place, "properties"), property.name);
      Result<ExprId> value = all_of(property.parts, at);
      if (!value) return pass_on(value);
      members.push_back(*value == pool_.never() ? *value : json_.member(property.name, *value));
    }
    return {};
  }

  // All parts together, which may be none.
  Result<ExprId> all_of(const SchemaParts& parts, const SchemaPlace& place) {
    if (parts.empty()) return json_.any_value();
    return schema(parts, {}, place);
  }

  Result<ExprId> extra_member(const SchemaFacts& facts, const SchemaPlace& place) {
    Result<ExprId> value = all_of(facts.additional, below(place, "additionalProperties"));
    if (!value || *value == pool_.never()) return value;
    std::vector<std::string_view> names(facts.required);
    for (const PropertyFacts& property : facts.properties) names.push_back(property.name);
    return pool_.sequence({pool_.literal("\""), other_names(names), pool_.literal("\":"),
                           json_.space_after_colon(), *value});
  }

  // Characters that spell none of the names: down the tree of the names' letters, leaving it by a
  // letter that is not in it, or ending where no name does.
  ExprId other_names(const std::vector<std::string_view>& names) {
    struct Node {
      std::map<char32_t, std::size_t> children;
      bool is_name = false;
    };
    std::vector<Node> tree(1);
    for (const std::string_view name : names) {
      std::size_t at = 0;
      for (std::size_t pos = 0; pos < name.size();) {
        const std::int32_t letter = next_code_point(name, pos);
        if (letter < 0) break;
        const auto [child, is_new] =
            tree[at].children.try_emplace(static_cast<char32_t>(letter), tree.size());
        const std::size_t next = child->second;
        if (is_new) tree.emplace_back();
        at = next;
      }
      tree[at].is_name = true;
    }
    const std::vector<CodeRange> never_plain{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    const ExprId any = pool_.repeat(pool_.char_class(never_plain, true), 0, kUnbounded);
    std::vector<ExprId> from(tree.size());
    for (std::size_t i = tree.size(); i-- > 0;) {
      std::vector<ExprId> out;
      std::vector<CodeRange> inside = never_plain;
      for (const auto& [letter, child] : tree[i].children) {
        inside.push_back({letter, letter});
        const bool is_plain = letter >= 0x20 && letter != '"' && letter != '\\';
        if (!is_plain) continue;
        out.push_back(pool_.sequence({pool_.char_class({{letter, letter}}), from[child]}));
      }
      out.push_back(pool_.sequence({pool_.char_class(std::move(inside), true), any}));
      if (!tree[i].is_name) out.push_back(pool_.empty());
      from[i] = pool_.choice(out);
    }
    return from[0];
  }

  Result<ExprId> array_body(const SchemaFacts& facts, const SchemaPlace& place) {
    const std::size_t listed = facts.prefix_items != nullptr ? facts.prefix_items->size() : 0;
    const std::uint32_t most = facts.max_items.value_or(kUnbounded);
    const auto fixed = static_cast<std::uint32_t>(std::min<std::size_t>(listed, most));
    if (most < facts.min_items) return pool_.never();
    const ExprId separator = json_.separator();
    std::vector<ExprId> parts;
    for (std::uint32_t i = 0; i < fixed; ++i) {
      Result<ExprId> item = schema({&(*facts.prefix_items)[i]}, {},
                                   below(below(place, "prefixItems"), std::to_string(i)));
      if (!item) return item;
      if (i > 0) parts.push_back(separator);
      parts.push_back(*item);
    }
    const std::uint32_t more_min = facts.min_items > fixed ? facts.min_items - fixed : 0;
    std::uint32_t more_max = most == kUnbounded ? kUnbounded : most - fixed;
    if (facts.items.empty() && fixed > 0 && more_min == 0) more_max = 0;
    ExprId item = pool_.never();
    if (more_max > 0) {
      Result<ExprId> made = all_of(facts.items, below(place, "items"));
      if (!made) return made;
      item = *made;
    }
    const ExprId next = pool_.sequence({separator, item});
    const ExprId empty = pool_.sequence({pool_.literal("["), json_.space(), pool_.literal("]")});
    if (fixed > 0) {
      parts.push_back(pool_.repeat(next, more_min, more_max));
      return json_.enclosed('[', pool_.sequence(parts), ']');
    }
    if (more_max == 0) return empty;
    const ExprId list =
        pool_.sequence({item, pool_.repeat(next, std::max(more_min, 1u) - 1,
                                           more_max == kUnbounded ? kUnbounded : more_max - 1)});
    const ExprId full = json_.enclosed('[', list, ']');
    return more_min == 0 ? pool_.choice({empty, full}) : full;
  }

  Result<ExprId> values_body(const SchemaFacts& facts, const SchemaPlace& place) {
    std::vector<ExprId> out;
    for (const json::value* value : *facts.values) {
      Result<bool> fits = value_fits(*value, facts, place);
      if (!fits) return pass_on(fits);
      if (!*fits) continue;
      Result<ExprId> body = value_body(*value);
      if (!body) return body;
      out.push_back(*body);
    }
    return pool_.choice(out);
  }

  // Whether a value of enum or const fits the other keywords. Those that would need a validator are
  // refused.
  static Result<bool> value_fits(const json::value& value, const SchemaFacts& facts,
                                 const SchemaPlace& place) {
    const TypeSet type = type_of(value);
    if (facts.types && (type & *facts.types) == 0) return false;
    const bool is_open = ((type & kString) && facts.pattern != nullptr) ||
                         ((type & kNumber) && facts.number.multiple_of != nullptr) ||
                         ((type & (kObject | kArray) & facts.keyword_types) != 0);
    if (is_open) {
      return fail_at(place,
                     "'enum' or 'const' beside keywords that its values must be checked against "
                     "is not supported; leave those keywords out",
                     ErrorCode::kUnsupported);
    }
    if (type & kString) {
      const std::uint32_t length = code_point_count(view(value.get_string()));
      return length >= facts.min_length && length <= facts.max_length.value_or(kUnbounded);
    }
    if ((type & kNumber) == 0) return true;
    const double number = value.to_number<double>();
    const NumberBounds& bounds = facts.number;
    const auto bound = [](const json::value* at) { return at->to_number<double>(); };
    return (bounds.minimum == nullptr || number >= bound(bounds.minimum)) &&
           (bounds.maximum == nullptr || number <= bound(bounds.maximum)) &&
           (bounds.exclusive_minimum == nullptr || number > bound(bounds.exclusive_minimum)) &&
           (bounds.exclusive_maximum == nullptr || number < bound(bounds.exclusive_maximum));
  }

  // Exactly this value, but for spaces. What lies within it becomes rules of its own.
  Result<ExprId> value_body(const json::value& value) {
    if (value.is_string()) return pool_.literal(json_quoted(view(value.get_string())));
    if (value.is_number()) return pool_.literal(number_text(value));
    if (value.is_bool()) return pool_.literal(value.get_bool() ? "true" : "false");
    if (value.is_null()) return pool_.literal("null");
    std::vector<ExprId> parts;
    const auto add = [&](ExprId part) {
      if (!parts.empty()) parts.push_back(json_.separator());
      parts.push_back(part);
    };
    if (value.is_array()) {
      for (const json::value& item : value.get_array()) add(value_rule(item));
    } else {
      for (const auto& member : value.get_object()) {
        add(json_.member({member.key().data(), member.key().size()}, value_rule(member.value())));
      }
    }
    const char open = value.is_array() ? '[' : '{';
    const char close = value.is_array() ? ']' : '}';
    if (parts.empty()) return pool_.literal(std::string{open, close});
    return json_.enclosed(open, pool_.sequence(parts), close);
  }

  ExprId value_rule(const json::value& value) {
    const RuleId rule = pool_.add_rule("(value)");
    if (pool_.status()) tasks_.push_back({{&value}, {}, {}, rule, true});
    return pool_.reference(rule);
  }

  ExpressionPool& pool_;
  JsonRules json_;
  std::map<std::pair<SchemaParts, Chosen>, RuleId> rules_;
  std::vector<Task> tasks_;
  std::size_t next_ = 0;
  std::size_t merge_budget_ = kMaxMergeWork;
};

// What arguments are, whatever else a tool's schema says of them or leaves out.
const json::value& object_schema() {
  static const json::value schema{{"type", "object"}};
  return schema;
}

// Whether the schema says so by itself.
bool asks_for_object(const json::value& schema) {
  const json::object* fields = schema.if_object();
  const json::value* type = fields != nullptr ? fields->if_contains("type") : nullptr;
  return type != nullptr && *type == "object";
}

Result<ExprId> tool_call(const json::value& tool, std::size_t index, SchemaCompiler& compiler,
                         ExpressionPool& pool) {
  const std::string place = "tool " + std::to_string(index);
  const json::object* fields = tool.if_object();
  const json::value* name = fields != nullptr ? fields->if_contains("name") : nullptr;
  if (name == nullptr || !name->is_string()) {
    return fail(ErrorCode::kInvalidArgument, "The " + place + " has no name.");
  }
  JsonRules json(pool);
  const json::value* parameters = fields->if_contains("parameters");
  Result<ExprId> arguments = json.any_object();
  if (parameters != nullptr && !parameters->is_null()) {
    arguments = compiler.add_document(*parameters, place + " #",
                                      asks_for_object(*parameters) ? nullptr : &object_schema());
    if (!arguments) return arguments;
  }
  return json.enclosed(
      '{',
      pool.sequence({json.member("name", pool.literal(json_quoted(view(name->get_string())))),
                     json.separator(), json.member("arguments", *arguments)}),
      '}');
}

}  // namespace

Result<RuleId> parse_schema(std::string_view text, ExpressionPool& pool) {
  Result<json::value> document = parse_json(text, "The schema");
  if (!document) return pass_on(document);
  Result<ExprId> body = SchemaCompiler(pool).add_document(*document, "#");
  if (!body) return pass_on(body);
  const RuleId root = pool.add_rule("#");
  pool.define(root, *body);
  return root;
}

Result<RuleId> parse_tool_calls(std::string_view text, ExpressionPool& pool) {
  Result<json::value> tools = parse_json(text, "The list of tools");
  if (!tools) return pass_on(tools);
  if (!tools->is_array() || tools->get_array().empty()) {
    return fail(ErrorCode::kInvalidArgument, "The list of tools is not an array with tools.");
  }
  SchemaCompiler compiler(pool);
  std::vector<ExprId> calls;
  for (std::size_t i = 0; i < tools->get_array().size(); ++i) {
    Result<ExprId> call = tool_call(tools->get_array()[i], i, compiler, pool);
    if (!call) return pass_on(call);
    calls.push_back(*call);
  }
  // The newline is there for tokens that join it with the end of the object.
  const RuleId root = pool.add_rule("(tool call)");
  pool.define(root, pool.sequence({pool.choice(calls), pool.optional(pool.literal("\n"))}));
  return root;
}

}  // namespace notso::grammar
