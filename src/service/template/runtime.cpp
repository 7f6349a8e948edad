#include "service/template/runtime.h"

#include <unordered_set>

#include "service/template/template_error.h"

namespace notso::jinja {
namespace {

[[noreturn]] void throw_limit(const std::string& what) {
  throw TemplateError(what, ErrorCode::kResourceExhausted);
}

const std::string kUnnamed = "?";

// The values directly inside a container.
std::vector<const Value*> children_of(const Value& value) {
  std::vector<const Value*> children;
  if (value.is(Kind::kList)) {
    for (const Value& item : value.as_list()) children.push_back(&item);
  } else if (value.is(Kind::kDict)) {
    for (const auto& [key, item] : value.as_dict().entries()) children.push_back(&item);
  }
  return children;
}

}  // namespace

Value Object::call(Runtime& /*runtime*/, Arguments& /*arguments*/) {
  throw TemplateError("'" + std::string(type_name()) + "' object is not callable");
}

std::optional<Value> Object::attribute(Runtime& /*runtime*/, std::string_view /*name*/) {
  return std::nullopt;
}

bool Object::set_attribute(std::string_view /*name*/, const Value& /*value*/) { return false; }

Runtime::Runtime(const Environment& environment)
    : environment_(environment),
      autoescape_(environment.options().autoescape),
      template_name_(&kUnnamed) {}

Runtime::~Runtime() {
  for (auto& list : lists_) list->items.clear();
  for (auto& dict : dicts_) dict->entries = Dict();
  for (auto& object : objects_) object->clear();
}

void Runtime::step(std::uint64_t count) {
  steps_ += count;
  if (steps_ > limits().steps) {
    throw_limit("the template took more than " + std::to_string(limits().steps) +
                " steps; it may loop without end");
  }
}

void Runtime::charge(std::uint64_t bytes) {
  bytes_ += bytes;
  if (bytes_ > limits().total_bytes) {
    throw_limit("the template made more than " + std::to_string(limits().total_bytes) +
                " bytes of values");
  }
}

void Runtime::check_items(std::uint64_t count) const {
  if (count > limits().list_items) {
    throw_limit("a list would have " + std::to_string(count) + " items; the limit is " +
                std::to_string(limits().list_items));
  }
}

Value Runtime::make_list(std::vector<Value> items, ListKind kind) {
  check_items(items.size());
  step(items.size() / 8);
  charge(sizeof(ListRep) + items.size() * sizeof(Value));
  auto rep = std::make_shared<ListRep>();
  rep->items = std::move(items);
  rep->kind = kind;
  rep->owner = this;
  lists_.push_back(rep);
  return Value(Value::Data(std::move(rep)));
}

Value Runtime::make_dict(Dict entries) {
  check_items(entries.size());
  step(entries.size() / 8);
  charge(sizeof(DictRep) + entries.size() * 2 * sizeof(Dict::Entry));
  auto rep = std::make_shared<DictRep>();
  rep->entries = std::move(entries);
  rep->owner = this;
  dicts_.push_back(rep);
  return Value(Value::Data(std::move(rep)));
}

Value Runtime::make_object(std::shared_ptr<Object> object) {
  charge(256);
  objects_.push_back(object);
  return Value::object(std::move(object));
}

std::vector<Value>& Runtime::mutable_list(const Value& list) {
  auto& rep = *std::get<std::shared_ptr<ListRep>>(list.data_);
  if (rep.owner != this) throw TemplateError("a list of the caller's cannot be changed; copy it");
  if (rep.kind != ListKind::kList) {
    throw TemplateError("'" + list.type_name() + "' object cannot be changed");
  }
  return rep.items;
}

Dict& Runtime::mutable_dict(const Value& dict) {
  auto& rep = *std::get<std::shared_ptr<DictRep>>(dict.data_);
  if (rep.owner != this) throw TemplateError("a dict of the caller's cannot be changed; copy it");
  return rep.entries;
}

void Runtime::check_acyclic(const Value& container, const Value& item) {
  std::vector<const Value*> pending = {&item};
  std::unordered_set<const void*> seen;
  while (!pending.empty()) {
    const Value* value = pending.back();
    pending.pop_back();
    if (!value->is(Kind::kList) && !value->is(Kind::kDict)) continue;
    if (value->same_as(container)) throw TemplateError("a container cannot contain itself");
    const void* place = value->is(Kind::kList) ? static_cast<const void*>(&value->as_list())
                                               : static_cast<const void*>(&value->as_dict());
    if (!seen.insert(place).second) continue;
    const auto children = children_of(*value);
    step(children.size());
    pending.insert(pending.end(), children.begin(), children.end());
  }
}

DepthGuard::DepthGuard(Runtime& runtime) : runtime_(runtime) {
  if (runtime.depth_ >= runtime.limits().render_depth) {
    throw_limit("the template is nested deeper than " +
                std::to_string(runtime.limits().render_depth) + " levels while it runs");
  }
  ++runtime.depth_;
}

}  // namespace notso::jinja
