// What a schema says, gathered from all the schemas that hold at one place: its own keywords, those
// of allOf, and those behind a $ref. Values are pointers into the document.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "service/grammar/schema_number.h"

namespace notso::grammar {

// A set of JSON types. `number` includes `integer`, so that sets intersect by their bits.
using TypeSet = unsigned;
inline constexpr TypeSet kNull = 1;
inline constexpr TypeSet kBoolean = 2;
inline constexpr TypeSet kObject = 4;
inline constexpr TypeSet kArray = 8;
inline constexpr TypeSet kString = 16;
inline constexpr TypeSet kInteger = 32;
inline constexpr TypeSet kNumber = 64 | kInteger;

using SchemaParts = std::vector<const boost::json::value*>;

// One property with all the schemas that it must fit.
struct PropertyFacts {
  std::string_view name;
  SchemaParts parts;
};

// The merged facts. An empty `parts` or list says nothing.
struct SchemaFacts {
  bool is_never = false;              // contradicts itself: no value fits
  std::optional<TypeSet> types;       // as `type` says
  TypeSet keyword_types = 0;          // of which type the other keywords are
  std::optional<SchemaParts> values;  // enum and const
  std::vector<PropertyFacts> properties;
  std::unordered_map<std::string_view, std::size_t> property_index;
  bool has_properties = false;
  SchemaParts additional;  // every additionalProperties there is
  std::vector<std::string_view> required;
  SchemaParts items;
  const boost::json::array* prefix_items = nullptr;
  std::uint32_t min_items = 0;
  std::optional<std::uint32_t> max_items;
  std::uint32_t min_length = 0;
  std::optional<std::uint32_t> max_length;
  const boost::json::string* pattern = nullptr;
  const boost::json::string* format = nullptr;
  NumberBounds number;
  bool has_number_bounds = false;
  // The anyOf and oneOf lists of which one alternative each must hold as well.
  std::vector<const boost::json::array*> choices;
  bool also_null = false;  // `nullable` without a type
};

// Where schemas lie: for messages and for $ref.
struct SchemaPlace {
  const boost::json::value* document = nullptr;
  std::string pointer;
};

// Text from a request for use within a message: one line, not too long.
std::string printable(std::string_view text);

// An error about the schema at `place`.
[[nodiscard]] tl::unexpected<Error> fail_at(const SchemaPlace& place, const std::string& what,
                                            ErrorCode code = ErrorCode::kInvalidArgument);

// Follows a schema that is only a $ref (annotations aside) to what it means, also over several
// steps. A loop of references is refused.
Result<const boost::json::value*> dereference(const boost::json::value* schema, SchemaPlace& place);

// The facts of all `parts` together. Lists in `chosen` are left out: an alternative of them is
// among the parts. `budget` is what may still be read in this way, in keywords and properties: the
// alternatives of several lists multiply.
Result<SchemaFacts> gather_facts(const SchemaParts& parts,
                                 const std::vector<const boost::json::array*>& chosen,
                                 const SchemaPlace& place, std::size_t& budget);

// The types of a value: an integral number is an integer too.
TypeSet type_of(const boost::json::value& value);

}  // namespace notso::grammar
