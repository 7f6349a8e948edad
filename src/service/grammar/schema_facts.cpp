#include "service/grammar/schema_facts.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <cmath>
#include <utility>

#include "service/grammar/limits.h"

namespace notso::grammar {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 24> kRefused{"not",
                                                    "if",
                                                    "then",
                                                    "else",
                                                    "contains",
                                                    "minContains",
                                                    "maxContains",
                                                    "uniqueItems",
                                                    "patternProperties",
                                                    "propertyNames",
                                                    "minProperties",
                                                    "maxProperties",
                                                    "dependentRequired",
                                                    "dependentSchemas",
                                                    "dependencies",
                                                    "unevaluatedItems",
                                                    "unevaluatedProperties",
                                                    "additionalItems",
                                                    "$dynamicRef",
                                                    "$dynamicAnchor",
                                                    "$recursiveRef",
                                                    "$recursiveAnchor",
                                                    "extends",
                                                    "disallow"};

// Keywords that say nothing about the value. Every other unknown one is an annotation too, but
// only these may stand beside a $ref without making a merge of it.
constexpr std::array<std::string_view, 16> kAnnotations{"title",
                                                        "description",
                                                        "default",
                                                        "examples",
                                                        "$comment",
                                                        "$schema",
                                                        "$id",
                                                        "$defs",
                                                        "definitions",
                                                        "deprecated",
                                                        "readOnly",
                                                        "writeOnly",
                                                        "contentMediaType",
                                                        "contentEncoding",
                                                        "$anchor",
                                                        "$vocabulary"};

template <std::size_t N>
bool has(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::string quoted(std::string_view keyword) {
  return std::string("'").append(printable(keyword)).append("'");
}

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

TypeSet type_named(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, TypeSet>, 7> kNames{{{"null", kNull},
                                                                        {"boolean", kBoolean},
                                                                        {"object", kObject},
                                                                        {"array", kArray},
                                                                        {"string", kString},
                                                                        {"integer", kInteger},
                                                                        {"number", kNumber}}};
  for (const auto& [known, set] : kNames) {
    if (known == name) return set;
  }
  return 0;
}

void undo_percent(std::string& text) {
  const auto hex = [](char c) {
    const std::size_t at = std::string_view("0123456789abcdef")
                               .find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool coded =
        text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
    out += coded ? static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])) : text[i];
    if (coded) i += 2;
  }
  text = std::move(out);
}

Result<const json::value*> resolve(const json::value& reference, const SchemaPlace& place) {
  if (!reference.is_string()) return fail_at(place, "'$ref' is not a string");
  const std::string text(view(reference.get_string()));
  if (text.empty() || text[0] != '#' || (text.size() > 1 && text[1] != '/')) {
    return fail_at(place,
                   "the $ref " + quoted(text) +
                       " leads out of the document; only \"#\" and \"#/...\" are supported",
                   ErrorCode::kUnsupported);
  }
  std::string pointer = text.substr(1);
  undo_percent(pointer);
  boost::system::error_code error;
  const json::value* found = place.document->find_pointer(pointer, error);
  if (found == nullptr) return fail_at(place, "the $ref " + quoted(text) + " leads nowhere");
  return found;
}

// Adds the keywords of one schema after another to the facts.
class Gatherer {
 public:
  Gatherer(const std::vector<const json::array*>& chosen, const SchemaPlace& place,
           std::size_t& budget)
      : chosen_(chosen), place_(place), budget_(budget) {}

  Result<SchemaFacts> run(const SchemaParts& parts) {
    std::vector<const json::value*> work(parts.rbegin(), parts.rend());
    std::size_t merged = 0;
    while (!work.empty()) {
      const json::value* schema = work.back();
      work.pop_back();
      if (++merged > kMaxMerges) {
        return fail_at(place_,
                       "allOf and $ref bring together more than " + std::to_string(kMaxMerges) +
                           " schemas; is there a loop",
                       ErrorCode::kResourceExhausted);
      }
      if (schema->is_bool()) {
        facts_.is_never = facts_.is_never || !schema->get_bool();
        continue;
      }
      if (!schema->is_object()) {
        return fail_at(place_, "a schema must be an object, true or false");
      }
      Status status = add(schema->get_object(), work);
      if (!status) return pass_on(status);
    }
    return std::move(facts_);
  }

 private:
  // Takes `amount` from what may still be read.
  Status spend(std::size_t amount) {
    if (amount > budget_) {
      return fail_at(place_, "its alternatives and allOf multiply to too much; make them fewer",
                     ErrorCode::kResourceExhausted);
    }
    budget_ -= amount;
    return {};
  }

  Status add(const json::object& schema, std::vector<const json::value*>& work) {
    Status spent = spend(1 + schema.size());
    if (!spent) return spent;
    if (const json::value* reference = schema.if_contains("$ref")) {
      Result<const json::value*> target = resolve(*reference, place_);
      if (!target) return pass_on(target);
      work.push_back(*target);
    }
    if (const json::value* all = schema.if_contains("allOf")) {
      if (!all->is_array()) return fail_at(place_, "'allOf' is not an array");
      const json::array& list = all->get_array();
      for (auto part = list.rbegin(); part != list.rend(); ++part) work.push_back(&*part);
    }
    Status status = add_types(schema);
    if (status) status = add_object_keywords(schema);
    if (!status) return status;
    for (const auto& member : schema) {
      status = add_keyword({member.key().data(), member.key().size()}, member.value());
      if (!status) return status;
    }
    return {};
  }

  Status add_types(const json::object& schema) {
    const json::value* const nullable = schema.if_contains("nullable");
    const bool also_null = nullable != nullptr && nullable->is_bool() && nullable->get_bool();
    const json::value* const type = schema.if_contains("type");
    if (type == nullptr) {
      facts_.also_null = facts_.also_null || also_null;
      return {};
    }
    TypeSet set = also_null ? kNull : 0;
    const json::array one{*type};
    for (const json::value& name : type->is_array() ? type->get_array() : one) {
      const TypeSet named = name.is_string() ? type_named(view(name.get_string())) : 0;
      if (named == 0) return fail_at(place_, "'type' names no JSON type");
      set |= named;
    }
    facts_.types = facts_.types.value_or(~TypeSet{0}) & set;
    return {};
  }

  // A property must fit what each of the schemas says of it: its own entry in `properties`, or, for
  // a schema that does not list it, that schema's additionalProperties.
  Status add_object_keywords(const json::object& schema) {
    const json::value* const listed = schema.if_contains("properties");
    const json::value* const additional = schema.if_contains("additionalProperties");
    if (listed == nullptr && additional == nullptr) return {};
    if (listed != nullptr && !listed->is_object()) {
      return fail_at(place_, "'properties' is not an object");
    }
    facts_.keyword_types |= kObject;
    facts_.has_properties = facts_.has_properties || listed != nullptr;
    const json::object nothing;
    const json::object& properties = listed != nullptr ? listed->get_object() : nothing;
    Status spent = spend(properties.size() * (1 + facts_.additional.size()) +
                         (additional != nullptr ? facts_.properties.size() : 0));
    if (!spent) return spent;
    if (additional != nullptr) {
      for (PropertyFacts& known : facts_.properties) {
        if (!properties.contains(known.name)) known.parts.push_back(additional);
      }
    }
    for (const auto& member : properties) {
      const std::string_view name(member.key().data(), member.key().size());
      const auto [at, is_new] = facts_.property_index.try_emplace(name, facts_.properties.size());
      if (is_new) facts_.properties.push_back({name, facts_.additional});
      facts_.properties[at->second].parts.push_back(&member.value());
    }
    if (additional != nullptr) facts_.additional.push_back(additional);
    return {};
  }

  Status add_keyword(std::string_view key, const json::value& value) {
    if (has(kRefused, key)) return add_refused(key, value);
    if (key == "enum") {
      if (!value.is_array()) return fail_at(place_, "'enum' is not an array");
      SchemaParts values;
      for (const json::value& one : value.get_array()) values.push_back(&one);
      return add_values(std::move(values));
    }
    if (key == "const") return add_values({&value});
    if (key == "anyOf" || key == "oneOf") return add_choice(key, value);
    if (key == "required") return add_required(value);
    if (key == "items" || key == "prefixItems") return add_items(key, value);
    if (key == "minItems" || key == "maxItems") return add_count(key, value, kArray);
    if (key == "minLength" || key == "maxLength") return add_count(key, value, kString);
    if (key == "pattern") return add_text(key, value, facts_.pattern);
    if (key == "format") return add_text(key, value, facts_.format);
    return add_number_keyword(key, value);
  }

  // Values that say nothing are let through.
  Status add_refused(std::string_view key, const json::value& value) {
    if (value.is_bool() && !value.get_bool() && key == "uniqueItems") return {};
    return fail_at(place_, "the keyword " + quoted(key) + " is not supported",
                   ErrorCode::kUnsupported);
  }

  Status add_values(SchemaParts values) {
    if (!facts_.values) {
      facts_.values = std::move(values);
      return {};
    }
    Status spent = spend(facts_.values->size() * values.size());
    if (!spent) return spent;
    std::erase_if(*facts_.values, [&](const json::value* old) {
      return std::none_of(values.begin(), values.end(),
                          [&](const json::value* value) { return *value == *old; });
    });
    return {};
  }

  Status add_choice(std::string_view key, const json::value& value) {
    if (!value.is_array() || value.get_array().empty()) {
      return fail_at(place_, quoted(key) + " is not an array with schemas");
    }
    const json::array* list = &value.get_array();
    if (std::find(chosen_.begin(), chosen_.end(), list) == chosen_.end()) {
      facts_.choices.push_back(list);
    }
    return {};
  }

  Status add_required(const json::value& value) {
    if (!value.is_array()) return fail_at(place_, "'required' is not an array");
    facts_.keyword_types |= kObject;
    Status spent = spend(value.get_array().size());
    if (!spent) return spent;
    for (const json::value& name : value.get_array()) {
      if (!name.is_string()) return fail_at(place_, "'required' holds more than names");
      facts_.required.push_back(view(name.get_string()));
    }
    return {};
  }

  Status add_items(std::string_view key, const json::value& value) {
    facts_.keyword_types |= kArray;
    if (key == "prefixItems") {
      if (!value.is_array()) return fail_at(place_, "'prefixItems' is not an array");
      if (facts_.prefix_items != nullptr) return cannot_merge(key);
      facts_.prefix_items = &value.get_array();
    } else {
      if (value.is_array()) {
        return fail_at(place_, "'items' with an array is not supported; use 'prefixItems'",
                       ErrorCode::kUnsupported);
      }
      facts_.items.push_back(&value);
    }
    if (facts_.prefix_items != nullptr && facts_.items.size() > 1) return cannot_merge(key);
    return {};
  }

  Status add_count(std::string_view key, const json::value& value, TypeSet type) {
    facts_.keyword_types |= type;
    boost::system::error_code error;
    const double number = value.is_number() ? value.to_number<double>(error) : -1;
    if (!(number >= 0) || number != std::floor(number)) {
      return fail_at(place_, quoted(key) + " is not a whole number of 0 or more");
    }
    if (number > kMaxRepeat) {
      return fail_at(place_,
                     quoted(key) + " is above " + std::to_string(kMaxRepeat) +
                         "; make it smaller or leave it out",
                     ErrorCode::kResourceExhausted);
    }
    const auto count = static_cast<std::uint32_t>(number);
    const bool is_array = type == kArray;
    if (key.starts_with("min")) {
      std::uint32_t& least = is_array ? facts_.min_items : facts_.min_length;
      least = std::max(least, count);
    } else {
      auto& most = is_array ? facts_.max_items : facts_.max_length;
      most = std::min(most.value_or(count), count);
    }
    return {};
  }

  Status add_text(std::string_view key, const json::value& value, const json::string*& out) {
    facts_.keyword_types |= kString;
    if (!value.is_string()) return fail_at(place_, quoted(key) + " is not a string");
    if (out != nullptr && *out != value.get_string()) return cannot_merge(key);
    out = &value.get_string();
    return {};
  }

  Status add_number_keyword(std::string_view key, const json::value& value) {
    NumberBounds& number = facts_.number;
    const json::value** slot = key == "minimum"            ? &number.minimum
                               : key == "maximum"          ? &number.maximum
                               : key == "exclusiveMinimum" ? &number.exclusive_minimum
                               : key == "exclusiveMaximum" ? &number.exclusive_maximum
                               : key == "multipleOf"       ? &number.multiple_of
                                                           : nullptr;
    if (slot == nullptr) return {};
    if (!value.is_number()) return fail_at(place_, quoted(key) + " is not a number");
    facts_.keyword_types |= kNumber;
    facts_.has_number_bounds = true;
    if (*slot == nullptr) {
      *slot = &value;
      return {};
    }
    const double before = (*slot)->to_number<double>();
    const double now = value.to_number<double>();
    if (key == "multipleOf" && before != now) return cannot_merge(key);
    const bool is_lower = key == "minimum" || key == "exclusiveMinimum";
    if (is_lower ? now > before : now < before) *slot = &value;
    return {};
  }

  Status cannot_merge(std::string_view key) {
    return fail_at(place_, "two different " + quoted(key) + " cannot be merged into one schema",
                   ErrorCode::kUnsupported);
  }

  const std::vector<const json::array*>& chosen_;
  const SchemaPlace& place_;
  std::size_t& budget_;
  SchemaFacts facts_;
};

bool is_only_reference(const json::value& schema) {
  if (!schema.is_object() || !schema.get_object().contains("$ref")) return false;
  return std::all_of(schema.get_object().begin(), schema.get_object().end(),
                     [](const auto& member) {
                       const std::string_view key(member.key().data(), member.key().size());
                       return key == "$ref" || has(kAnnotations, key);
                     });
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 160;
  std::string out;
  for (const char c : text.substr(0, kMost)) {
    out += static_cast<std::uint8_t>(c) < 0x20 || c == 0x7F ? '?' : c;
  }
  return text.size() > kMost ? out + "..." : out;
}

tl::unexpected<Error> fail_at(const SchemaPlace& place, const std::string& what, ErrorCode code) {
  return fail(code, "The schema at " + printable(place.pointer) + ": " + what + ".");
}

Result<const json::value*> dereference(const json::value* schema, SchemaPlace& place) {
  for (std::size_t hops = 0; is_only_reference(*schema); ++hops) {
    if (hops > kMaxMerges) return fail_at(place, "its $ref leads back to itself");
    const json::value& reference = schema->get_object().at("$ref");
    Result<const json::value*> target = resolve(reference, place);
    if (!target) return target;
    place.pointer = printable(view(reference.get_string()));
    schema = *target;
  }
  return schema;
}

Result<SchemaFacts> gather_facts(const SchemaParts& parts,
                                 const std::vector<const json::array*>& chosen,
                                 const SchemaPlace& place, std::size_t& budget) {
  return Gatherer(chosen, place, budget).run(parts);
}

TypeSet type_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return kNull;
    case json::kind::bool_:
      return kBoolean;
    case json::kind::object:
      return kObject;
    case json::kind::array:
      return kArray;
    case json::kind::string:
      return kString;
    case json::kind::double_:
      return value.get_double() == std::floor(value.get_double()) ? kInteger : kNumber & ~kInteger;
    case json::kind::int64:
    case json::kind::uint64:
      break;
  }
  return kInteger;
}

}  // namespace notso::grammar
