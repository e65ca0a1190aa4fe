#include "core/document.h"

#include <fmt/format.h>

#include <algorithm>

namespace steward {

std::string text_of(const SourcePlace& place) {
  return place.line == 0 ? place.file : fmt::format("{}:{}:{}", place.file, place.line, place.column);
}

const Node* Node::find(std::string_view key) const {
  for (const Member& member : members)
    if (member.key == key) return member.value.empty() ? nullptr : &member.value;
  return nullptr;
}

std::string Node::text_at(std::string_view key, std::string_view fallback) const {
  const Node* found = find(key);
  return found == nullptr ? std::string(fallback) : found->text;
}

std::vector<std::string> Node::texts() const {
  if (kind == Kind::scalar) return {text};
  std::vector<std::string> texts;
  for (const Node& item : items) texts.push_back(item.text);
  return texts;
}

Node merged(Node under, Node over) {
  if (over.empty()) return under;
  if (under.kind != Node::Kind::map || over.kind != Node::Kind::map) return over;
  for (Member& member : over.members) {
    const auto known = std::ranges::find(under.members, member.key, &Member::key);
    if (known == under.members.end())
      under.members.push_back(std::move(member));
    else
      known->value = merged(std::move(known->value), std::move(member.value));
  }
  return under;
}

}  // namespace steward
