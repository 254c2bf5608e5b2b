// Reading a node: inputs that must be there, attributes of the type they must have.

#include "frontend/InputFile.h"
#include "frontend/onnx/Importer.h"

namespace sinter::onnx_import {

int64_t Origin::integer(const char *name, int64_t otherwise) const {
  for (const ::onnx::AttributeProto &attribute : proto->attribute())
    if (attribute.name() == name)
      return attribute.i();
  return otherwise;
}

std::vector<int64_t> Origin::integers(const char *name) const {
  for (const ::onnx::AttributeProto &attribute : proto->attribute())
    if (attribute.name() == name)
      return {attribute.ints().begin(), attribute.ints().end()};
  return {};
}

Tensor &Node::in(size_t i) {
  if (!has(i))
    fail("input " + std::to_string(i) + " is missing");
  return inputs[i];
}

const ::onnx::AttributeProto *Node::find(const char *name) const {
  for (const ::onnx::AttributeProto &attribute : proto.attribute()) {
    if (attribute.name() != name)
      continue;
    if (attribute.ref_attr_name().empty())
      return &attribute;
    auto found = outer.find(attribute.ref_attr_name());
    return found == outer.end() ? nullptr : found->second;
  }
  return nullptr;
}

// The attribute, if it has a value of the kind; nullptr if it is left out and may be.
static const ::onnx::AttributeProto *get(const Node &node, const char *name, bool required, int type,
                                         const char *expected) {
  const ::onnx::AttributeProto *attribute = node.find(name);
  if (!attribute && required)
    fail(std::string("attribute '") + name + "' is missing");
  // Files of the first versions do not say the type.
  if (attribute && attribute->type() != type && attribute->type() != ::onnx::AttributeProto::UNDEFINED)
    fail(std::string("attribute '") + name + "' is not " + expected);
  return attribute;
}

int64_t Node::integer(const char *name, std::optional<int64_t> otherwise) const {
  const auto *found = get(*this, name, !otherwise, ::onnx::AttributeProto::INT, "an integer");
  return found ? found->i() : *otherwise;
}

double Node::real(const char *name, std::optional<double> otherwise) const {
  const auto *found = get(*this, name, !otherwise, ::onnx::AttributeProto::FLOAT, "a number");
  return found ? double(found->f()) : *otherwise;
}

std::string Node::text(const char *name, std::optional<std::string> otherwise) const {
  const auto *found = get(*this, name, !otherwise, ::onnx::AttributeProto::STRING, "a text");
  return found ? found->s() : *otherwise;
}

std::vector<int64_t> Node::integers(const char *name) const {
  const auto *found = get(*this, name, false, ::onnx::AttributeProto::INTS, "a list of integers");
  return found ? std::vector<int64_t>(found->ints().begin(), found->ints().end()) : std::vector<int64_t>();
}

std::vector<double> Node::reals(const char *name) const {
  const auto *found = get(*this, name, false, ::onnx::AttributeProto::FLOATS, "a list of numbers");
  return found ? std::vector<double>(found->floats().begin(), found->floats().end()) : std::vector<double>();
}

std::vector<std::string> Node::texts(const char *name) const {
  const auto *found = get(*this, name, false, ::onnx::AttributeProto::STRINGS, "a list of texts");
  return found ? std::vector<std::string>(found->strings().begin(), found->strings().end())
               : std::vector<std::string>();
}

int64_t Node::axis(int64_t value, int64_t rank, bool end) const {
  const int64_t result = value < 0 ? value + rank : value;
  if (result < 0 || result >= rank + (end ? 1 : 0))
    fail("axis " + std::to_string(value) + " is not one of a tensor of rank " + std::to_string(rank));
  return result;
}

} // namespace sinter::onnx_import
